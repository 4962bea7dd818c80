// Subtitles above the canvas: the browser would draw its own below it.

import { element } from "./dom";

/** Shows the cues of the tracks that are loaded and not shown by the browser. */
export class Captions {
  readonly box = element("div", { class: "captions", "aria-live": "off" });
  readonly #heard = new WeakSet<TextTrack>();

  constructor(readonly video: HTMLVideoElement) {
    video.textTracks.addEventListener("addtrack", () => this.#listen());
    video.textTracks.addEventListener("change", () => this.show());
    this.#listen();
  }

  #listen(): void {
    for (const track of this.video.textTracks) {
      if (!this.#heard.has(track)) {
        this.#heard.add(track);
        track.addEventListener("cuechange", () => this.show());
      }
    }
  }

  /** What is to be read now. */
  show(): void {
    const lines: HTMLElement[] = [];
    for (const track of this.video.textTracks) {
      if (track.mode !== "hidden" || track.kind === "metadata") {
        continue;
      }
      for (const cue of track.activeCues ?? []) {
        if (cue instanceof VTTCue) {
          lines.push(element("p", {}, cue.getCueAsHTML()));
        }
      }
    }
    this.box.replaceChildren(...lines);
  }
}
