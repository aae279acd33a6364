/** Small pure helpers over the thread's items. */

import type { Channel, Item, Notice, Said, Speech, State, Who } from "./types";

export function said(id: string, who: Who, channel: Channel, text: string, more: Partial<Said> = {}): Said {
  return {
    kind: "said",
    id,
    who,
    channel,
    text,
    name: null,
    phase: "done",
    doing: null,
    sources: [],
    quickReplies: [],
    buttons: [],
    cards: [],
    problem: null,
    speech: null,
    ...more,
  };
}

export function notice(id: string, text: string): Notice {
  return { kind: "notice", id, text };
}

export function newSpeech(): Speech {
  return { segments: [], interim: "", cut: false, closed: false, turnId: null };
}

/** Appends an item under an id of the store's own making. */
export function append(state: State, make: (id: string) => Item): State {
  return { ...state, items: [...state.items, make(`made-${state.made}`)], made: state.made + 1 };
}

export function patch(state: State, id: string, change: (item: Said) => Said): State {
  const items = state.items.map((item) => (item.kind === "said" && item.id === id ? change(item) : item));
  return { ...state, items };
}

export function questionId(turn: string): string {
  return `question-${turn}`;
}

export function answerId(turn: string): string {
  return `answer-${turn}`;
}

export function lastSaid(items: readonly Item[], matches: (item: Said) => boolean): Said | null {
  for (let at = items.length - 1; at >= 0; at--) {
    const item = items[at]!;
    if (item.kind === "said" && matches(item)) return item;
  }
  return null;
}

/** Nothing was said yet: the first screen. */
export function isFresh(state: State): boolean {
  return !state.items.some((item) => item.kind === "said");
}

/** A typed question whose answer is still on its way. */
export function isAnswering(item: Item): boolean {
  return item.kind === "said" && item.speech === null && (item.phase === "waiting" || item.phase === "streaming");
}

/** What stands between two pieces of speech: nothing before a mark of punctuation. */
export function gap(before: string, after: string): string {
  if (before === "" || after === "") return "";
  return /\s$/.test(before) || /^[\s.,;:!?)]/.test(after) ? "" : " ";
}

export function join(before: string, after: string): string {
  return before + gap(before, after) + after;
}

/** An answer without its `[Source: name]` marks, also one that still streams in: chips show the sources. */
export function withoutCitations(text: string): string {
  return text.replace(/\s*\[Source:[^\]]*(?:\]|$)/g, "");
}
