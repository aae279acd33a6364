/**
 * RTVI messages of a call, folded into the thread.
 *
 * The caller's words are lighter until they are final. The agent's words stand in segments, each with
 * what has been played and what is still to come; `heard` has the last word on what was heard.
 */

import { append, join, lastSaid, newSpeech, patch, said } from "./items";
import type { Button, Call, Card, RtviMessage, Said, Segment, Source, Speech, State } from "./types";

type Fields = Record<string, unknown>;

export function readRtvi(state: State, message: RtviMessage): State {
  const data = fields(message.data);
  switch (message.type) {
    case "user-started-speaking":
      return withCall(state, { callerSpeaking: true });
    case "user-stopped-speaking":
      return withCall(state, { callerSpeaking: false });
    case "bot-started-speaking":
      return withCall(state, { agentSpeaking: true, doing: null });
    case "bot-stopped-speaking":
      return withCall(state, { agentSpeaking: false });
    case "bot-interrupted":
      return interrupted(withCall(state, { agentSpeaking: false }));
    case "user-input":
      return userInput(state, data);
    case "user-transcription":
      return state.call.hasUserInput ? state : callerSaid(state, text(data, "text"), data["final"] === true);
    case "bot-output":
      return botOutput(state, data);
    case "bot-tts-text":
      return state.call.hasBotOutput ? state : wordPlayed(state, text(data, "text"));
    case "server-message":
      return serverMessage(state, data);
    default:
      return state;
  }
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function text(from: Fields, name: string): string {
  const value = from[name];
  return typeof value === "string" ? value : "";
}

function withCall(state: State, call: Partial<Call>): State {
  return { ...state, call: { ...state.call, ...call } };
}

function userInput(state: State, data: Fields): State {
  const known = withCall(state, { hasUserInput: true });
  if (data["input_type"] !== "transcription") return known;
  return callerSaid(known, text(data, "text"), data["final"] === true);
}

function callerSaid(state: State, words: string, final: boolean): State {
  if (words.trim() === "") return state;
  const open = lastSaid(state.items, isSpoken);
  if (open !== null && open.who === "customer" && open.speech?.closed === false) {
    return patch(state, open.id, (item) => withCallerWords(item, words, final));
  }
  return append(state, (id) => {
    const item = said(id, "customer", "browser", "", { phase: "streaming", speech: newSpeech() });
    return withCallerWords(item, words, final);
  });
}

function withCallerWords(item: Said, words: string, final: boolean): Said {
  const speech = { ...(item.speech ?? newSpeech()), interim: final ? "" : words };
  const whole = final ? join(item.text, words) : item.text;
  return { ...item, text: whole, speech, phase: final ? "done" : "streaming" };
}

function botOutput(state: State, data: Fields): State {
  const known = withCall(state, { hasBotOutput: true });
  const whole = text(data, "text");
  if (whole === "" || data["will_be_spoken"] === false) return known;
  const progress = fields(data["spoken_progress"]);
  const played = data["spoken"] === true || data["spoken_status"] === "completed";
  const segment: Segment = {
    id: typeof data["segment_id"] === "number" ? data["segment_id"] : -1,
    spoken: played ? whole : text(progress, "accumulated_text").trim(),
    rest: played ? "" : ("remaining_text" in progress ? text(progress, "remaining_text") : whole).trim(),
  };
  return agentSays(known, segment);
}

/** Servers that only report single words: each is a piece of one segment, already played. */
function wordPlayed(state: State, word: string): State {
  const item = openAgentItem(state);
  const before = item?.speech?.segments.find((segment) => segment.id === -1)?.spoken ?? "";
  return word === "" ? state : agentSays(state, { id: -1, spoken: join(before, word), rest: "" });
}

function agentSays(state: State, segment: Segment): State {
  const owner = lastSaid(state.items, (item) => hasSegment(item, segment.id)) ?? openAgentItem(state);
  if (owner !== null) return patch(state, owner.id, (item) => withSegment(item, segment));
  return append(closeCaller(state), (id) => {
    const item = said(id, "agent", "browser", "", { phase: "streaming", speech: newSpeech() });
    return withSegment(item, segment);
  });
}

function isSpoken(item: Said): boolean {
  return item.speech !== null;
}

/** The agent's turn that still grows: the last spoken item, if it is the agent's and not closed. */
function openAgentItem(state: State): Said | null {
  const last = lastSaid(state.items, isSpoken);
  return last !== null && last.who === "agent" && last.speech?.closed === false ? last : null;
}

function hasSegment(item: Said, id: number): boolean {
  return id !== -1 && item.speech?.segments.some((segment) => segment.id === id) === true;
}

/** A closed turn is settled: words that still arrive were never heard, or are known already. */
function withSegment(item: Said, segment: Segment): Said {
  const speech = item.speech ?? newSpeech();
  if (speech.closed) return item;
  const known = speech.segments.some((old) => old.id === segment.id);
  const segments = known
    ? speech.segments.map((old) => (old.id === segment.id ? segment : old))
    : [...speech.segments, segment];
  return withSpeech(item, { ...speech, segments });
}

function withSpeech(item: Said, speech: Speech): Said {
  const heard = speech.segments.reduce((before, segment) => join(before, segment.spoken), "");
  return { ...item, text: heard, speech, phase: speech.closed ? "done" : "streaming" };
}

function closeCaller(state: State): State {
  const last = lastSaid(state.items, isSpoken);
  if (last === null || last.who !== "customer") return state;
  return patch(state, last.id, (item) => ({
    ...item,
    phase: "done",
    speech: { ...(item.speech ?? newSpeech()), closed: true },
  }));
}

function interrupted(state: State): State {
  const open = openAgentItem(state);
  return open === null ? state : patch(state, open.id, cut);
}

function cut(item: Said): Said {
  const speech = item.speech ?? newSpeech();
  const missed = speech.segments.some((segment) => segment.rest !== "");
  return withSpeech(item, { ...speech, cut: missed, closed: true });
}

function serverMessage(state: State, data: Fields): State {
  switch (data["type"]) {
    case "state":
      return nowDoing(state, text(data, "state"), text(data, "words"));
    case "heard":
      return heard(state, text(data, "turn_id"), text(data, "text"), data["complete"] === true);
    case "card":
      return show(state, { cards: [data] });
    case "show":
      return show(state, data);
    case "token":
      return text(data, "token") === "" ? state : { ...state, token: text(data, "token") };
    default:
      return state;
  }
}

/** Who speaks has thought: the word for it may come after the first sound. */
function nowDoing(state: State, doing: string, words: string): State {
  if (doing === "thinking" && state.call.agentSpeaking) return state;
  return withCall(state, { doing: { state: doing, words } });
}

/** What was played of a turn, confirmed: all of it, or up to where the caller cut in. */
function heard(state: State, turnId: string, words: string, complete: boolean): State {
  const isOfAgent = (item: Said): boolean => item.who === "agent" && item.speech !== null;
  const isUntold = (item: Said): boolean => isOfAgent(item) && item.speech?.turnId === null;
  const item =
    lastSaid(state.items, (one) => isOfAgent(one) && one.speech?.turnId === turnId) ??
    lastSaid(state.items, (one) => isUntold(one) && beginsAlike(wholeOf(one), words)) ??
    lastSaid(state.items, isUntold);
  if (item === null) return state;
  return patch(state, item.id, (old) => confirmed(old, turnId, words, complete));
}

/** All words of a spoken turn, played or not. */
export function wholeOf(item: Said): string {
  const segments = item.speech?.segments ?? [];
  return segments.reduce((before, segment) => join(join(before, segment.spoken), segment.rest), "");
}

function beginsAlike(whole: string, words: string): boolean {
  const start = words.split(/\s+/).slice(0, 3).join(" ");
  return start !== "" && whole.startsWith(start);
}

/** The segments keep their ids, so that what still arrives of them is known to be of this turn. */
function confirmed(item: Said, turnId: string, words: string, complete: boolean): Said {
  const speech = item.speech ?? newSpeech();
  const whole = wholeOf(item);
  const rest = complete ? "" : remainder(whole, words);
  const spoken = words === "" && complete ? whole : words;
  const ids = speech.segments.length > 0 ? speech.segments.map((segment) => segment.id) : [-1];
  const segments = ids.map((id, at) => ({
    id,
    spoken: at === 0 ? spoken : "",
    rest: at === ids.length - 1 ? rest : "",
  }));
  return withSpeech(item, { ...speech, segments, turnId, closed: true, cut: rest !== "" });
}

/** The words of `whole` after those of `heardWords`; numbers may be spelt otherwise, so words are counted. */
export function remainder(whole: string, heardWords: string): string {
  if (whole.startsWith(heardWords)) return whole.slice(heardWords.length).trim();
  const count = heardWords.split(/\s+/).filter(Boolean).length;
  return whole.split(/\s+/).filter(Boolean).slice(count).join(" ");
}

/** What stands beside the agent's words: sources, suggested replies, buttons, receipts. */
function show(state: State, data: Fields): State {
  const shown = (item: Said): Said => ({
    ...item,
    sources: withoutRepeats([...item.sources, ...list(data, "sources").map(sourceOf)]),
    quickReplies: list(data, "quick_replies").map(String),
    buttons: [...item.buttons, ...list(data, "buttons").map(buttonOf)],
    cards: [...item.cards, ...list(data, "cards").map(cardOf)],
  });
  const open = openAgentItem(state);
  if (open !== null) return patch(state, open.id, shown);
  return append(closeCaller(state), (id) => shown(said(id, "agent", "browser", "", { speech: newSpeech() })));
}

function list(from: Fields, name: string): unknown[] {
  const value = from[name];
  return Array.isArray(value) ? value : [];
}

function withoutRepeats(sources: Source[]): Source[] {
  return [...new Map(sources.map((source) => [source.name, source])).values()];
}

function sourceOf(value: unknown): Source {
  const data = fields(value);
  return { name: text(data, "name"), url: text(data, "url") };
}

function buttonOf(value: unknown): Button {
  const data = fields(value);
  return { title: text(data, "title"), text: text(data, "text"), url: text(data, "url") };
}

function cardOf(value: unknown): Card {
  const data = fields(value);
  const rows = list(data, "rows").filter(Array.isArray);
  return { title: text(data, "title"), rows: rows.map((row) => [String(row[0]), String(row[1])]) };
}
