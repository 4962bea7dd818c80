// The worker: one frame at a time, the latest wins; planes, network, screen.

import { type Backend, chosen, type Network } from "./backend";
import { isCut, thumbnail } from "./cuts";
import { Ladder, Pace } from "./ladder";
import type { FromWorker, Offer, Stats, ToWorker } from "./messages";
import { half, type Picture, readModel } from "./model";
import { type Colour, misfit, pictureOf } from "./picture";
import { Screen } from "./screen";

interface Waiting {
  readonly frame: VideoFrame;
  readonly mediaTime: number;
  readonly sent: number;
  readonly playing: boolean;
}

interface Shown {
  readonly picture: Picture;
  readonly colour: Colour;
  readonly before: Picture;
  readonly mediaTime: number;
}

const STATS_MS = 200;
const TIMED_SIZE = { width: 320, height: 180 };
const SMOOTHING = 0.15;
const LATE = 1.6; // intervals behind its arrival that a frame may be drawn

const tell = (message: FromWorker) => self.postMessage(message);
/** Milliseconds that page and worker agree on. */
const clock = () => performance.timeOrigin + performance.now();
const turn = () =>
  new Promise<void>((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });

class Player {
  readonly #screen: Screen;
  readonly #offers: readonly Offer[];
  readonly #networks = new Map<string, Promise<Network>>();
  readonly #pace = new Pace();
  readonly #stats: Stats = {
    ...{ shown: 0, bilinear: 0, replaced: 0, networkMs: 0, latencyMs: 0, mediaTime: 0 },
    ...{ source: "", answer: "", model: "", backend: "", reason: "", colour: "" },
  };
  #backend: Backend | null = null;
  #ladder = new Ladder([], 0);
  #rungs: Offer[] = [];
  #choice = "auto";
  #slot: Waiting | null = null;
  #busy = false;
  #last: Shown | null = null;
  #upscaled: Picture | null = null;
  #thumbnail: Float32Array | null = null;
  #size = "";
  #told = 0;
  #refresh = false;

  constructor(canvas: OffscreenCanvas, offers: Offer[]) {
    this.#screen = new Screen(canvas);
    this.#offers = offers;
  }

  /** Choose the backend on the cheapest network that the automatic choice may take. */
  async open(only: string): Promise<void> {
    this.#rungs = this.#offers.filter((offer) => offer.auto).sort((a, b) => b.macs - a.macs);
    const probe = this.#rungs.at(-1) ?? this.#offers[0];
    if (probe === undefined || only === "bilinear") {
      this.#rungs = [];
      this.#stats.backend = "bilinear";
      this.#stats.reason = probe
        ? "bilinear was asked for"
        : "the server has no networks for browsers";
      tell({ kind: "ready", trials: [] });
      return;
    }
    const file = await fetched(probe.url);
    const found = await chosen(file, only, TIMED_SIZE);
    if (Array.isArray(found)) {
      this.#rungs = [];
      this.#stats.backend = "bilinear";
      this.#stats.reason = found.map((trial) => `${trial.backend}: ${trial.reason}`).join("; ");
      tell({ kind: "ready", trials: found });
      return;
    }
    this.#backend = found.backend;
    this.#stats.backend = found.backend.name;
    this.#networks.set(probe.name, Promise.resolve(found.network));
    const positions = half(TIMED_SIZE.width) * half(TIMED_SIZE.height);
    const rate = found.milliseconds / (positions * file.macs);
    this.#ladder = new Ladder(
      this.#rungs.map((rung) => rung.macs),
      rate,
    );
    tell({ kind: "ready", trials: found.trials });
  }

  put(waiting: Waiting): void {
    if (this.#slot !== null) {
      this.#slot.frame.close();
      this.#stats.replaced += 1;
    }
    this.#slot = waiting;
    this.#work();
  }

  choose(choice: string): void {
    this.#choice = choice;
    this.#ladder.restart();
    this.#refresh = true;
    this.#work();
  }

  /** What stands still is worth a network, if it came too late for one. */
  paused(): void {
    if (this.#upscaled === null) {
      this.#refresh = true;
      this.#work();
    }
  }

  split(split: number): void {
    this.#screen.split = split;
  }

  snapshot(): void {
    const shown = this.#upscaled ?? this.#last?.picture;
    if (shown !== undefined && this.#last !== null) {
      tell({ kind: "snapshot", ...shown, mediaTime: this.#last.mediaTime });
    }
  }

  async #work(): Promise<void> {
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    try {
      while (this.#slot !== null || this.#refresh) {
        const waiting = this.#slot;
        this.#slot = null;
        this.#refresh = false;
        if (waiting !== null) {
          await this.#frame(waiting);
        } else if (this.#last !== null) {
          await this.#show(this.#last, clock(), false); // the same frame by another network
        }
        await turn(); // so that what came meanwhile is in the slot
      }
    } catch (error) {
      tell({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
    } finally {
      this.#busy = false;
    }
  }

  async #frame(waiting: Waiting): Promise<void> {
    const reason = misfit(waiting.frame);
    if (reason !== "") {
      waiting.frame.close();
      tell({ kind: "failed", reason: `${reason} is shown as it is` });
      return;
    }
    let picture: Picture;
    let colour: Colour;
    try {
      [picture, colour] = await pictureOf(waiting.frame);
    } finally {
      waiting.frame.close();
    }
    const size = `${picture.width}×${picture.height}`;
    if (size !== this.#size) {
      this.#size = size;
      this.#ladder.restart();
    }
    const follows = this.#pace.saw(waiting.mediaTime);
    const small = thumbnail(picture);
    const last = this.#last?.picture;
    const fits = follows && last?.width === picture.width && last.height === picture.height;
    const cut = this.#thumbnail === null || isCut(this.#thumbnail, small);
    this.#thumbnail = small;
    const before = fits && !cut && last !== undefined ? last : picture;
    this.#last = { picture, colour, before, mediaTime: waiting.mediaTime };
    await this.#show(this.#last, waiting.sent, waiting.playing);
  }

  /** The network for a frame, or why there is none. */
  #rungFor(positions: number, playing: boolean): [Offer | null, number, string] {
    if (this.#backend === null) {
      return [null, -1, this.#stats.reason];
    }
    if (this.#choice === "off") {
      return [null, -1, "upscaling is switched off"];
    }
    const fixed = this.#offers.find((offer) => offer.name === this.#choice);
    if (fixed !== undefined) {
      return [fixed, this.#rungs.indexOf(fixed), "chosen by the viewer"];
    }
    if (!playing && this.#rungs[0] !== undefined) {
      return [this.#rungs[0], 0, "the best: it is paused"];
    }
    const rung = this.#ladder.choose(positions, this.#pace.interval, clock());
    const offer = this.#rungs[rung] ?? null;
    return [offer, rung, offer ? "the best that keeps up" : "no network keeps up at this size"];
  }

  async #show(shown: Shown, sent: number, playing: boolean): Promise<void> {
    const { picture, colour, before } = shown;
    const positions = half(picture.width) * half(picture.height);
    const [offer, rung, why] = this.#rungFor(positions, playing);
    const interval = this.#pace.interval;
    let upscaled: Picture | null = null;
    let reason = why;
    if (offer !== null) {
      const network = await this.#network(offer);
      const expected = rung < 0 ? this.#stats.networkMs : this.#ladder.expected(rung, positions);
      const late = clock() - sent + Math.min(expected, interval) > LATE * interval;
      if (playing && late) {
        reason = "this frame came too late for the network";
      } else {
        const began = performance.now();
        upscaled = await network.run([picture, before].slice(0, network.model.frames));
        const took = performance.now() - began;
        this.#stats.networkMs +=
          (took - this.#stats.networkMs) * (this.#stats.networkMs ? SMOOTHING : 1);
        if (rung >= 0 && playing) {
          this.#ladder.took(rung, took, positions, interval, clock());
        }
      }
    }
    this.#upscaled = upscaled;
    this.#screen.show(upscaled, picture, offer?.scale ?? 2, colour);
    this.#count(shown, offer, upscaled, reason, clock() - sent, playing);
  }

  #count(
    shown: Shown,
    offer: Offer | null,
    upscaled: Picture | null,
    reason: string,
    latency: number,
    playing: boolean,
  ): void {
    const stats = this.#stats;
    stats[upscaled === null ? "bilinear" : "shown"] += 1;
    if (playing) {
      stats.latencyMs += (latency - stats.latencyMs) * (stats.latencyMs ? SMOOTHING : 1);
    }
    stats.source = this.#size;
    const answer = upscaled ?? shown.picture;
    stats.answer = `${answer.width}×${answer.height}`;
    stats.model = upscaled !== null && offer !== null ? offer.name : "bilinear";
    stats.reason = reason;
    stats.colour = `${shown.colour.name}, ${shown.colour.full ? "full" : "limited"} range`;
    stats.mediaTime = shown.mediaTime;
    tell({ kind: "drawn", mediaTime: shown.mediaTime, upscaled: upscaled !== null });
    const now = performance.now();
    if (!playing || now - this.#told > STATS_MS) {
      this.#told = now;
      tell({ kind: "stats", stats });
    }
  }

  #network(offer: Offer): Promise<Network> {
    let network = this.#networks.get(offer.name);
    if (network === undefined) {
      const backend = this.#backend as Backend;
      network = fetched(offer.url).then((model) => backend.open(model));
      this.#networks.set(offer.name, network);
    }
    return network;
  }
}

async function fetched(url: string) {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`${url}: ${response.status} ${response.statusText}`);
  }
  return readModel(await response.arrayBuffer());
}

let player: Player | null = null;

self.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
  try {
    if (data.kind === "start") {
      const made = new Player(data.canvas, data.offers);
      await made.open(data.only);
      player = made;
    } else if (data.kind === "frame") {
      player === null ? data.frame.close() : player.put(data);
    } else if (data.kind === "choice") {
      player?.choose(data.choice);
    } else if (data.kind === "paused") {
      player?.paused();
    } else if (data.kind === "split") {
      player?.split(data.split);
    } else {
      player?.snapshot();
    }
  } catch (error) {
    tell({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
  }
};
