/** What the customer can do, carried out: requests go out, their results come back as actions. */

import { answerId, questionId } from "./items";
import { rememberToken } from "./memory";
import type { Store } from "./store";
import type { CallHandle, CallModule } from "./call-types";
import type { Answer, PastTurn, Said } from "./types";
import { fetchBusiness, fetchHistory, listenLater, streamAnswer, WireError } from "./wire";

/** One message on its way. Until the token is known it cannot be dropped, only muted. */
interface Flight {
  turn: string;
  text: string;
  abort: AbortController;
  stopped: boolean;
}

export class Session {
  private turns = 0;
  private readonly flights: Flight[] = [];
  /** The first message makes the conversation; the next waits until its token is known. */
  private opening: Promise<void> | null = null;
  private stopListening: (() => void) | null = null;
  private listeningTo: string | null = null;
  private remembered: string | null;
  private call: CallHandle | null = null;
  private callNumber = 0;

  constructor(
    private readonly store: Store,
    private readonly loadCall: () => Promise<CallModule>,
  ) {
    this.remembered = store.state.token;
    store.watch(() => this.followToken());
  }

  async open(): Promise<void> {
    try {
      this.store.dispatch({ type: "business", business: await fetchBusiness() });
    } catch {
      this.store.dispatch({ type: "unreachable" });
      return;
    }
    await this.recall();
    this.followToken();
  }

  send(text: string): void {
    const words = text.trim();
    if (words === "") return;
    const turn = String(++this.turns);
    const flight: Flight = { turn, text: words, abort: new AbortController(), stopped: false };
    this.flights.push(flight);
    this.store.dispatch({ type: "turn/sent", turn, text: words });
    void this.fly(flight);
  }

  /** Stops the answer that is being given; a message that waits behind it keeps its turn. */
  stop(): void {
    const flight = this.flights.find((one) => !one.stopped);
    if (flight === undefined) return;
    flight.stopped = true;
    this.store.dispatch({ type: "turn/stopped", turn: flight.turn });
    if (this.store.state.token !== null) flight.abort.abort();
  }

  /** Sends a failed message again, unless the server has its answer already. */
  async again(item: Said): Promise<void> {
    const turn = turnOf(item);
    const text = this.textOf(turn);
    if (text === null) return;
    const past = answerAfter(await this.pastTurns(), text);
    if (past !== null) {
      this.store.dispatch({ type: "turn/done", turn, answer: asAnswer(past) });
      return;
    }
    this.store.dispatch({ type: "turn/dropped", turn });
    this.send(text);
  }

  /** Takes a refused message back into the composer. */
  edit(item: Said): void {
    const turn = turnOf(item);
    const text = this.textOf(turn);
    if (text === null) return;
    this.store.dispatch({ type: "turn/dropped", turn });
    this.store.dispatch({ type: "draft", text });
  }

  forget(): void {
    this.hangUp();
    for (const flight of this.flights) {
      flight.stopped = true;
      flight.abort.abort();
    }
    this.flights.length = 0;
    this.store.dispatch({ type: "forget" });
  }

  async startCall(): Promise<void> {
    const number = ++this.callNumber;
    const isCurrent = (): boolean => number === this.callNumber;
    this.store.dispatch({ type: "call/phase", phase: "loading" });
    let module: CallModule;
    try {
      module = await this.loadCall();
    } catch {
      if (isCurrent()) this.store.dispatch({ type: "call/problem", problem: "network" });
      return;
    }
    if (!isCurrent()) return;
    this.call = module.startCall({
      token: this.store.state.token,
      dispatch: (action) => {
        if (isCurrent()) this.store.dispatch(action);
      },
    });
  }

  mute(muted: boolean): void {
    this.call?.mute(muted);
    this.store.dispatch({ type: "call/muted", muted });
  }

  hangUp(): void {
    this.callNumber++;
    this.call?.hangUp();
    this.call = null;
    const { phase } = this.store.state.call;
    if (phase === "live" || phase === "reconnecting") this.store.dispatch({ type: "call/ended" });
    else this.store.dispatch({ type: "call/closed" });
  }

  private textOf(turn: string): string | null {
    const question = this.store.state.items.find((item) => item.id === questionId(turn));
    return question?.kind === "said" ? question.text : null;
  }

  private async fly(flight: Flight): Promise<void> {
    await this.launch(flight);
    const at = this.flights.indexOf(flight);
    if (at >= 0) this.flights.splice(at, 1);
  }

  private async launch(flight: Flight): Promise<void> {
    while (this.store.state.token === null && this.opening !== null) await this.opening;
    if (flight.stopped) return;
    const { token } = this.store.state;
    const flown = this.receive(flight, token);
    if (token === null) this.opening = flown;
    await flown;
    if (this.opening === flown) this.opening = null;
  }

  private async receive(flight: Flight, token: string | null): Promise<void> {
    try {
      for await (const event of streamAnswer(flight.text, token, flight.abort.signal)) {
        if (event.token !== null) this.store.dispatch({ type: "token", token: event.token });
        if (flight.stopped) {
          if (this.store.state.token !== null) flight.abort.abort();
          continue;
        }
        if (event.kind === "state") {
          this.store.dispatch({ type: "turn/doing", turn: flight.turn, doing: event.doing });
        } else if (event.kind === "delta") {
          this.store.dispatch({ type: "turn/delta", turn: flight.turn, text: event.text });
        } else {
          this.store.dispatch({ type: "turn/done", turn: flight.turn, answer: event.answer });
        }
      }
      if (navigator.onLine) this.store.dispatch({ type: "network", network: "fine" });
    } catch (error) {
      await this.receiveFailed(flight, token, error);
    }
  }

  private async receiveFailed(flight: Flight, token: string | null, error: unknown): Promise<void> {
    if (flight.abort.signal.aborted || flight.stopped) return;
    if (!(error instanceof WireError)) throw error;
    if (error.problem.code === "unknown_token" && token !== null) {
      if (this.store.state.token === token) this.store.dispatch({ type: "history/unknown" });
      this.store.dispatch({ type: "turn/sent", turn: flight.turn, text: flight.text });
      await this.launch(flight);
      return;
    }
    this.store.dispatch({ type: "turn/failed", turn: flight.turn, problem: error.problem });
  }

  private async recall(): Promise<void> {
    const { token } = this.store.state;
    if (token === null) return;
    try {
      this.store.dispatch({ type: "history", turns: await fetchHistory(token) });
    } catch (error) {
      const unknown = error instanceof WireError && error.status >= 400 && error.status < 500;
      this.store.dispatch(unknown ? { type: "history/unknown" } : { type: "unreachable" });
    }
  }

  private async pastTurns(): Promise<PastTurn[] | null> {
    const { token } = this.store.state;
    try {
      return token === null ? null : await fetchHistory(token);
    } catch {
      return null;
    }
  }

  private followToken(): void {
    const { token, phase } = this.store.state;
    if (token !== this.remembered) rememberToken(token);
    this.remembered = token;
    if (token === this.listeningTo || phase !== "open") return;
    this.stopListening?.();
    this.listeningTo = token;
    this.stopListening =
      token === null
        ? null
        : listenLater(token, {
            onMessage: (who, name, text) => this.store.dispatch({ type: "event/message", who, name, text }),
            onState: (doing) => this.store.dispatch({ type: "event/state", doing }),
            onLost: () => this.store.dispatch({ type: "network", network: "lost" }),
            onBack: () => void this.online(),
          });
  }

  /** What was said while the connection was gone is fetched, unless an answer is on its way. */
  async online(): Promise<void> {
    if (this.store.state.network !== "lost" || !navigator.onLine) return;
    this.store.dispatch({ type: "network", network: "back" });
    setTimeout(() => {
      if (this.store.state.network === "back") this.store.dispatch({ type: "network", network: "fine" });
    }, BACK_SHOWN_MS);
    const past = await this.pastTurns();
    const known = this.store.state.items.filter((item) => item.kind === "said" && item.phase === "done").length;
    const busy = this.flights.length > 0 || this.call !== null;
    if (past !== null && !busy && past.length > known) this.store.dispatch({ type: "history", turns: past });
  }
}

const BACK_SHOWN_MS = 4000;

function turnOf(item: Said): string {
  return item.id.slice(answerId("").length);
}

/** The agent's answer to this very message, if the conversation has it as its newest. */
function answerAfter(past: PastTurn[] | null, text: string): PastTurn | null {
  if (past === null) return null;
  const asked = past.findLastIndex((turn) => turn.who === "customer");
  const answer = past[asked + 1];
  return asked >= 0 && past[asked]!.text.trim() === text && answer?.who === "agent" ? answer : null;
}

function asAnswer(past: PastTurn): Answer {
  return {
    text: past.text,
    token: "",
    turn_id: "",
    sources: past.sources ?? [],
    quick_replies: [],
    buttons: [],
    cards: [],
    handed_off: false,
    with_human: false,
  };
}
