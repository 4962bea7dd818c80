// Which network keeps up: a controller over milliseconds that were measured.

/** Share of the time between two frames above which a network is too slow, below which one fits. */
const TOO_SLOW = 0.9;
const FITS = 0.65;
const SLOW_FRAMES = 5;
const FIRST_HOLD = 3000; // ms without a step up after a step down
const LONGEST_HOLD = 60_000;
const SMOOTHING = 0.2;

/** Rungs are networks by falling cost; behind the last one comes the bilinear picture (-1). */
export class Ladder {
  readonly #costs: readonly number[];
  /** Milliseconds of a cost of 1, smoothed, of every rung. */
  readonly #rates: number[];
  #rung = 0;
  #slow = 0;
  #hold = 0;
  #holdLength = FIRST_HOLD;
  #began = false;

  /** `rate` is what a cost of 1 took in the self-test. */
  constructor(costs: readonly number[], rate: number) {
    this.#costs = costs;
    this.#rates = costs.map(() => rate);
    this.#rung = costs.length > 0 ? 0 : -1;
  }

  get rung(): number {
    return this.#rung;
  }

  /** Milliseconds that a rung takes for so many positions. */
  expected(rung: number, positions: number): number {
    return (this.#rates[rung] ?? 0) * (this.#costs[rung] ?? 0) * positions;
  }

  /** The rung for the next frame: -1 for bilinear. */
  choose(positions: number, interval: number, now: number): number {
    const last = this.#costs.length - 1;
    if (!this.#began && last >= 0) {
      this.#began = true;
      this.#rung = this.#costs.findIndex((_, k) => this.expected(k, positions) < FITS * interval);
      if (this.#rung < 0) {
        this.#rung = last; // the self-test may have been unlucky: the first frames tell
      }
    }
    if (now < this.#hold || last < 0) {
      return this.#rung;
    }
    if (this.#rung === -1) {
      this.#rung = last; // tried again
      this.#slow = SLOW_FRAMES - 2;
    } else if (this.#rung > 0 && this.expected(this.#rung - 1, positions) < FITS * interval) {
      this.#rung -= 1;
      this.#slow = 0;
    }
    return this.#rung;
  }

  /** What a rung took. */
  took(rung: number, milliseconds: number, positions: number, interval: number, now: number): void {
    const cost = (this.#costs[rung] ?? 0) * positions;
    const known = this.#rates[rung];
    if (cost > 0 && known !== undefined) {
      // A machine that is busy is so for every network: all rates move alike.
      const change = 1 + SMOOTHING * (milliseconds / cost / known - 1);
      this.#rates.forEach((rate, k) => {
        this.#rates[k] = rate * change;
      });
    }
    if (rung !== this.#rung) {
      return;
    }
    if (milliseconds <= TOO_SLOW * interval) {
      this.#slow = Math.max(0, this.#slow - 1);
      if (this.#slow === 0 && now > this.#hold + LONGEST_HOLD) {
        this.#holdLength = FIRST_HOLD;
      }
      return;
    }
    this.#slow += 1;
    if (this.#slow >= SLOW_FRAMES) {
      this.#slow = 0;
      this.#rung = this.#rung + 1 < this.#costs.length ? this.#rung + 1 : -1;
      this.#hold = now + this.#holdLength;
      this.#holdLength = Math.min(2 * this.#holdLength, LONGEST_HOLD);
    }
  }

  /** Another size or rate of frames: begin anew. */
  restart(): void {
    this.#began = false;
    this.#slow = 0;
    this.#hold = 0;
    this.#holdLength = FIRST_HOLD;
  }
}

/** Time between frames: the median of what media times differed by, in milliseconds. */
export class Pace {
  #last = Number.NaN;
  readonly #steps: number[] = [];

  constructor(readonly fallback = 40) {}

  /** Whether this frame follows the last one at the usual distance. */
  saw(mediaTime: number): boolean {
    const step = (mediaTime - this.#last) * 1000;
    this.#last = mediaTime;
    const follows = step > 0 && step < 250;
    if (follows) {
      this.#steps.push(step);
      if (this.#steps.length > 15) {
        this.#steps.shift();
      }
    }
    return follows;
  }

  get interval(): number {
    if (this.#steps.length === 0) {
      return this.fallback;
    }
    const sorted = [...this.#steps].sort((a, b) => a - b);
    return sorted[sorted.length >> 1] as number;
  }
}
