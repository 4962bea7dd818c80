// What the page and its worker say to each other.

/** A network that the server offers. */
export interface Offer {
  readonly name: string;
  readonly summary: string;
  readonly scale: number;
  readonly url: string;
  /** Multiply-accumulates of one position (2x2 pixels). */
  readonly macs: number;
  /** Whether the automatic choice may take it. */
  readonly auto: boolean;
}

/** "auto", "off" (bilinear), or a network's name. */
export type Choice = string;

export type ToWorker =
  | {
      kind: "start";
      canvas: OffscreenCanvas;
      offers: Offer[];
      /** A backend that is taken instead of the fastest; "" for none. */
      only: string;
    }
  | { kind: "frame"; frame: VideoFrame; mediaTime: number; sent: number; playing: boolean }
  | { kind: "choice"; choice: Choice }
  | { kind: "split"; split: number }
  | { kind: "paused" }
  | { kind: "snapshot" };

/** One backend and what came of it. */
export interface Trial {
  readonly backend: string;
  /** Of one self-test, milliseconds; null where it does not run. */
  readonly milliseconds: number | null;
  /** Why it is not taken, "" for the one that is. */
  readonly reason: string;
}

export interface Stats {
  /** Frames that the network made, that were shown bilinearly, and that a later one replaced. */
  shown: number;
  bilinear: number;
  replaced: number;
  /** Smoothed milliseconds of the network, and from a frame's arrival until it is drawn. */
  networkMs: number;
  latencyMs: number;
  source: string;
  answer: string;
  model: string;
  backend: string;
  /** Why what is shown is shown so. */
  reason: string;
  colour: string;
  mediaTime: number;
}

export type FromWorker =
  | { kind: "ready"; trials: Trial[] }
  | { kind: "stats"; stats: Stats }
  | { kind: "drawn"; mediaTime: number; upscaled: boolean }
  | { kind: "snapshot"; width: number; height: number; data: Uint8Array; mediaTime: number }
  | { kind: "failed"; reason: string };
