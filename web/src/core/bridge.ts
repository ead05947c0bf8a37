// The one place that says where the types of the door come from.
export type * from "./bridge.gen";
import type { DeviceView, ErrorCode, Event, Methods as Made } from "./bridge.gen";

/** Every call of the core, and those that screens ask already: a core that has them not says unknown_method. */
export interface Methods extends Made {
  /** Tells a room that this person writes, at most every four seconds. */
  typing: { params: { readonly room: string }; result: Record<never, never> };
  /** Compares what a camera read off another's screen. */
  checkSafety: { params: { readonly user: string; readonly scanned: string }; result: { readonly same: boolean } };
  /** Lists another person's devices. */
  roomDevices: { params: { readonly user: string }; result: readonly DeviceView[] };
}

export type Params<M extends keyof Methods> = Methods[M]["params"];
export type Result<M extends keyof Methods> = Methods[M]["result"];

/** What the page asks the core through, whatever runs behind it. */
export interface Door {
  call<M extends keyof Methods>(method: M, params: Params<M>, signal?: AbortSignal): Promise<Result<M>>;
  /** Events until the returned function is called; `lost` says that some were missed and the screen must be read anew. */
  subscribe(listener: (event: Event) => void, lost: () => void): () => void;
}

export class CoreError extends Error {
  constructor(readonly code: ErrorCode, message: string) {
    super(message);
    this.name = "CoreError";
  }
}
