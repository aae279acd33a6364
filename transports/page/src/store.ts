/** One store: the state changes only by actions, and every change is told to whoever draws. */

import type { Action, Dispatch, State } from "./types";

export interface Store {
  readonly state: State;
  dispatch: Dispatch;
  watch(onChange: () => void): void;
}

export function createStore(initial: State, reduce: (state: State, action: Action) => State): Store {
  let state = initial;
  const watchers: (() => void)[] = [];
  return {
    get state() {
      return state;
    },
    dispatch(action) {
      const next = reduce(state, action);
      if (next === state) return;
      state = next;
      for (const watcher of watchers) watcher();
    },
    watch(onChange) {
      watchers.push(onChange);
    },
  };
}
