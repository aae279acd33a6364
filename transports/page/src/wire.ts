/** The chat's HTTP wire: requests of this page to the server that it came from. */

import { readEvents } from "./sse";
import type { Answer, Business, Doing, PastTurn, Problem, Who } from "./types";
import { words } from "./words";

/** A request that the server refused, or that never reached it. */
export class WireError extends Error {
  constructor(
    readonly problem: Problem,
    readonly status: number,
  ) {
    super(problem.message);
  }
}

export type ChatEvent =
  | { kind: "state"; doing: Doing; token: string | null }
  | { kind: "delta"; text: string; token: string | null }
  | { kind: "done"; answer: Answer; token: string | null };

export async function fetchBusiness(): Promise<Business> {
  const response = await request("business", {});
  return (await response.json()) as Business;
}

export async function fetchHistory(token: string): Promise<PastTurn[]> {
  const response = await request(`chat/history?token=${encodeURIComponent(token)}`, {});
  return ((await response.json()) as { turns: PastTurn[] }).turns;
}

/** Sends one message and yields the answer's events; ends after `done`, throws WireError otherwise. */
export async function* streamAnswer(
  text: string,
  token: string | null,
  signal: AbortSignal,
): AsyncGenerator<ChatEvent> {
  const response = await request("chat/stream", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify({ text, token }),
    signal,
  });
  if (response.body === null) throw cutOff();
  try {
    for await (const { event, data } of readEvents(response.body)) {
      const chat = chatEvent(event, JSON.parse(data) as Record<string, unknown>);
      if (chat !== null) yield chat;
      if (chat?.kind === "done") return;
    }
  } catch (error) {
    if (error instanceof WireError || signal.aborted) throw error;
    throw cutOff();
  }
  throw cutOff();
}

function chatEvent(event: string, data: Record<string, unknown>): ChatEvent | null {
  const token = typeof data["token"] === "string" && data["token"] !== "" ? data["token"] : null;
  switch (event) {
    case "state":
      return { kind: "state", doing: doingOf(data), token };
    case "delta":
      return { kind: "delta", text: String(data["text"] ?? ""), token };
    case "done":
      return { kind: "done", answer: data as unknown as Answer, token };
    case "error":
      throw new WireError(problemOf(data, true), 200);
    default:
      return null;
  }
}

function doingOf(data: Record<string, unknown>): Doing {
  return { state: String(data["state"] ?? ""), words: String(data["words"] ?? "") };
}

export interface LaterEvents {
  onMessage(who: Who, name: string | null, text: string): void;
  onState(doing: Doing): void;
  onLost(): void;
  onBack(): void;
}

/** Listens to what comes by itself, until the returned function is called. */
export function listenLater(token: string, on: LaterEvents): () => void {
  let source: EventSource;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let waitMs = FIRST_RETRY_MS;

  function connect(): void {
    source = new EventSource(`chat/events?token=${encodeURIComponent(token)}`);
    source.addEventListener("message", (event: MessageEvent<string>) => {
      const data = JSON.parse(event.data) as { who: Who; name?: string | null; text: string };
      on.onMessage(data.who, data.name || null, data.text);
    });
    source.addEventListener("state", (event: MessageEvent<string>) => {
      on.onState(doingOf(JSON.parse(event.data) as Record<string, unknown>));
    });
    source.addEventListener("open", () => {
      waitMs = FIRST_RETRY_MS;
      on.onBack();
    });
    source.addEventListener("error", onError);
  }

  /** A browser reconnects after a broken connection by itself, but gives up after an error status. */
  function onError(): void {
    if (source.readyState === EventSource.CONNECTING) {
      on.onLost();
      return;
    }
    retry = setTimeout(connect, waitMs);
    waitMs = Math.min(waitMs * 2, LONGEST_RETRY_MS);
  }

  connect();
  return () => {
    clearTimeout(retry);
    source.close();
  };
}

const FIRST_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 60_000;

async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new WireError({ code: "network", message: words.sendFailed, again: true }, 0);
  }
  if (response.ok) return response;
  throw new WireError(await refusal(response), response.status);
}

/** Request timeout, conflict with an answer that is still being given, too many requests. */
const AGAIN = new Set([408, 409, 429]);

async function refusal(response: Response): Promise<Problem> {
  const again = response.status >= 500 || AGAIN.has(response.status);
  try {
    const body = (await response.json()) as { error?: Record<string, unknown> };
    return problemOf(body.error ?? {}, again);
  } catch {
    return { code: `http_${response.status}`, message: words.sendFailed, again };
  }
}

function problemOf(data: Record<string, unknown>, again: boolean): Problem {
  return { code: String(data["code"] ?? "unknown"), message: String(data["message"] ?? words.sendFailed), again };
}

function cutOff(): WireError {
  return new WireError({ code: "cut_off", message: words.interruptedAnswer, again: true }, 0);
}
