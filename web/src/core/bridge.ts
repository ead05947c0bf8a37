// The one place that says where the types of the door come from.
export type * from "./bridge.gen";
import type { ErrorCode, Event, Methods } from "./bridge.gen";

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
