/** The shapes that everything here passes around: what the wire brings, and what the store keeps. */

export type Channel = "text" | "browser" | "phone";
export type Who = "customer" | "agent" | "human";

export interface Business {
  name: string;
  line: string;
  accent: string;
  starters: string[];
  language: string;
  voice: boolean;
}

export interface Source {
  name: string;
  url?: string | null;
}

export interface Button {
  title: string;
  text?: string | null;
  url?: string | null;
}

export interface Card {
  title: string;
  rows: [string, string][];
}

/** What the agent is doing: a name for it, and the words that a customer reads. */
export interface Doing {
  state: string;
  words: string;
}

export interface Answer {
  text: string;
  token: string;
  turn_id: string;
  sources: Source[];
  quick_replies: string[];
  buttons: Button[];
  cards: Card[];
  handed_off: boolean;
  with_human: boolean;
}

export interface PastTurn {
  who: Who;
  text: string;
  channel: Channel;
  sources?: Source[];
  name?: string | null;
}

/** Why something did not work. `again` tells whether the same words may succeed on another try. */
export interface Problem {
  code: string;
  message: string;
  again: boolean;
}

/** A piece of the agent's speech: the words already played, and those still to come. */
export interface Segment {
  id: number;
  spoken: string;
  rest: string;
}

export interface Speech {
  segments: Segment[];
  /** The caller's words that may still change. */
  interim: string;
  /** The caller cut in: `rest` was never heard. */
  cut: boolean;
  /** Nothing more is expected in this turn. */
  closed: boolean;
  turnId: string | null;
}

export type Phase = "waiting" | "streaming" | "done" | "stopped" | "failed";

export interface Said {
  kind: "said";
  id: string;
  who: Who;
  channel: Channel;
  name: string | null;
  text: string;
  phase: Phase;
  doing: Doing | null;
  sources: Source[];
  quickReplies: string[];
  buttons: Button[];
  cards: Card[];
  problem: Problem | null;
  speech: Speech | null;
}

/** A line between turns: a call began, a colleague took over. */
export interface Notice {
  kind: "notice";
  id: string;
  text: string;
}

export type Item = Said | Notice;

export type CallPhase = "none" | "loading" | "asking" | "connecting" | "live" | "reconnecting" | "ended" | "problem";

export type CallProblem =
  | "refused"
  | "no_device"
  | "device_busy"
  | "device_gone"
  | "insecure"
  | "busy"
  | "network"
  | "server";

export interface Call {
  phase: CallPhase;
  problem: CallProblem | null;
  muted: boolean;
  /** The microphone went away while the call goes on. */
  deaf: boolean;
  doing: Doing | null;
  agentSpeaking: boolean;
  callerSpeaking: boolean;
  /** Loudness from 0 to 1, of both sides. */
  micLevel: number;
  agentLevel: number;
  /** Milliseconds on the page's own clock. */
  startedAt: number;
  now: number;
  /** The server sends `user-input`; its older twin `user-transcription` would say everything twice. */
  hasUserInput: boolean;
  /** The server sends `bot-output`; its older twin `bot-tts-text` would say everything twice. */
  hasBotOutput: boolean;
}

export type Network = "fine" | "lost" | "back";

export interface State {
  business: Business | null;
  phase: "opening" | "open" | "unreachable";
  token: string | null;
  items: Item[];
  /** Numbers the items that the store itself makes. */
  made: number;
  draft: string;
  network: Network;
  /** Who has the conversation beside the agent: a queue, a colleague, a colleague who types. */
  presence: Doing | null;
  call: Call;
  askingToForget: boolean;
}

/** An RTVI message as the data channel brings it. */
export interface RtviMessage {
  type: string;
  data?: unknown;
}

export type Action =
  | { type: "business"; business: Business }
  | { type: "unreachable" }
  | { type: "history"; turns: PastTurn[] }
  | { type: "history/unknown" }
  | { type: "token"; token: string | null }
  | { type: "draft"; text: string }
  | { type: "turn/sent"; turn: string; text: string }
  | { type: "turn/doing"; turn: string; doing: Doing }
  | { type: "turn/delta"; turn: string; text: string }
  | { type: "turn/done"; turn: string; answer: Answer }
  | { type: "turn/failed"; turn: string; problem: Problem }
  | { type: "turn/stopped"; turn: string }
  | { type: "turn/dropped"; turn: string }
  | { type: "event/message"; who: Who; name: string | null; text: string }
  | { type: "event/state"; doing: Doing }
  | { type: "network"; network: Network }
  | { type: "forget/ask"; asking: boolean }
  | { type: "forget" }
  | { type: "call/phase"; phase: "loading" | "asking" | "connecting" | "reconnecting" }
  | { type: "call/live"; at: number }
  | { type: "call/ended" }
  | { type: "call/problem"; problem: CallProblem }
  | { type: "call/closed" }
  | { type: "call/muted"; muted: boolean }
  | { type: "call/deaf"; deaf: boolean }
  | { type: "call/levels"; mic: number; agent: number; now: number }
  | { type: "call/message"; message: RtviMessage };

export type Dispatch = (action: Action) => void;
