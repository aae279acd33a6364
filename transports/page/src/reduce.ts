/** Every change of the state: actions in, the next state out. No clock, no network, no page. */

import { append, answerId, notice, patch, questionId, said } from "./items";
import { readRtvi, wholeOf } from "./rtvi";
import { words } from "./words";
import type { Action, Answer, Call, CallPhase, Doing, Item, PastTurn, Said, State, Who } from "./types";

export const noCall: Call = {
  phase: "none",
  problem: null,
  muted: false,
  deaf: false,
  doing: null,
  agentSpeaking: false,
  callerSpeaking: false,
  micLevel: 0,
  agentLevel: 0,
  startedAt: 0,
  now: 0,
  hasUserInput: false,
  hasBotOutput: false,
};

export function initialState(token: string | null): State {
  return {
    business: null,
    phase: "opening",
    token,
    items: [],
    made: 0,
    draft: "",
    network: "fine",
    presence: null,
    call: noCall,
    askingToForget: false,
  };
}

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "business":
      return { ...state, business: action.business, phase: "open" };
    case "unreachable":
      return { ...state, phase: "unreachable" };
    case "history":
      return { ...state, items: action.turns.map(pastItem) };
    case "history/unknown":
      return append({ ...state, token: null, items: [] }, (id) => notice(id, words.unknownToken));
    case "token":
      return state.token === action.token ? state : { ...state, token: action.token };
    case "draft":
      return { ...state, draft: action.text };
    case "turn/sent":
      return sent(state, action.turn, action.text);
    case "turn/doing":
      return patch(state, answerId(action.turn), (item) => ({ ...item, doing: action.doing }));
    case "turn/delta":
      return patch(state, answerId(action.turn), (item) => ({
        ...item,
        text: item.text + action.text,
        phase: "streaming",
      }));
    case "turn/done":
      return done(state, action.turn, action.answer);
    case "turn/failed":
      return patch(state, answerId(action.turn), (item) => ({
        ...item,
        phase: "failed",
        doing: null,
        problem: action.problem,
      }));
    case "turn/stopped":
      return patch(state, answerId(action.turn), (item) => ({ ...item, phase: "stopped", doing: null }));
    case "turn/dropped":
      return dropped(state, action.turn);
    case "event/message":
      return later(state, action.who, action.name, action.text);
    case "event/state":
      return presence(state, action.doing);
    case "network":
      return state.network === action.network ? state : { ...state, network: action.network };
    case "forget/ask":
      return { ...state, askingToForget: action.asking };
    case "forget":
      return { ...initialState(null), business: state.business, phase: state.phase };
    default:
      return reduceCall(state, action);
  }
}

type CallAction = Extract<Action, { type: `call/${string}` }>;

function reduceCall(state: State, action: CallAction): State {
  const change = (call: Partial<Call>): State => ({ ...state, call: { ...state.call, ...call } });
  switch (action.type) {
    case "call/phase":
      return action.phase === "loading" ? { ...state, call: { ...noCall, phase: "loading" } } : change(action);
    case "call/live": {
      if (state.call.phase === "reconnecting") return change({ phase: "live" });
      const call: Call = { ...state.call, phase: "live", startedAt: action.at, now: action.at };
      return append({ ...state, call }, (id) => notice(id, words.callStarted));
    }
    case "call/ended":
      return callOver(state, { ...noCall, phase: "ended", startedAt: state.call.startedAt, now: state.call.now });
    case "call/problem":
      return callOver(state, { ...noCall, phase: "problem", problem: action.problem });
    case "call/closed":
      return { ...state, call: noCall };
    case "call/muted":
      return change({ muted: action.muted });
    case "call/deaf":
      return change({ deaf: action.deaf });
    case "call/levels":
      return change({ micLevel: action.mic, agentLevel: action.agent, now: action.now });
    case "call/message":
      return readRtvi(state, action.message);
  }
}

/** Ends a call: what is still open in the thread is closed, and one line says how long it was. */
function callOver(state: State, call: Call): State {
  const wasLive = state.call.startedAt > 0;
  const items = state.items.map(closeSpeech).filter((item) => !isSilent(item));
  const next: State = { ...state, items, call };
  if (!wasLive) return next;
  const secs = Math.round((state.call.now - state.call.startedAt) / 1000);
  return append(next, (id) => notice(id, words.callEnded(secs)));
}

/** Speech without a word: its item has nothing to show. */
function isSilent(item: Item): boolean {
  if (item.kind !== "said" || item.speech === null) return false;
  const unplayed = item.speech.segments.some((segment) => segment.rest !== "");
  const shown = item.cards.length + item.buttons.length + item.sources.length;
  return item.text.trim() === "" && !unplayed && shown === 0;
}

/** What was not played when a call ends was not heard. */
function closeSpeech(item: Item): Item {
  if (item.kind !== "said" || item.speech === null || item.speech.closed) return item;
  const unplayed = item.who === "agent" && item.speech.segments.some((segment) => segment.rest !== "");
  const speech = { ...item.speech, interim: "", closed: true, cut: item.speech.cut || unplayed };
  return { ...item, phase: "done", speech };
}

function sent(state: State, turn: string, text: string): State {
  const question = said(questionId(turn), "customer", "text", text);
  const answer = said(answerId(turn), "agent", "text", "", { phase: "waiting" });
  return { ...state, items: [...state.items, question, answer] };
}

function done(state: State, turn: string, answer: Answer): State {
  const settled = answerIn(state, turn, answer);
  const marked = answer.handed_off ? handedOff(settled) : settled;
  const presence = answer.with_human ? (state.presence ?? withHuman) : state.presence;
  return { ...marked, token: answer.token || state.token, presence };
}

const withHuman: Doing = { state: "with_human", words: words.doing.with_human ?? "" };

/** The thread says once that a colleague was asked. */
function handedOff(state: State): State {
  const told = state.items.some((item) => item.kind === "notice" && item.text === words.handedOff);
  return told ? state : append(state, (id) => notice(id, words.handedOff));
}

/** Words that came by themselves. What the agent says in a call of this page is in the thread already. */
function later(state: State, who: Who, name: string | null, text: string): State {
  if (who === "agent" && wasSpokenHere(state, text)) return state;
  return append(settle(state), (id) => said(id, who, "text", text, { name }));
}

const RUNNING: ReadonlySet<CallPhase> = new Set(["asking", "connecting", "live", "reconnecting"]);

function wasSpokenHere(state: State, text: string): boolean {
  if (RUNNING.has(state.call.phase)) return true;
  const has = (item: Item): boolean =>
    item.kind === "said" && item.speech !== null && wholeOf(item).includes(text.trim());
  return state.items.some(has);
}

/** A message that went to a colleague has no answer of the agent's own: its place is taken out. */
function answerIn(state: State, turn: string, answer: Answer): State {
  if (answer.with_human && answer.text === "") {
    return { ...state, items: state.items.filter((item) => item.id !== answerId(turn)) };
  }
  return patch(state, answerId(turn), (item) => ({
    ...item,
    text: answer.text,
    phase: "done",
    doing: null,
    sources: answer.sources ?? [],
    quickReplies: answer.quick_replies ?? [],
    buttons: answer.buttons ?? [],
    cards: answer.cards ?? [],
  }));
}

function dropped(state: State, turn: string): State {
  const gone = new Set([questionId(turn), answerId(turn)]);
  return { ...state, items: state.items.filter((item) => !gone.has(item.id)) };
}

/** A colleague who writes no longer types. */
function settle(state: State): State {
  const typing = state.presence?.state === "human_typing";
  return typing ? { ...state, presence: withHuman } : state;
}

/** With these the agent has the conversation by itself. */
const QUIET = new Set(["", "listening", "resolved", "back"]);

/** A colleague was asked and nobody has come yet. */
const ASKED = new Set(["requested", "briefed", "offered"]);

function presence(state: State, doing: Doing): State {
  if (ASKED.has(doing.state)) return handedOff(state);
  return { ...state, presence: QUIET.has(doing.state) ? null : doing };
}

function pastItem(turn: PastTurn, at: number): Said {
  return said(`past-${at}`, turn.who, turn.channel ?? "text", turn.text, {
    sources: turn.sources ?? [],
    name: turn.name || null,
  });
}
