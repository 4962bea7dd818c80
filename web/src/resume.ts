// Where the viewer left a title: kept in the browser, told to nobody.

const EVERY = 5; // seconds
const FIRST = 10; // nobody comes back for less
const LAST = 15; // before the end it counts as seen

export class Resume {
  readonly #key: string;
  #saved = 0;

  constructor(
    readonly video: HTMLVideoElement,
    title: string,
  ) {
    this.#key = `upreel:${title}`;
  }

  /** Goes to where it was left, and remembers from now on. */
  begin(told: (seconds: number) => void): void {
    const { video } = this;
    video.addEventListener(
      "loadedmetadata",
      () => {
        const seconds = Number(this.#read());
        if (seconds > FIRST && seconds < video.duration - LAST && Number.isFinite(video.duration)) {
          video.currentTime = seconds;
          told(seconds);
        }
        video.addEventListener("timeupdate", () => this.#keep(false));
        window.addEventListener("pagehide", () => this.#keep(true));
        video.addEventListener("pause", () => this.#keep(true));
      },
      { once: true },
    );
  }

  #read(): string | null {
    try {
      return localStorage.getItem(this.#key);
    } catch {
      return null; // a browser that keeps nothing
    }
  }

  #keep(now: boolean): void {
    const { currentTime, duration } = this.video;
    if (!Number.isFinite(duration) || (!now && Math.abs(currentTime - this.#saved) < EVERY)) {
      return;
    }
    this.#saved = currentTime;
    try {
      if (currentTime > FIRST && currentTime < duration - LAST) {
        localStorage.setItem(this.#key, currentTime.toFixed(1));
      } else {
        localStorage.removeItem(this.#key);
      }
    } catch {
      // likewise
    }
  }
}
