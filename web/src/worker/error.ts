/** What Go reads of a failure: see browser.Code. */
export type HostCode = "quota" | "busy" | "lost" | "failed";

/** A failure of the browser's, with a code for Go and a message for people. */
export class HostError extends Error {
  constructor(
    readonly code: HostCode,
    message: string,
  ) {
    super(message);
  }
}

export const quota = () =>
  new HostError("quota", "the browser has no more space for this site: free some, and nothing is lost");

/** Gives what a file of the origin's private file system threw its code. */
export function fileError(thrown: unknown): HostError {
  if (thrown instanceof HostError) return thrown;
  const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown));
  switch (name) {
    case "QuotaExceededError":
      return quota();
    case "NoModificationAllowedError":
      return new HostError("busy", "another window holds this device's store: close it, or go on there");
    case "NotFoundError":
    case "InvalidStateError":
      return new HostError("lost", "the browser took this device's files away");
  }
  return new HostError("failed", `the browser's storage failed: ${message}`);
}
