/** What the page and the lazily loaded call part (call.js) agree on. */

import type { Action } from "./types";

export type CallAction = Extract<Action, { type: `call/${string}` }>;

export interface CallOptions {
  /** The conversation to go on with; null starts one. */
  token: string | null;
  dispatch(action: CallAction): void;
}

export interface CallHandle {
  mute(muted: boolean): void;
  hangUp(): void;
}

export interface CallModule {
  startCall(options: CallOptions): CallHandle;
}
