/** How loud a track is just now, from 0 to 1. */

const FLOOR_DB = -55;
const FULL_DB = -12;

export class Loudness {
  private source: MediaStreamAudioSourceNode | null = null;
  private track: MediaStreamTrack | null = null;
  private readonly analyser: AnalyserNode;
  private readonly samples: Float32Array<ArrayBuffer>;

  constructor(private readonly context: AudioContext) {
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.samples = new Float32Array(this.analyser.fftSize);
  }

  of(track: MediaStreamTrack | undefined): number {
    if (track === undefined || track.readyState !== "live") return 0;
    if (track !== this.track) this.listenTo(track);
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length;
    const decibel = 10 * Math.log10(power + 1e-12);
    return Math.min(1, Math.max(0, (decibel - FLOOR_DB) / (FULL_DB - FLOOR_DB)));
  }

  private listenTo(track: MediaStreamTrack): void {
    this.source?.disconnect();
    this.track = track;
    this.source = this.context.createMediaStreamSource(new MediaStream([track]));
    this.source.connect(this.analyser);
  }
}
