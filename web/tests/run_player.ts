// For tests and benchmarks from Python: node build/run_player.mjs CHROMIUM URL SCENARIO [ARGUMENTS]
// What happened is printed as JSON; a scenario that cannot go on throws.

import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Browser, chromium, type Page as Tab } from "playwright-core";
import type { Page } from "../src/player";

declare const window: { upreel?: Page } & Record<string, unknown>;

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

const PATIENCE = 60_000;
const STOPPED = 700; // ms that a page has no turn
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
  const shown = tab.waitForFunction(
    ([time, wanted]) => {
      const last = (window.upreel as Page).drawn.at(-1);
      return last && Math.abs(last.mediaTime - time) < 0.06 && last.upscaled === wanted;
    },
    [seconds, upscaled] as const,
  );
  await shown.catch(async (error: Error) => {
    const seen = await tab.evaluate(() => {
      const { drawn, stats, video } = window.upreel as Page;
      return JSON.stringify([drawn.slice(-3), stats, video.currentTime]);
    });
    throw new Error(`${seconds} s, upscaled: ${upscaled}, is not what was drawn: ${seen}`, {
      cause: error,
    });
  });
}

/**
 * Does something that changes the picture and waits until the screen shows it, which is later than
 * the worker has drawn it.
 *
 * @param part of the stage's width that changes.
 */
async function changing(tab: Tab, part: [number, number], act: () => Promise<void>): Promise<void> {
  const stage = (await tab.locator(".stage").boundingBox()) as Box;
  const clip = {
    x: Math.round(stage.x + part[0] * stage.width),
    y: Math.round(stage.y + stage.height / 4), // beside labels and handle
    width: Math.round((part[1] - part[0]) * stage.width),
    height: Math.round(stage.height / 4 - 40),
  };
  const before = await tab.screenshot({ clip });
  await act();
  const end = performance.now() + PATIENCE;
  while (before.equals(await tab.screenshot({ clip }))) {
    if (performance.now() > end) {
      throw new Error(`the picture stays as it is from ${part[0]} to ${part[1]} of its width`);
    }
  }
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

  /** The slider in the middle, by keys and by pointer; then all sizes and colours for people. */
  async looks(browser) {
    const [folder] = rest as [string];
    const tab = await open(browser);
    await play(tab);
    await at(tab, 2);
    await tab.locator(".stage").screenshot({ path: `${folder}/whole.png` });
    await changing(tab, [0.55, 0.95], () => tab.keyboard.press("x"));
    await tab.locator(".stage").screenshot({ path: `${folder}/half.png` });
    const split = tab.getByRole("slider", { name: /Compare/ });
    const box = (await split.boundingBox()) as Box;
    await changing(tab, [0.3, 0.45], () =>
      tab.mouse.click(box.x + box.width * 0.25, box.y + box.height / 2),
    );
    await tab.locator(".stage").screenshot({ path: `${folder}/quarter.png` });
    await tab.keyboard.press("i");
    await tab.emulateMedia({ colorScheme: "light" });
    await tab.screenshot({ path: `${folder}/desktop-light.png` });
    await tab.emulateMedia({ colorScheme: "dark" });
    await tab.screenshot({ path: `${folder}/desktop-dark.png` });
    const names = await tab
      .locator(".player")
      .locator("button, input, select")
      .evaluateAll((all) =>
        all.map((each) => {
          const label = each.closest("label");
          return each.getAttribute("aria-label") ?? label?.querySelector("span")?.textContent ?? "";
        }),
      );
    const phone = await open(browser, url, {
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
      deviceScaleFactor: 2,
      colorScheme: "dark",
    });
    await phone.waitForSelector(".player[data-ready]");
    await phone.getByRole("button", { name: /Play/ }).tap();
    await drawn(phone, 3);
    await phone.getByRole("button", { name: /Compare/ }).tap();
    await at(phone, 2);
    await phone.screenshot({ path: `${folder}/phone.png` });
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
    return { names, wide };
  },

  /** Another version and other networks in the middle. */
  async switches(browser) {
    const tab = await open(browser);
    await play(tab);
    await drawn(tab, 5);
    const found: unknown[] = [];
    const versions = tab.getByLabel("Stream");
    for (const option of await versions.locator("option").all()) {
      const value = (await option.getAttribute("value")) as string;
      if (value === "-1") {
        continue;
      }
      const height = Number.parseInt((await option.textContent()) as string, 10);
      await versions.selectOption(value);
      await tab.waitForFunction(
        ([rows]) => {
          const { video, stats } = window.upreel as Page;
          if (video.ended || video.paused) {
            video.currentTime = 0;
            video.play();
          }
          return video.videoHeight === rows && stats?.source.endsWith(`×${rows}`);
        },
        [height] as const,
      );
      await drawn(tab, 3);
      found.push((await state(tab)).stats);
    }
    await at(tab, 1);
    for (const [name, shown] of rest.map((pair) => pair.split("=")) as [string, string][]) {
      await tab.getByLabel("Upscaling", { exact: true }).selectOption(name);
      await tab.waitForFunction(([models]) => models.includes(window.upreel?.stats?.model ?? "?"), [
        shown.split("|"),
      ] as const);
      found.push((await state(tab)).stats);
    }
    return found;
  },

  /** The page stopped and back; the network cut before the next segment and back. */
  async survives(browser) {
    const tab = await open(browser);
    await play(tab);
    await tab.evaluate(() => {
      (window.upreel as Page).video.loop = true;
    });
    await drawn(tab, 5);
    // Tabs of a headless browser are never hidden. What a hidden one lacks is its turn: the page
    // is stopped while the video plays on.
    const session = await tab.context().newCDPSession(tab);
    await session.send("Debugger.enable");
    const stopped = new Promise((resolve) => session.once("Debugger.paused", resolve));
    await session.send("Debugger.pause");
    await stopped;
    await sleep(STOPPED);
    await session.send("Debugger.disable");
    await drawn(tab, 5);
    const back = await state(tab);
    const gap = await tab.evaluate(() => {
      const times = (window.upreel as Page).drawn.map((frame) => frame.mediaTime);
      return Math.max(...times.slice(1).map((time, k) => Math.abs(time - (times[k] as number))));
    });

    const segments = "**/*.m4s";
    const cut = await open(browser, rest[0] as string);
    await cut.waitForSelector(".player[data-ready]");
    await cut.waitForFunction(() => (window.upreel as Page).video.buffered.length > 0);
    await cut.route(segments, (route) => route.abort("internetdisconnected"));
    const target = await cut.evaluate(() => {
      const { video } = window.upreel as Page;
      video.currentTime = video.duration - 1; // of which nothing is there yet
      return video.duration - 1;
    });
    await cut.waitForFunction(() =>
      document.querySelector("#message")?.textContent?.includes("lost"),
    );
    const lost = await state(cut);
    await cut.unroute(segments);
    await cut.waitForFunction(
      ([time]) => {
        const last = (window.upreel as Page).drawn.at(-1);
        return last && Math.abs(last.mediaTime - time) < 0.1;
      },
      [target] as const,
    );
    return { gap, back, lost, target, again: await state(cut) };
  },

  /** A page without a turn for its pictures, as a hidden tab is; then it is seen again. */
  async hides(browser) {
    // Tabs of a headless browser are never hidden, minimised or not: what browsers withhold from
    // hidden ones is withheld here. Sound, timers and the worker go on.
    const tab = await browser.newPage();
    await tab.addInitScript(() => {
      const held: (() => void)[] = [];
      const hold = (of: object, name: string) => {
        const target = of as Record<string, (callback: (...told: unknown[]) => void) => number>;
        const original = target[name] as (callback: (...told: unknown[]) => void) => number;
        target[name] = function (this: unknown, callback) {
          return original.call(this, (...told: unknown[]) =>
            window.withheld ? held.push(() => callback(...told)) : callback(...told),
          );
        };
      };
      hold(HTMLVideoElement.prototype, "requestVideoFrameCallback");
      hold(window, "requestAnimationFrame");
      Object.assign(window, {
        release: () => {
          window.withheld = false;
          for (const callback of held.splice(0)) {
            callback();
          }
        },
      });
    });
    tab.setDefaultTimeout(PATIENCE);
    tab.on("pageerror", (error) => complaints.push(String(error)));
    await tab.goto(url);
    await play(tab);
    await tab.evaluate(() => {
      (window.upreel as Page).video.loop = true;
    });
    await drawn(tab, 5);
    await tab.evaluate(() => {
      window.withheld = true;
    });
    await sleep(STOPPED); // what was under way is drawn
    const hidden = await state(tab);
    await sleep(STOPPED);
    const still = await state(tab);
    await tab.evaluate(() => (window as unknown as { release: () => void }).release());
    await drawn(tab, 5);
    const back = await state(tab);
    const late = await tab.evaluate(() => {
      const { drawn, video } = window.upreel as Page;
      const span = video.duration;
      const apart = Math.abs(video.currentTime - (drawn.at(-1)?.mediaTime ?? 0));
      return Math.min(apart, span - apart);
    });
    return { hidden, still, back, late };
  },

  /** All of the screen by the key and back by it; by the button, and back by the browser. */
  async fills(browser) {
    const tab = await open(browser);
    await play(tab);
    await tab.evaluate(() => {
      (window.upreel as Page).video.loop = true;
    });
    await drawn(tab, 3);
    const look = async (full: boolean) => {
      await tab.waitForFunction(([is]) => !!document.fullscreenElement === is, [full] as const);
      await drawn(tab, 3);
      return tab.evaluate(() => {
        const canvas = document.querySelector(".stage canvas") as HTMLElement;
        const { width, height } = canvas.getBoundingClientRect();
        const box = document.fullscreenElement;
        return {
          canvas: [width, height],
          screen: [window.innerWidth, window.innerHeight],
          hasControls: box?.querySelector("button") != null,
        };
      });
    };
    const before = await look(false);
    await tab.keyboard.press("f");
    const byKey = await look(true);
    await tab.keyboard.press("f");
    const after = await look(false);
    await tab.getByRole("button", { name: /Full screen/ }).click();
    const byButton = await look(true);
    await tab.evaluate(() => document.exitFullscreen());
    return { before, byKey, after, byButton, left: await look(false), state: await state(tab) };
  },

  /** Captions by the menu and by the key, above the canvas; the place where a title was left. */
  async reads(browser) {
    const tab = await open(browser);
    await play(tab);
    await drawn(tab, 3);
    await tab.getByLabel("Captions").selectOption("0");
    await at(tab, Number(rest[0]));
    const words = tab.locator(".captions p");
    await words.first().waitFor();
    const shown = await words.allTextContents();
    await tab.keyboard.press("Escape");
    await tab.locator(".stage").click({ position: { x: 5, y: 5 } });
    await tab.keyboard.press("c");
    await words.first().waitFor({ state: "detached" });
    await at(tab, 20);
    await tab.reload();
    await tab.waitForFunction(() => (window.upreel?.video.currentTime ?? 0) > 15);
    return { shown, state: await state(tab) };
  },

  /** The library, where a title cannot be read. */
  async library(browser) {
    const tab = await open(browser, new URL("/", url).href);
    await tab.locator(".card.broken").waitFor();
    const broken = await tab.locator(".card.broken").allTextContents();
    const pictures = await tab
      .locator("img.picture")
      .evaluateAll((all) => all.map((each) => (each as HTMLImageElement).alt));
    return { broken, pictures };
  },

  /** Without upscaling: bilinear asked for. */
  async bilinear(browser) {
    const tab = await open(browser, `${url}?backend=bilinear`);
    await play(tab);
    await drawn(tab, 5);
    await at(tab, 2, false);
    return { state: await state(tab), shown: await planes(tab, rest[0] as string) };
  },

  /** The graphics processor, or what stands in for it: the planes of a frame go to a file. */
  async webgpu(browser) {
    const tab = await open(browser, `${url}?backend=WebGPU`);
    await tab.waitForSelector(".player[data-ready]");
    const { trials } = await state(tab);
    if (trials.every((trial) => trial.milliseconds === null)) {
      return { trials, shown: null };
    }
    await tab.waitForFunction(() => (window.upreel as Page).video.readyState >= 2);
    await at(tab, 0.2);
    const shown = await planes(tab, rest[0] as string);
    return { trials, shown, stats: (await state(tab)).stats };
  },

  /** Plays for some seconds, then says how many frames came and went. */
  async measures(browser) {
    const seconds = Number(rest[0]);
    const tab = await open(browser);
    await play(tab);
    await drawn(tab, 10); // engines compile what is hot
    const began = await state(tab);
    await tab.evaluate(
      ([span]) => {
        const { video } = window.upreel as Page;
        video.loop = true;
        const until = performance.now() + 1000 * span;
        return new Promise<void>((resolve) => {
          const look = () => (performance.now() < until ? requestAnimationFrame(look) : resolve());
          look();
        });
      },
      [seconds] as const,
    );
    const entries = await tab.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .map((entry) => entry as PerformanceResourceTiming)
        .map(({ name, transferSize, decodedBodySize }) => ({
          name,
          transferSize,
          decodedBodySize,
        })),
    );
    return { began, ended: await state(tab), entries };
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
