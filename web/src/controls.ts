// What the viewer presses, drags and reads; it knows no video and no network.

import { button, clockText, draw, element, fill, menu } from "./dom";

const SIGNS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  loud: "M4 9v6h4l5 5V4L8 9zM16 8c2 2 2 6 0 8M18 5c4 4 4 10 0 14",
  quiet: "M4 9v6h4l5 5V4L8 9zM16 9l5 6M21 9l-5 6",
  compare: "M12 3v18M5 8l-3 4 3 4zM19 8l3 4-3 4z",
  statistics: "M5 20v-7h3v7zM11 20V5h3v15zM17 20v-10h3v10z",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
};

export interface Actions {
  toggle(): void;
  seek(seconds: number): void;
  volume(share: number): void;
  mute(): void;
  compare(split: number | null): void;
  full(): void;
  version(value: string): void;
  model(value: string): void;
  sound(value: string): void;
  text(value: string): void;
}

export class Controls {
  readonly bar = element("div", { class: "bar" });
  readonly statistics = element("dl", { class: "statistics", hidden: "" });
  readonly divider = element("div", { class: "divider", hidden: "" });
  readonly #play = button("Play (space)", SIGNS.play);
  readonly #mute = button("Mute (m)", SIGNS.loud);
  readonly #compare = button("Compare with the plain picture (x)", SIGNS.compare);
  readonly #inspect = button("Statistics (i)", SIGNS.statistics);
  readonly #full = button("Full screen (f)", SIGNS.full);
  readonly #seek = element("input", {
    ...{ type: "range", class: "seek", min: "0", max: "0", step: "0.1", value: "0" },
    "aria-label": "Position",
  });
  readonly #volume = element("input", {
    ...{ type: "range", class: "volume", min: "0", max: "1", step: "0.05", value: "1" },
    "aria-label": "Volume",
  });
  readonly #split = element("input", {
    ...{ type: "range", class: "split", min: "0", max: "1000", step: "1", value: "500" },
    "aria-label": "Compare: how much of the picture is upscaled",
  });
  readonly #line = element("div", { class: "line" });
  readonly #labels = [
    element("span", { class: "new" }),
    element("span", { class: "old" }),
  ] as const;
  readonly #time = element("span", { class: "time" }, "0:00");
  readonly #version = menu("Stream");
  readonly #model = menu("Upscaling");
  readonly #sound = menu("Sound");
  readonly #text = menu("Captions");
  readonly #values = new Map<string, HTMLElement>();
  #seeking = false;

  constructor(readonly actions: Actions) {
    this.divider.append(this.#line, ...this.#labels, this.#split);
    this.#labels[1].textContent = "Plain";
    this.bar.append(
      element("div", { class: "row" }, this.#seek),
      element(
        "div",
        { class: "row" },
        this.#play,
        this.#time,
        this.#mute,
        this.#volume,
        element("span", { class: "gap" }),
        this.#text.box,
        this.#sound.box,
        this.#version.box,
        this.#model.box,
        this.#compare,
        this.#inspect,
        this.#full,
      ),
    );
    this.#wire();
  }

  #wire(): void {
    const { actions } = this;
    this.#play.onclick = () => actions.toggle();
    this.#mute.onclick = () => actions.mute();
    this.#full.onclick = () => actions.full();
    this.#compare.onclick = () => this.toggleCompare();
    this.#inspect.onclick = () => this.toggleStatistics();
    this.#seek.oninput = () => {
      this.#seeking = true;
      this.#time.textContent = clockText(Number(this.#seek.value));
    };
    this.#seek.onchange = () => {
      this.#seeking = false;
      actions.seek(Number(this.#seek.value));
    };
    this.#volume.oninput = () => actions.volume(Number(this.#volume.value));
    this.#split.oninput = () => this.#moved();
    for (const [{ select }, act] of [
      [this.#version, (value: string) => actions.version(value)],
      [this.#model, (value: string) => actions.model(value)],
      [this.#sound, (value: string) => actions.sound(value)],
      [this.#text, (value: string) => actions.text(value)],
    ] as const) {
      select.onchange = () => act(select.value);
    }
    this.#compare.setAttribute("aria-pressed", "false");
    this.#inspect.setAttribute("aria-pressed", "false");
  }

  /** Shows or hides the slider between the two pictures. */
  toggleCompare(): void {
    this.divider.hidden = !this.divider.hidden;
    this.#compare.setAttribute("aria-pressed", String(!this.divider.hidden));
    this.#moved();
  }

  /** Moves the slider by a share of the width, if it is shown. */
  nudge(share: number): boolean {
    if (this.divider.hidden) {
      return false;
    }
    this.#split.value = String(Number(this.#split.value) + 1000 * share);
    this.#moved();
    return true;
  }

  #moved(): void {
    if (this.divider.hidden) {
      this.actions.compare(null);
      return;
    }
    // The handle's centre stays half of its width away from both ends.
    const handle = 44 / Math.max(this.divider.clientWidth, 88);
    const split = handle / 2 + (Number(this.#split.value) / 1000) * (1 - handle);
    this.divider.style.setProperty("--split", `${100 * split}%`);
    this.actions.compare(split);
  }

  toggleStatistics(): void {
    this.statistics.hidden = !this.statistics.hidden;
    this.#inspect.setAttribute("aria-pressed", String(!this.statistics.hidden));
  }

  playing(playing: boolean): void {
    draw(this.#play, playing ? SIGNS.pause : SIGNS.play);
    this.#play.setAttribute("aria-label", playing ? "Pause (space)" : "Play (space)");
  }

  volume(share: number, muted: boolean): void {
    draw(this.#mute, muted || share === 0 ? SIGNS.quiet : SIGNS.loud);
    this.#mute.setAttribute("aria-label", muted ? "Unmute (m)" : "Mute (m)");
    this.#volume.value = String(muted ? 0 : share);
  }

  time(seconds: number, duration: number, buffered: number): void {
    const known = Number.isFinite(duration) && duration > 0;
    this.#seek.max = String(known ? duration : 0);
    this.#seek.disabled = !known;
    this.#seek.style.setProperty("--buffered", `${known ? (100 * buffered) / duration : 0}%`);
    if (this.#seeking) {
      return;
    }
    this.#seek.value = String(seconds);
    const text = known ? `${clockText(seconds)} / ${clockText(duration)}` : clockText(seconds);
    this.#time.textContent = text;
    this.#seek.setAttribute("aria-valuetext", text);
  }

  versions(options: [string, string][], chosen: string): void {
    fill(this.#version.select, options, chosen);
    this.#version.box.hidden = options.length < 3;
  }

  models(options: [string, string][], chosen: string): void {
    fill(this.#model.select, options, chosen);
  }

  sounds(options: [string, string][], chosen: string): void {
    fill(this.#sound.select, options, chosen);
    this.#sound.box.hidden = options.length < 2;
  }

  texts(options: [string, string][], chosen: string): void {
    fill(this.#text.select, options, chosen);
    this.#text.box.hidden = options.length < 2;
  }

  /** What is left of the slider. */
  label(text: string): void {
    this.#labels[0].textContent = text;
  }

  /** Sets lines of the statistics. */
  report(values: Record<string, string>): void {
    for (const [name, value] of Object.entries(values)) {
      let place = this.#values.get(name);
      if (place === undefined) {
        place = element("dd");
        this.#values.set(name, place);
        this.statistics.append(element("dt", {}, name), place);
      }
      place.textContent = value;
    }
  }
}
