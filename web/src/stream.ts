// Where the picture and the sound come from: HLS by hls.js, or what the browser does by itself.

import type Hls from "hls.js";
import { element } from "./dom";

const RETRY_MS = 1500;

export interface StreamEvents {
  /** Versions, sounds or subtitles are known, or others than before. */
  changed(): void;
  /** What the viewer must be told; "" for nothing any more. */
  told(message: string): void;
  /** Nothing plays. */
  failed(): void;
}

/** One title's stream on a video element. */
export class Stream {
  #hls: Hls | null = null;
  #retry = 0;
  #recovered = false;
  #lost = false;

  constructor(
    readonly video: HTMLVideoElement,
    readonly events: StreamEvents,
  ) {}

  /** Begins to load. `place` is that of the playlist; `rungs` that of the API, "" for live. */
  async open(place: string, rungs: string, live: boolean): Promise<void> {
    const { default: Player } = await import("hls.js");
    if (!Player.isSupported()) {
      this.video.querySelector("source:last-of-type")?.addEventListener("error", () => {
        this.events.failed();
      });
      await this.#plainTexts(rungs);
      return; // the sources of the page stay: some browsers play HLS by themselves
    }
    this.video.replaceChildren();
    this.video.removeAttribute("src");
    const hls = new Player({
      enableWorker: false, // its worker comes as a blob; remuxing fMP4 is nothing
      backBufferLength: 60,
      maxBufferLength: 30,
      maxMaxBufferLength: 60, // seconds: nobody fetches a whole film that he may not watch
      ...(live ? { liveSyncDurationCount: 2 } : {}),
    });
    this.#hls = hls;
    hls.subtitleDisplay = false; // they would be drawn below the canvas
    hls.on(Player.Events.MANIFEST_PARSED, () => this.events.changed());
    hls.on(Player.Events.AUDIO_TRACKS_UPDATED, () => this.events.changed());
    hls.on(Player.Events.SUBTITLE_TRACKS_UPDATED, () => this.events.changed());
    hls.on(Player.Events.LEVEL_SWITCHED, () => this.events.changed());
    hls.on(Player.Events.FRAG_LOADED, () => {
      if (this.#lost) {
        this.#lost = false;
        this.events.told("");
      }
    });
    hls.on(Player.Events.ERROR, (_, error) => {
      if (error.type === Player.ErrorTypes.NETWORK_ERROR) {
        this.#lost = true;
        this.events.told("The connection to the server is lost; trying again.");
      }
      if (!error.fatal) {
        return; // hls.js tries again by itself, some times
      }
      if (error.type === Player.ErrorTypes.NETWORK_ERROR) {
        window.clearTimeout(this.#retry);
        this.#retry = window.setTimeout(() => {
          hls.levels.length > 0 ? hls.startLoad() : hls.loadSource(place);
        }, RETRY_MS);
      } else if (error.type === Player.ErrorTypes.MEDIA_ERROR && !this.#recovered) {
        this.#recovered = true;
        hls.recoverMediaError();
      } else {
        hls.destroy();
        this.#hls = null;
        this.events.failed();
      }
    });
    hls.loadSource(place);
    hls.attachMedia(this.video);
  }

  /** Versions as (value, text), "-1" the automatic choice. */
  get versions(): [string, string][] {
    const levels = this.#hls?.levels ?? [];
    const now = levels[this.#hls?.currentLevel ?? -1];
    const auto =
      now === undefined || !this.#hls?.autoLevelEnabled ? "Auto" : `Auto (${now.height}p)`;
    const named = levels.map((level, k): [string, string] => [String(k), `${level.height}p`]);
    return [["-1", auto], ...named.reverse()];
  }

  get version(): string {
    return String(this.#hls?.autoLevelEnabled === false ? this.#hls.nextLevel : -1);
  }

  set version(value: string) {
    if (this.#hls !== null) {
      this.#hls.nextLevel = Number(value);
    }
  }

  /** The automatic choice needs no more rows than these. */
  limit(rows: number): void {
    const hls = this.#hls;
    if (hls === null) {
      return;
    }
    const enough = hls.levels.findIndex((level) => level.height >= rows);
    hls.autoLevelCapping = rows > 0 ? enough : -1;
  }

  get sounds(): [string, string][] {
    return (this.#hls?.audioTracks ?? []).map((track, k) => [String(k), track.name]);
  }

  get sound(): string {
    return String(this.#hls?.audioTrack ?? -1);
  }

  set sound(value: string) {
    if (this.#hls !== null) {
      this.#hls.audioTrack = Number(value);
    }
  }

  /** Subtitles as (value, text), "-1" for none. */
  get texts(): [string, string][] {
    const named = this.#hls
      ? this.#hls.subtitleTracks.map((track) => track.name)
      : [...this.video.textTracks].map((track) => track.label);
    return [["-1", "Off"], ...named.map((name, k): [string, string] => [String(k), name])];
  }

  get text(): string {
    if (this.#hls !== null) {
      return String(this.#hls.subtitleTrack);
    }
    return String([...this.video.textTracks].findIndex((track) => track.mode !== "disabled"));
  }

  set text(value: string) {
    if (this.#hls !== null) {
      this.#hls.subtitleTrack = Number(value);
      return;
    }
    [...this.video.textTracks].forEach((track, k) => {
      track.mode = k === Number(value) ? "hidden" : "disabled";
    });
  }

  async #plainTexts(rungs: string): Promise<void> {
    if (rungs === "" || !this.video.currentSrc.endsWith("/file")) {
      return; // a stream brings its own
    }
    const { tracks } = (await (await fetch(rungs)).json()) as {
      tracks: { kind: string; label: string; language: string; plain: string }[];
    };
    for (const { kind, label, language, plain } of tracks) {
      if (kind === "text") {
        const kindOf = { kind: "subtitles", label, srclang: language, src: plain };
        this.video.append(element("track", kindOf));
      }
    }
    this.events.changed();
  }
}
