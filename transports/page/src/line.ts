/** Pipecat's WebRTC transport, with what a page needs besides: every message, and a call that survives. */

import { RTVIMessage, type PipecatClientOptions } from "@pipecat-ai/client-js";
import { SmallWebRTCTransport } from "@pipecat-ai/small-webrtc-transport";

import type { Microphone } from "./microphone";
import type { RtviMessage } from "./types";

/** The parts of the transport that its type declarations leave out. */
interface Inside {
  pc: RTCPeerConnection | null;
  dc: RTCDataChannel | null;
}

export class Line extends SmallWebRTCTransport {
  private greeted: RTCDataChannel | null = null;

  constructor(
    microphone: Microphone,
    token: string | null,
    private readonly onEvery: (message: RtviMessage) => void,
  ) {
    super({
      webrtcRequestParams: { endpoint: new URL("api/offer", location.href).href, requestData: { token } },
      mediaManager: microphone as never,
    });
  }

  override initialize(options: PipecatClientOptions, onMessage: (message: RTVIMessage) => void): void {
    super.initialize(options, (message) => {
      this.onEvery(message);
      onMessage(message);
    });
  }

  override sendReadyMessage(): void {
    this.greeted = this.inside.dc;
    super.sendReadyMessage();
  }

  get peer(): RTCPeerConnection | null {
    return this.inside.pc;
  }

  get botTrack(): MediaStreamTrack | undefined {
    return this.peer?.getReceivers().find((receiver) => receiver.track.kind === "audio")?.track;
  }

  replaceMicrophone(track: MediaStreamTrack): void {
    const sender = this.peer?.getTransceivers().find((one) => one.receiver.track.kind === "audio")?.sender;
    void sender?.replaceTrack(track);
  }

  /** A connection made anew reaches a new pipeline, which waits for the client's greeting. */
  greetAgain(): void {
    const { dc } = this.inside;
    if (this.greeted === null || dc === this.greeted || dc?.readyState !== "open") return;
    this.sendReadyMessage();
  }

  /** Called by the transport for an old connection; its microphone track lives on in the new one. */
  protected closePeerConnection(peer: RTCPeerConnection): void {
    for (const transceiver of peer.getTransceivers()) transceiver.stop();
    peer.close();
  }

  private get inside(): Inside {
    return this as unknown as Inside;
  }
}
