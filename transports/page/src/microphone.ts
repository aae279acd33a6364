/**
 * The caller's microphone, as the transport wants its media: audio only, no request to another host.
 *
 * It implements the `MediaManager` of Pipecat's transports. When the device goes away it looks for another
 * one at once, and again whenever the browser reports a change of devices.
 */

import type { CallProblem } from "./types";

const CONSTRAINTS: MediaTrackConstraints = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

export interface MicrophoneEvents {
  /** The device went away and no other could be opened. */
  onGone(): void;
  /** A device is open again; its track takes the place of the old one. */
  onBack(track: MediaStreamTrack): void;
}

export class Microphone {
  readonly supportsScreenShare = false;
  readonly isCamEnabled = false;
  readonly isSharingScreen = false;
  private track: MediaStreamTrack | null = null;
  private enabled = true;
  private reopening = false;

  constructor(private readonly events: MicrophoneEvents) {}

  /** Asks for the microphone. Throws the browser's DOMException; `problemOf` tells what it means. */
  async open(): Promise<void> {
    if (this.track?.readyState === "live") return;
    const stream = await navigator.mediaDevices.getUserMedia({ audio: CONSTRAINTS });
    this.take(stream.getAudioTracks()[0]!);
    navigator.mediaDevices.addEventListener("devicechange", this.onDevicesChanged);
  }

  close(): void {
    navigator.mediaDevices?.removeEventListener("devicechange", this.onDevicesChanged);
    this.track?.removeEventListener("ended", this.onEnded);
    this.track?.stop();
    this.track = null;
  }

  private take(track: MediaStreamTrack): void {
    this.track = track;
    track.enabled = this.enabled;
    track.addEventListener("ended", this.onEnded);
  }

  private readonly onEnded = (): void => void this.reopen();

  private readonly onDevicesChanged = (): void => {
    if (this.track?.readyState === "ended") void this.reopen();
  };

  private async reopen(): Promise<void> {
    if (this.reopening) return;
    this.reopening = true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: CONSTRAINTS });
      const track = stream.getAudioTracks()[0]!;
      if (this.track === null) track.stop();
      else {
        this.take(track);
        this.events.onBack(track);
      }
    } catch {
      this.events.onGone();
    } finally {
      this.reopening = false;
    }
  }

  // What the transport calls on its media manager.

  setClientOptions(): void {}

  async initialize(): Promise<void> {
    await this.open();
  }

  async connect(): Promise<void> {
    await this.open();
  }

  async disconnect(): Promise<void> {
    this.close();
  }

  enableMic(enable: boolean): void {
    this.enabled = enable;
    if (this.track !== null) this.track.enabled = enable;
  }

  get isMicEnabled(): boolean {
    return this.enabled;
  }

  tracks(): { local: { audio?: MediaStreamTrack } } {
    return { local: this.track === null ? {} : { audio: this.track } };
  }

  async getAllMics(): Promise<MediaDeviceInfo[]> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter((device) => device.kind === "audioinput");
  }
}

/** What a failed `getUserMedia` means to the caller (W3C Media Capture and Streams, section 10.2). */
export function problemOf(error: unknown): CallProblem {
  const name = error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "refused";
    case "NotFoundError":
    case "OverconstrainedError":
      return "no_device";
    case "NotReadableError":
    case "AbortError":
      return "device_busy";
    default:
      return "insecure";
  }
}
