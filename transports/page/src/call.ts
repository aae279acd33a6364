/** A call: the browser's microphone and the agent's voice over WebRTC. Loaded when it is first wanted. */

import { logger, LogLevel, PipecatClient } from "@pipecat-ai/client-js";

import type { CallHandle, CallOptions } from "./call-types";
import { Line } from "./line";
import { Loudness } from "./loudness";
import { Microphone, problemOf } from "./microphone";
import type { CallProblem } from "./types";

// At its default level the client writes every word of the call to the console.
logger.setLevel(LogLevel.NONE);

const LEVELS_EVERY_MS = 80;
const READY_WITHIN_MS = 20_000;

export function startCall(options: CallOptions): CallHandle {
  const call = new WebCall(options);
  void call.start();
  return call;
}

class WebCall implements CallHandle {
  private readonly microphone: Microphone;
  private readonly line: Line;
  private readonly client: PipecatClient;
  private readonly speaker = new Audio();
  private sound: AudioContext | null = null;
  private meter: ReturnType<typeof setInterval> | undefined;
  private over = false;
  private broken = false;
  private live = false;

  constructor(private readonly options: CallOptions) {
    this.microphone = new Microphone({
      onGone: () => options.dispatch({ type: "call/deaf", deaf: true }),
      onBack: (track) => {
        this.line.replaceMicrophone(track);
        options.dispatch({ type: "call/deaf", deaf: false });
      },
    });
    this.line = new Line(this.microphone, options.token, (message) =>
      options.dispatch({ type: "call/message", message }),
    );
    this.client = new PipecatClient({
      transport: this.line,
      enableCam: false,
      callbacks: {
        onTrackStarted: (track, participant) => {
          if (participant?.local !== true && track.kind === "audio") this.play(track);
        },
        onTransportStateChanged: (state) => {
          if (state === "error") this.broken = true;
        },
        onDisconnected: () => this.disconnected(),
      },
    });
  }

  async start(): Promise<void> {
    this.options.dispatch({ type: "call/phase", phase: "asking" });
    try {
      await this.microphone.open();
    } catch (error) {
      this.fail(problemOf(error));
      return;
    }
    // The microphone may be granted only after the caller gave up.
    if (this.over) {
      this.microphone.close();
      return;
    }
    this.options.dispatch({ type: "call/phase", phase: "connecting" });
    this.startMeter();
    await this.connect();
  }

  private async connect(): Promise<void> {
    const timeout = setTimeout(() => this.fail("server"), READY_WITHIN_MS);
    try {
      await this.client.connect();
      if (this.over) return;
      this.live = true;
      this.options.dispatch({ type: "call/live", at: performance.now() });
    } catch (error) {
      this.fail(refusalOf(error));
    } finally {
      clearTimeout(timeout);
    }
  }

  mute(muted: boolean): void {
    this.client.enableMic(!muted);
  }

  hangUp(): void {
    if (this.over) return;
    this.close();
  }

  private play(track: MediaStreamTrack): void {
    this.speaker.srcObject = new MediaStream([track]);
    this.speaker.play().catch(() => undefined);
  }

  private startMeter(): void {
    this.sound = new AudioContext();
    const mic = new Loudness(this.sound);
    const agent = new Loudness(this.sound);
    this.meter = setInterval(() => {
      this.watchConnection();
      this.options.dispatch({
        type: "call/levels",
        mic: mic.of(this.microphone.tracks().local.audio),
        agent: agent.of(this.line.botTrack),
        now: performance.now(),
      });
    }, LEVELS_EVERY_MS);
  }

  private watchConnection(): void {
    if (!this.live) return;
    const state = this.line.peer?.iceConnectionState;
    const lost = state === "disconnected" || state === "failed" || state === "new" || state === "checking";
    if (lost && !this.broken) {
      this.broken = true;
      this.options.dispatch({ type: "call/phase", phase: "reconnecting" });
    } else if (this.broken && (state === "connected" || state === "completed")) {
      this.broken = false;
      this.options.dispatch({ type: "call/live", at: performance.now() });
    }
    this.line.greetAgain();
  }

  private disconnected(): void {
    if (this.over || !this.live) return;
    if (this.broken) this.fail("network");
    else {
      this.close();
      this.options.dispatch({ type: "call/ended" });
    }
  }

  private fail(problem: CallProblem): void {
    if (this.over) return;
    this.close();
    this.options.dispatch({ type: "call/problem", problem });
  }

  private close(): void {
    this.over = true;
    clearInterval(this.meter);
    this.speaker.srcObject = null;
    this.microphone.close();
    void this.sound?.close();
    void this.client.disconnect().catch(() => undefined);
  }
}

/** Why the server did not take the offer: the transport's error carries the HTTP status. */
function refusalOf(error: unknown): CallProblem {
  const status = (error as { status?: unknown } | null)?.status;
  if (status === 429 || status === 503) return "busy";
  return typeof status === "number" ? "server" : "network";
}
