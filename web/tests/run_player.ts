// For tests and benchmarks from Python: node build/run_player.mjs CHROMIUM URL SCENARIO [ARGUMENTS]
// What happened is printed as JSON; a scenario that cannot go on throws.

import { writeFileSync } from "node:fs";
import { type Browser, chromium, type Page as Tab } from "playwright-core";
import type { Page } from "../src/player";

declare const window: { upreel?: Page } & Record<string, unknown>;

const PATIENCE = 60_000;
const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];

const [executablePath, url, scenario, ...rest] = process.argv.slice(2) as [
  string,
  string,
  string,
  ...string[],
];
const complaints: string[] = [];

async function open(browser: Browser, address = url, options = {}): Promise<Tab> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const tab = await context.newPage();
  tab.setDefaultTimeout(PATIENCE);
  tab.on("console", (message) => {
    if (message.type() === "error") {
      complaints.push(message.text());
    }
  });
  tab.on("pageerror", (error) => complaints.push(String(error)));
  await tab.goto(address);
  return tab;
}

/** Waits until the player is ready, and starts it. */
async function play(tab: Tab): Promise<void> {
  await tab.waitForSelector(".player[data-ready]");
  await tab.evaluate(async () => {
    const { video } = window.upreel as Page;
    video.muted = true;
    await video.play();
  });
}

/** Waits until so many frames more were drawn. */
async function drawn(tab: Tab, count: number): Promise<void> {
  await tab.evaluate(
    ([more, patience]) =>
      new Promise<void>((resolve, reject) => {
        const { drawn } = window.upreel as Page;
        const seen = () => (drawn.at(-1)?.at ?? 0) + drawn.length;
        let [last, left] = [seen(), more];
        const timer = setTimeout(
          () => reject(new Error(`${left} frames were not drawn`)),
          patience,
        );
        const look = () => {
          if (seen() !== last) {
            last = seen();
            left -= 1;
          }
          if (left <= 0) {
            clearTimeout(timer);
            resolve();
          } else {
            requestAnimationFrame(look);
          }
        };
        look();
      }),
    [count, PATIENCE] as const,
  );
}

/** Pauses at a time and waits until its frame is drawn by the network. */
async function at(tab: Tab, seconds: number, upscaled = true): Promise<void> {
  await tab.evaluate(
    async ([time]) => {
      const { video } = window.upreel as Page;
      video.pause();
      const sought = new Promise((resolve) =>
        video.addEventListener("seeked", resolve, { once: true }),
      );
      video.currentTime = time;
      await sought;
    },
    [seconds] as const,
  );
  await tab.waitForFunction(
    ([time, wanted]) => {
      const last = (window.upreel as Page).drawn.at(-1);
      return last && Math.abs(last.mediaTime - time) < 0.06 && last.upscaled === wanted;
    },
    [seconds, upscaled] as const,
  );
}

const state = (tab: Tab) =>
  tab.evaluate(() => {
    const { stats, trials, video, drawn } = window.upreel as Page;
    const quality = video.getVideoPlaybackQuality();
    return {
      stats,
      trials,
      time: video.currentTime,
      paused: video.paused,
      size: [video.videoWidth, video.videoHeight],
      decoded: quality.totalVideoFrames,
      dropped: quality.droppedVideoFrames,
      drawn: drawn.length,
      upscaled: drawn.filter((frame) => frame.upscaled).length,
      message: document.querySelector("#message")?.textContent,
      plain: document.querySelector<HTMLElement>(".player")?.dataset.plain ?? null,
    };
  });

/** The planes that are shown, to a file; returns their size and time. */
async function planes(tab: Tab, file: string) {
  const { data, ...taken } = await tab.evaluate(async () => {
    const shown = await (window.upreel as Page).snapshot();
    return { ...shown, data: Array.from(shown.data) };
  });
  writeFileSync(file, Uint8Array.from(data));
  return taken;
}

const SCENARIOS: Record<string, (browser: Browser) => Promise<unknown>> = {
  /** Plays, pauses, seeks; the planes of a frame go to a file. */
  async plays(browser) {
    const tab = await open(browser);
    await play(tab);
    await drawn(tab, 20);
    const playing = await state(tab);
    await tab.keyboard.press("k");
    await tab.waitForFunction(() => (window.upreel as Page).video.paused);
    const pausedAt = (await state(tab)).time;
    await at(tab, 2);
    const shown = await planes(tab, rest[0] as string);
    await tab.locator(".stage").screenshot({ path: rest[1] as string });
    return { playing, pausedAt, shown, after: await state(tab) };
  },
};

const browser = await chromium.launch({
  executablePath,
  headless: true,
  args: scenario === "webgpu" ? [...FLAGS, "--enable-unsafe-webgpu"] : [...FLAGS, "--disable-gpu"],
});
try {
  const run = SCENARIOS[scenario];
  if (run === undefined) {
    throw new Error(`no scenario ${scenario}`);
  }
  const result = await run(browser);
  process.stdout.write(JSON.stringify({ result, complaints }));
} finally {
  await browser.close();
}
