// Pure parts of the player.

import { describe, expect, test, vi } from "vitest";
import { largestDifference } from "../src/compare";
import { isCut, thumbnail } from "../src/cuts";
import { packedWeights } from "../src/kernel";
import { bound, type Keys } from "../src/keys";
import { Ladder, Pace } from "../src/ladder";
import { type Layer, type Model, pictureBytes, readModel } from "../src/model";
import { colourOf, fromNv12, fromRgba } from "../src/picture";
import { convolution, finishing, packing } from "../src/shaders";
import { GpuNetwork, halves } from "../src/webgpu";

const POSITIONS = 14_400;
const COSTS = [96_000, 46_000, 14_000];

/** Plays frames of a machine on which a cost of 1 takes `rate`; returns the rungs it was on. */
function plays(ladder: Ladder, rate: number, frames: number, start = 0): number[] {
  return Array.from({ length: frames }, (_, k) => {
    const now = start + 40 * k;
    const rung = ladder.choose(POSITIONS, 40, now);
    const cost = COSTS[rung];
    if (cost !== undefined) {
      ladder.took(rung, cost * POSITIONS * rate, POSITIONS, 40, now);
    }
    return rung;
  });
}

const rateFor = (milliseconds: number, rung: number) =>
  milliseconds / (POSITIONS * (COSTS[rung] as number));

describe("the ladder", () => {
  test("begins with the best that fits by the self-test", () => {
    expect(new Ladder(COSTS, rateFor(20, 0)).choose(POSITIONS, 40, 0)).toBe(0);
    expect(new Ladder(COSTS, rateFor(20, 1)).choose(POSITIONS, 40, 0)).toBe(1);
    expect(new Ladder(COSTS, rateFor(20, 2)).choose(POSITIONS, 40, 0)).toBe(2);
  });

  test("steps down within ten frames when the machine is busy, and up again afterwards", () => {
    const ladder = new Ladder(COSTS, rateFor(20, 0));
    expect(plays(ladder, rateFor(20, 0), 5)).toEqual([0, 0, 0, 0, 0]);
    const busy = plays(ladder, rateFor(60, 0), 10, 200);
    expect(busy.at(-1)).toBe(1);
    const free = plays(ladder, rateFor(20, 0), 400, 600);
    expect(free.at(-1)).toBe(0);
    expect(free.filter((rung, k) => k > 0 && rung !== free[k - 1]).length).toBe(1);
  });

  test("shows the bilinear picture where nothing keeps up, and tries again ever more rarely", () => {
    const ladder = new Ladder(COSTS, rateFor(20, 2));
    const rungs = plays(ladder, rateFor(90, 2), 3000);
    expect(rungs.slice(10, 60).every((rung) => rung === -1)).toBe(true);
    const tried = rungs.filter((rung) => rung >= 0).length;
    expect(tried).toBeGreaterThan(5);
    expect(tried).toBeLessThan(40);
  });

  test("has no rung without networks", () => {
    expect(new Ladder([], 1).choose(POSITIONS, 40, 0)).toBe(-1);
  });
});

test("pace is the median step, and gaps do not follow", () => {
  const pace = new Pace();
  expect([0, 0.04, 0.08, 0.16, 0.2, 0.24].map((time) => pace.saw(time))).toEqual([
    false,
    true,
    true,
    true,
    true,
    true,
  ]);
  expect(pace.interval).toBeCloseTo(40);
  expect(pace.saw(5)).toBe(false);
  expect(pace.saw(4)).toBe(false);
});

describe("cuts", () => {
  const drawn = (value: (x: number, y: number) => number) => {
    const [width, height] = [64, 48];
    const data = new Uint8Array(pictureBytes(width, height));
    for (let k = 0; k < width * height; k++) {
      data[k] = value(k % width, Math.floor(k / width));
    }
    return thumbnail({ width, height, data });
  };

  test("are found between scenes, and not in motion or a flash", () => {
    const one = drawn((x, y) => 128 + 100 * Math.sin(x / 9 + y / 20));
    const moved = drawn((x, y) => 128 + 100 * Math.sin((x + 1) / 9 + y / 20));
    const brighter = drawn((x, y) => 158 + 80 * Math.sin(x / 9 + y / 20));
    const other = drawn((x, y) => 128 - 100 * Math.cos(x / 4 - y / 7));
    expect([moved, brighter, other].map((next) => isCut(one, next))).toEqual([false, false, true]);
  });
});

describe("pictures", () => {
  test("of NV12 have their planes apart", () => {
    expect([...fromNv12(Uint8Array.of(1, 2, 3, 4, 5, 6), 2, 2)]).toEqual([1, 2, 3, 4, 5, 6]);
    const both = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 10, 20, 30, 40);
    expect([...fromNv12(both, 4, 2)].slice(8)).toEqual([10, 30, 20, 40]);
  });

  test("of RGBA keep grey grey and put chroma left", () => {
    const grey = new Uint8Array(4 * 4 * 2).fill(77);
    expect([...fromRgba(grey, 4, 2)]).toEqual([...Array(8).fill(77), 128, 128, 128, 128]);
    const red = Uint8Array.from([...[255, 0, 0, 255], ...[0, 0, 0, 255]]);
    const [, , , cr] = fromRgba(red, 2, 1);
    expect(cr).toBe(Math.round(128 + (0.75 * 255 * (1 - 0.2126)) / (2 * (1 - 0.2126))));
  });

  test("say what their numbers mean", () => {
    expect(colourOf({ matrix: "smpte170m", fullRange: true }, 1080)).toMatchObject({
      kr: 0.299,
      full: true,
    });
    expect(colourOf({}, 1080).kr).toBe(0.2126);
    expect(colourOf({}, 240).name).toBe("smpte170m (not stated)");
  });

  test("of two sizes are infinitely apart", () => {
    const one = { width: 1, height: 1, data: Uint8Array.of(1, 2, 3) };
    expect(largestDifference(one, { ...one, data: Uint8Array.of(1, 9, 3) })).toBe(7);
    expect(largestDifference(one, { ...one, width: 2 })).toBe(Number.POSITIVE_INFINITY);
  });
});

test("weights are packed in quads of outputs and groups of inputs", () => {
  const weight = Int8Array.from({ length: 4 * 9 * 4 }, (_, k) => k % 127);
  const packed = packedWeights(weight, 4, 4, 2, 4, 4);
  const at = (o: number, tap: number, i: number) => weight[(o * 9 + tap) * 4 + i] as number;
  expect([...packed.subarray(0, 8)]).toEqual(
    [0, 1, 2, 3].flatMap((o) => [at(o, 0, 0), at(o, 0, 1)]),
  );
  expect(packed[16 + 8 + 3 * 2 + 1]).toBe(at(3, 1, 3));
});

test("numbers of 16 bits are rounded to the nearest", () => {
  const values = Float32Array.of(0, 1, -2, 0.1, 65504, 1e9, 2 ** -24, 1e-9);
  expect([...halves(values)].map((each) => each.toString(16))).toEqual([
    ...["0", "3c00", "c000", "2e66", "7bff", "7bff", "1", "0"],
  ]);
});

/** A device that keeps what it is given: SwiftShader has no numbers of 16 bits. */
function recorder(features: string[]) {
  const written: ArrayBufferView[] = [];
  const codes: string[] = [];
  const buffer = ({ size }: { size: number }) => ({
    size,
    destroy: () => undefined,
    mapAsync: async () => undefined,
    getMappedRange: () => new ArrayBuffer(size),
    unmap: () => undefined,
  });
  const pass = {
    setPipeline: () => undefined,
    setBindGroup: () => undefined,
    dispatchWorkgroups: () => undefined,
    end: () => undefined,
  };
  const device = {
    features: new Set(features),
    createBuffer: buffer,
    queue: {
      writeBuffer: (_: unknown, __: number, data: ArrayBufferView) => written.push(data),
      submit: () => undefined,
    },
    createShaderModule: ({ code }: { code: string }) => {
      codes.push(code);
      return { getCompilationInfo: async () => ({ messages: [] }) };
    },
    createComputePipelineAsync: async () => ({ getBindGroupLayout: () => null }),
    createBindGroup: () => null,
    createCommandEncoder: () => ({
      beginComputePass: () => pass,
      copyBufferToBuffer: () => undefined,
      finish: () => null,
    }),
  };
  return { device: device as unknown as GPUDevice, written, codes };
}

describe("WebGPU", () => {
  const layer = (inputs: number, outputs: number): Layer => ({
    ...{ inputs, outputs, least: 0, most: 127, carry: 0 },
    weight: Int8Array.from({ length: outputs * 9 * inputs }, (_, k) => (k % 17) - 8),
    bias: new Int32Array(outputs),
    factor: new Float32Array(outputs).fill(1 / 64),
  });
  const model = {
    ...{ name: "tiny", scale: 2, frames: 1, radius: 2, macs: 0 },
    layers: [layer(8, 4), layer(4, 24)],
    interpolation: new Int16Array(24 * 54),
  } as unknown as Model;
  const picture = { width: 4, height: 4, data: new Uint8Array(pictureBytes(4, 4)) };

  test.each([
    ["f16", ["shader-f16"], Uint16Array],
    ["f32", [], Float32Array],
  ] as const)("computes in %s where the device has %j", async (type, features, stored) => {
    vi.stubGlobal("GPUBufferUsage", { STORAGE: 1, COPY_DST: 2, COPY_SRC: 4, MAP_READ: 8 });
    vi.stubGlobal("GPUMapMode", { READ: 1 });
    const { device, written, codes } = recorder([...features]);
    const network = new GpuNetwork(device, model);
    expect(network.type).toBe(type);

    const [weights, biases] = written as [Uint16Array | Float32Array, Float32Array];
    expect(weights).toBeInstanceOf(stored);
    expect(biases).toBeInstanceOf(Float32Array); // sums are of 32 bits in both
    const values = Float32Array.of(-8 / 64, -7 / 64);
    const expected = type === "f16" ? halves(values) : values;
    expect([weights[0], weights[4]]).toEqual([...expected]); // of inputs 0 and 1 for answer 0

    await network.run([picture]);
    expect(codes).toHaveLength(3);
    for (const code of codes) {
      expect(code.startsWith("enable f16;")).toBe(type === "f16");
      expect(code.includes("f16>")).toBe(type === "f16");
    }
  });

  test("keeps sums and pictures in f32, whatever lies in memory", () => {
    const shape = { inputs: 2, outputs: 1, relu: true, stream: true, carry: 0.5 };
    for (const write of [
      (type: string) => convolution({ ...shape, type }),
      (type: string) => packing(2, 3, 4, type),
      (type: string) => finishing(2, 6, type),
    ]) {
      const [short, long] = [write("f16"), write("f32")];
      expect(short.replace("enable f16;\n", "").replaceAll("f16", "f32")).toBe(long);
      expect(short).not.toMatch(/var sum[^;]*f16/);
    }
  });
});

test("what is no network is refused", () => {
  expect(() => readModel(new ArrayBuffer(4))).toThrow("no network");
  const other = new ArrayBuffer(32);
  new DataView(other).setUint32(0, 0x57525055, true);
  new DataView(other).setUint32(4, 9, true);
  expect(() => readModel(other)).toThrow("version 9");
});

test("keys act where no control wants them", () => {
  const keys = new Proxy({} as Keys, { get: (_, name) => (by?: number) => [name, by] });
  const press = (key: string, more = {}) =>
    bound(
      { key, target: null, ctrlKey: false, altKey: false, metaKey: false, ...more } as never,
      keys,
    );
  Object.assign(globalThis, { Element: class {} });
  expect(press("ArrowLeft")?.()).toEqual(["seek", -5]);
  expect(press(" ")?.()).toEqual(["toggle", undefined]);
  expect(press("f", { ctrlKey: true })).toBeNull();
  expect(press("q")).toBeNull();
});
