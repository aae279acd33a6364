/** What the views may ask for; app.ts carries it out. */

import type { Said } from "../types";

export interface Actions {
  send(text: string): void;
  /** Sends what stands in the composer now, which may be newer than what is drawn. */
  submit(): void;
  type(text: string): void;
  stop(): void;
  again(item: Said): void;
  edit(item: Said): void;
  call(): void;
  mute(muted: boolean): void;
  hangUp(): void;
  closeCall(): void;
  askToForget(asking: boolean): void;
  forget(): void;
  reload(): void;
  toEnd(): void;
}
