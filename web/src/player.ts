// The watch page: a hidden video element is clock and sound, a canvas above it shows what the
// worker makes of its frames. Where that is not possible the video itself is seen, with the reason.

import "./player.css";
import { Captions } from "./captions";
import { Controls } from "./controls";
import { clockText, element } from "./dom";
import { bound } from "./keys";
import type { FromWorker, Offer, Stats, ToWorker, Trial } from "./messages";
import { Resume } from "./resume";
import { Stream } from "./stream";

const clock = () => performance.timeOrigin + performance.now();
const SCALE = 2; // that the automatic choice of a version counts on
const UNTOLD = 200; // milliseconds after which a frame that was sought counts as not told of

interface CardAnswer {
  models: {
    name: string;
    summary: string;
    scale: number;
    browser: { url: string; macs: number; auto: boolean } | null;
  }[];
}

/** What this browser lacks for upscaling, or "". */
function lacking(): string {
  const needed: [string, boolean][] = [
    ["requestVideoFrameCallback", "requestVideoFrameCallback" in HTMLVideoElement.prototype],
    ["VideoFrame (WebCodecs, which needs HTTPS or this machine)", "VideoFrame" in window],
    ["OffscreenCanvas", "transferControlToOffscreen" in HTMLCanvasElement.prototype],
    ["module workers", "Worker" in window],
  ];
  return needed.find(([, there]) => !there)?.[0] ?? "";
}

async function offersOf(): Promise<Offer[]> {
  const answer = (await (await fetch("/api/models")).json()) as CardAnswer;
  return answer.models.flatMap(({ name, summary, scale, browser }) =>
    browser === null ? [] : [{ name, summary, scale, ...browser }],
  );
}

export class Page {
  /** What the worker last said, for statistics and for scripts. */
  stats: Stats | null = null;
  trials: Trial[] = [];
  /** Media times of drawn frames and whether the network made them, the last thousand. */
  readonly drawn: { mediaTime: number; upscaled: boolean; at: number }[] = [];

  readonly #box = element("div", { class: "player" });
  readonly #stage = element("div", { class: "stage" });
  readonly #canvas = element("canvas", { hidden: "", "aria-hidden": "true" });
  readonly #controls: Controls;
  readonly #stream: Stream;
  readonly #captions: Captions;
  #worker: Worker | null = null;
  #offers: Offer[] = [];
  #choice = "auto";
  #plain = "";
  #presented = 0;
  #snapshots: ((taken: FromWorker & { kind: "snapshot" }) => void)[] = [];

  constructor(
    readonly main: HTMLElement,
    readonly video: HTMLVideoElement,
    readonly message: HTMLElement,
  ) {
    this.#controls = new Controls({
      toggle: () => this.toggle(),
      seek: (seconds) => {
        video.currentTime = seconds;
      },
      volume: (share) => {
        video.volume = share;
        video.muted = share === 0;
      },
      mute: () => {
        video.muted = !video.muted;
      },
      compare: (split) => this.#tell({ kind: "split", split: split ?? 1 }),
      full: () => this.#full(),
      version: (value) => {
        this.#stream.version = value;
      },
      model: (value) => this.choose(value),
      sound: (value) => {
        this.#stream.sound = value;
      },
      text: (value) => {
        this.#stream.text = value;
        this.#captions.show();
      },
    });
    this.#stream = new Stream(video, {
      changed: () => this.#menus(),
      told: (text) => this.#say(text),
      failed: () => this.#explain(),
    });
    this.#captions = new Captions(video);
  }

  /** Builds the player and begins to load. */
  async start(): Promise<void> {
    const { main, video } = this;
    video.controls = false;
    video.before(this.#box);
    this.#stage.append(video, this.#canvas, this.#captions.box, this.#controls.divider);
    this.#stage.append(this.#controls.statistics);
    this.#box.append(this.#stage, this.#controls.bar);
    this.#listen();
    new Resume(video, main.dataset.api ?? "").begin((seconds) =>
      this.#say(`Goes on at ${clockText(seconds)}`),
    );
    const live = main.dataset.file === undefined;
    const opened = this.#stream.open(main.dataset.hls ?? "", main.dataset.rungs ?? "", live);
    await Promise.all([opened, this.#upscaling()]);
  }

  /** Plays or pauses. */
  toggle(): void {
    if (this.video.paused) {
      this.video.play().catch((error: Error) => this.#say(error.message));
    } else {
      this.video.pause();
    }
  }

  /** Takes a network by its name, "auto" or "off". */
  choose(choice: string): void {
    this.#choice = choice;
    this.#tell({ kind: "choice", choice });
    this.#limit();
  }

  /** The planes that are shown now. */
  snapshot(): Promise<FromWorker & { kind: "snapshot" }> {
    return new Promise((resolve) => {
      this.#snapshots.push(resolve);
      this.#tell({ kind: "snapshot" });
    });
  }

  async #upscaling(): Promise<void> {
    const missing = lacking();
    if (missing !== "") {
      this.#asItIs(`this browser has no ${missing}`);
      return;
    }
    try {
      this.#offers = await offersOf();
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      this.#worker = worker;
      worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#heard(data);
      worker.onerror = (event) => this.#asItIs(event.message || "the worker does not start");
      const canvas = this.#canvas.transferControlToOffscreen();
      const only = new URLSearchParams(location.search).get("backend") ?? "";
      const start: ToWorker = { kind: "start", canvas, offers: this.#offers, only };
      worker.postMessage(start, [canvas]);
    } catch (error) {
      this.#asItIs(error instanceof Error ? error.message : String(error));
    }
  }

  #heard(message: FromWorker): void {
    if (message.kind === "ready") {
      this.trials = message.trials;
      this.#box.dataset.ready = "";
      this.#menus();
      this.#limit();
      this.video.requestVideoFrameCallback(this.#frame);
      this.#capture(this.video.currentTime);
    } else if (message.kind === "drawn") {
      const { mediaTime, upscaled } = message;
      this.drawn.push({ mediaTime, upscaled, at: performance.now() });
      if (this.drawn.length > 1000) {
        this.drawn.shift();
      }
      this.#canvas.hidden = false;
    } else if (message.kind === "stats") {
      this.stats = message.stats;
      this.#report(message.stats);
    } else if (message.kind === "snapshot") {
      this.#snapshots.shift()?.(message);
    } else {
      this.#asItIs(message.reason);
    }
  }

  readonly #frame = (_: number, told: VideoFrameCallbackMetadata) => {
    if (this.#plain === "") {
      this.#presented += 1;
      this.video.requestVideoFrameCallback(this.#frame);
      this.#capture(told.mediaTime);
    }
  };

  #capture(mediaTime: number): void {
    const { video } = this;
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
      return;
    }
    try {
      const frame = new VideoFrame(video, { timestamp: Math.round(mediaTime * 1e6) });
      const playing = !video.paused && !video.seeking;
      const sent: ToWorker = { kind: "frame", frame, mediaTime, sent: clock(), playing };
      this.#worker?.postMessage(sent, [frame]);
    } catch (error) {
      this.#asItIs(error instanceof Error ? error.message : String(error));
    }
  }

  #tell(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  /** The video itself from now on, and why. */
  #asItIs(reason: string): void {
    this.#plain = reason;
    this.#worker?.terminate();
    this.#worker = null;
    this.#canvas.hidden = true;
    this.#box.dataset.plain = reason;
    this.#controls.models([["off", "Off"]], "off");
    this.#controls.report({ Upscaling: `off: ${reason}` });
    this.#say(`Shown without upscaling: ${reason}.`);
    this.#limit();
  }

  #listen(): void {
    const { video } = this;
    const playing = () => this.#controls.playing(!video.paused);
    const time = () => {
      const end = video.buffered.length;
      const buffered = end > 0 ? video.buffered.end(end - 1) : 0;
      this.#controls.time(video.currentTime, video.duration, buffered);
    };
    for (const event of ["play", "pause", "ended"]) {
      video.addEventListener(event, playing);
    }
    video.addEventListener("pause", () => this.#tell({ kind: "paused" }));
    // Where nothing else changes on the page, a browser may present a frame that was sought
    // while paused without telling of it.
    video.addEventListener("seeked", () => {
      const presented = this.#presented;
      setTimeout(() => {
        if (video.paused && presented === this.#presented && this.#plain === "") {
          this.#capture(video.currentTime);
        }
      }, UNTOLD);
    });
    for (const event of ["timeupdate", "durationchange", "progress", "seeked"]) {
      video.addEventListener(event, time);
    }
    video.addEventListener("volumechange", () => {
      this.#controls.volume(video.volume, video.muted);
    });
    video.addEventListener("resize", () => {
      const { videoWidth: width, videoHeight: height } = video;
      this.#box.style.setProperty("--ratio", `${width} / ${height}`);
      this.#box.style.setProperty("--ratio-number", String(width / height));
      this.#limit();
    });
    video.addEventListener("click", () => this.toggle());
    new ResizeObserver(() => this.#limit()).observe(this.#stage);
    const { signal } = new AbortController();
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.#controls.volume(video.volume, video.muted);
    this.#controls.report({ Upscaling: "starting" });
  }

  #key(event: KeyboardEvent): void {
    const { video } = this;
    const act = bound(event, {
      toggle: () => this.toggle(),
      seek: (by) => {
        video.currentTime = Math.min(Math.max(video.currentTime + by, 0), video.duration || 0);
      },
      volume: (by) => {
        video.muted = false;
        video.volume = Math.min(Math.max(video.volume + by, 0), 1);
      },
      mute: () => {
        video.muted = !video.muted;
      },
      full: () => this.#full(),
      compare: () => this.#controls.toggleCompare(),
      statistics: () => this.#controls.toggleStatistics(),
      nudge: (by) => this.#controls.nudge(by),
      captions: () => {
        this.#stream.text = this.#stream.text === "-1" ? "0" : "-1";
        this.#captions.show();
        this.#menus();
      },
    });
    if (act !== null) {
      event.preventDefault();
      act();
    }
  }

  #full(): void {
    if (document.fullscreenElement) {
      document.exitFullscreen().catch(() => undefined);
    } else if (this.#box.requestFullscreen) {
      this.#box.requestFullscreen().catch((error: Error) => this.#say(error.message));
    } else {
      const video = this.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
      video.webkitEnterFullscreen?.(); // telephones that have it for videos alone
    }
  }

  #menus(): void {
    this.#controls.versions(this.#stream.versions, this.#stream.version);
    this.#controls.sounds(this.#stream.sounds, this.#stream.sound);
    this.#controls.texts(this.#stream.texts, this.#stream.text);
    if (this.#plain === "") {
      const named = this.#offers.map((offer): [string, string] => [
        offer.name,
        `${offer.name} (×${offer.scale})`,
      ]);
      const options: [string, string][] = [["auto", "Auto"], ...named, ["off", "Off (bilinear)"]];
      this.#controls.models(options, this.#choice);
    }
    this.#limit();
  }

  /** The automatic version has as many rows as fill the screen once they are upscaled. */
  #limit(): void {
    const rows = this.#stage.clientHeight * window.devicePixelRatio;
    const works = this.#plain === "" && this.#choice !== "off" && this.stats?.model !== "bilinear";
    this.#stream.limit(works ? rows / SCALE : 0);
  }

  #report(stats: Stats): void {
    const { video } = this;
    const quality = video.getVideoPlaybackQuality();
    const since = performance.now() - 1000;
    const recent = this.drawn.filter((frame) => frame.at > since);
    const upscaled = recent.filter((frame) => frame.upscaled).length;
    const tried = this.trials.map(({ backend, milliseconds, reason }) =>
      [backend, milliseconds?.toFixed(1), reason && `(${reason})`].filter(Boolean).join(" "),
    );
    this.#controls.label(stats.model === "bilinear" ? "Bilinear" : stats.model);
    this.#controls.report({
      Upscaling: `${stats.model}: ${stats.reason}`,
      Backend: stats.backend,
      Tried: tried.join(", ") || "nothing",
      Picture: `${stats.source} → ${stats.answer}`,
      "Frames/s": `${upscaled} upscaled, ${recent.length - upscaled} bilinear`,
      Frames: `${stats.shown} upscaled, ${stats.bilinear} bilinear, ${stats.replaced} replaced`,
      Decoder: `${quality.droppedVideoFrames} of ${quality.totalVideoFrames} dropped`,
      Network: `${stats.networkMs.toFixed(1)} ms, shown after ${stats.latencyMs.toFixed(1)} ms`,
      Colour: stats.colour,
    });
  }

  #say(text: string): void {
    if (this.message.textContent !== text) {
      this.message.textContent = text;
    }
  }

  async #explain(): Promise<void> {
    const answer = await fetch(this.main.dataset.api ?? "").then(
      (response) => response.json() as Promise<{ reason?: string; error?: string }>,
      () => null,
    );
    const reason = answer?.reason || answer?.error;
    this.#say(
      reason
        ? `This does not play: ${reason}`
        : "This browser plays neither the stream nor the file. Another player can: see the link below.",
    );
  }
}

declare global {
  interface Window {
    /** The page's player, for scripts and tests. */
    upreel?: Page;
  }
}

const main = document.querySelector<HTMLElement>("main[data-hls]");
const video = main?.querySelector("video");
const message = document.querySelector<HTMLElement>("#message");
if (main && video && message) {
  window.upreel = new Page(main, video, message);
  void window.upreel.start();
}
