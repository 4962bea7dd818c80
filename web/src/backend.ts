// Which way of computing is taken: what passes the self-test, and of that the fastest.

import { largestDifference } from "./compare";
import { KernelNetwork } from "./kernel";
import type { Trial } from "./messages";
import type { Model, Picture } from "./model";
import { GpuNetwork, openDevice } from "./webgpu";

/** A network that is ready to run. */
export interface Network {
  readonly model: Model;
  run(frames: readonly Picture[]): Promise<Picture>;
}

export interface Backend {
  readonly name: string;
  /** Whether it rounds as the file says, to the last bit; else it comes near the ideal. */
  readonly exact: boolean;
  open(model: Model): Promise<Network>;
}

const REPEATS = 5;
const LONGEST = 600; // ms that timing may take
const GPU_TOLERANCE = 8; // of the ideal: its weights are rounded, and f16 rounds activations

async function kernelBackend(name: string, url: string): Promise<Backend> {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`${url}: ${response.status}`);
  }
  const module = await WebAssembly.compile(await response.arrayBuffer());
  return {
    name,
    exact: true,
    open: async (model) => {
      const network = new KernelNetwork(module, model);
      return { model, run: async (frames) => network.run(frames) };
    },
  };
}

async function gpuBackend(): Promise<Backend> {
  const device = await openDevice();
  return {
    name: `WebGPU ${device.features.has("shader-f16") ? "f16" : "f32"}`,
    exact: false,
    open: async (model) => new GpuNetwork(device, model),
  };
}

const OPENERS: [string, () => Promise<Backend>][] = [
  ["WebGPU", gpuBackend],
  ["WASM int8", () => kernelBackend("WASM int8", new URL("kernel8.wasm", self.location.href).href)],
  [
    "WASM int16",
    () => kernelBackend("WASM int16", new URL("kernel16.wasm", self.location.href).href),
  ],
];

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Milliseconds of a self-test; throws where its answer is wrong. */
export async function tested(network: Network, exact: boolean): Promise<number> {
  const { seen, answer, ideal } = network.model.test;
  let best = Number.POSITIVE_INFINITY;
  for (let k = 0; k < REPEATS; k++) {
    const began = performance.now();
    const got = await network.run(seen);
    best = Math.min(best, performance.now() - began);
    const apart = largestDifference(got, exact ? answer : ideal);
    if (apart > (exact ? 0 : GPU_TOLERANCE)) {
      throw new Error(`its self-test is ${apart} levels off`);
    }
  }
  return best;
}

/**
 * The fastest backend that answers the model's self-test rightly, and what came of all.
 *
 * @param only - name of a backend that is taken without the others, "" for none.
 * @param size - of the frame that they are timed on.
 */
export async function chosen(
  model: Model,
  only: string,
  size: { width: number; height: number },
): Promise<
  { backend: Backend; network: Network; milliseconds: number; trials: Trial[] } | Trial[]
> {
  const trials: Trial[] = [];
  let best: { backend: Backend; network: Network; milliseconds: number } | null = null;
  const sample = { ...size, data: new Uint8Array((size.width * size.height * 3) / 2).fill(90) };
  for (const [name, open] of OPENERS) {
    if (only !== "" && !name.startsWith(only)) {
      trials.push({ backend: name, milliseconds: null, reason: "not asked for" });
      continue;
    }
    try {
      const backend = await open();
      const network = await backend.open(model);
      await tested(network, backend.exact);
      const milliseconds = await timed(network, sample);
      await tested(network, backend.exact); // engines compile what is hot once more
      trials.push({ backend: backend.name, milliseconds, reason: "" });
      if (best === null || milliseconds < best.milliseconds) {
        best = { backend, network, milliseconds };
      }
    } catch (error) {
      trials.push({ backend: name, milliseconds: null, reason: messageOf(error) });
    }
  }
  if (best === null) {
    return trials;
  }
  const { backend } = best;
  const told = trials.map((trial) =>
    trial.milliseconds !== null && trial.backend !== backend.name
      ? { ...trial, reason: "slower" }
      : trial,
  );
  return { ...best, trials: told };
}

async function timed(network: Network, sample: Picture): Promise<number> {
  const frames = Array.from({ length: network.model.frames }, () => sample);
  let best = Number.POSITIVE_INFINITY;
  const start = performance.now();
  for (let k = 0; k <= REPEATS && (k < 1 || performance.now() - start < LONGEST); k++) {
    const began = performance.now();
    await network.run(frames);
    best = Math.min(best, performance.now() - began);
  }
  return best;
}
