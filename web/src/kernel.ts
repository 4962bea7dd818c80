// The network in WebAssembly: lays a model out in the kernel's memory and runs its layers.

import { half, type Layer, type Model, type Picture, pictureBytes } from "./model";

/** What `kernel/kernel.c` exports. */
interface Exports {
  memory: WebAssembly.Memory;
  heap(): number;
  group(): number;
  pack(
    luma: number,
    cb: number,
    cr: number,
    lumaStride: number,
    chromaStride: number,
    width: number,
    height: number,
    slot: number,
    margin: number,
    channels: number,
    seen: number,
    picture: number,
  ): void;
  convolve(
    seen: number,
    inputs: number,
    width: number,
    height: number,
    weights: number,
    biases: number,
    factors: number,
    outputs: number,
    least: number,
    most: number,
    stream: number,
    streamOffset: number,
    carry: number,
    answer: number,
  ): void;
  finish(
    seen: number,
    inputs: number,
    width: number,
    height: number,
    weights: number,
    biases: number,
    factors: number,
    outputs: number,
    picture: number,
    pitch: number,
    kernel: number,
    answer: number,
  ): void;
  unpack(
    answer: number,
    outputs: number,
    scale: number,
    width: number,
    height: number,
    luma: number,
    cb: number,
    cr: number,
  ): void;
}

interface Placed {
  readonly layer: Layer;
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: number;
  readonly biases: number;
  readonly factors: number;
}

interface Buffers {
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly seen: number;
  readonly picture: number;
  readonly features: readonly number[];
  readonly answer: number;
  readonly planes: number;
}

const OFFSET = 64;
const SLACK = 64; // bytes that a kernel may read beyond the last position

/** A multiple of `step` that holds `count`. */
function upTo(count: number, step: number): number {
  return Math.ceil(count / step) * step;
}

/** Weights as the kernel reads them: (outputs / 4, 9, inputs / group, 4, group). */
export function packedWeights(
  weight: Int8Array | Int16Array,
  inputs: number,
  outputs: number,
  group: number,
  paddedInputs: number,
  paddedOutputs: number,
): Int16Array {
  const packed = new Int16Array(paddedOutputs * 9 * paddedInputs);
  for (let o = 0; o < outputs; o++) {
    for (let tap = 0; tap < 9; tap++) {
      for (let i = 0; i < inputs; i++) {
        const quad = (o >> 2) * 9 * paddedInputs * 4;
        const at = quad + tap * paddedInputs * 4 + Math.floor(i / group) * 4 * group;
        packed[at + (o & 3) * group + (i % group)] = weight[(o * 9 + tap) * inputs + i] as number;
      }
    }
  }
  return packed;
}

/** One network in one instance of the kernel. */
export class KernelNetwork {
  readonly #exports: Exports;
  readonly #valueBytes: number;
  readonly #layers: Placed[] = [];
  readonly #interpolation: number;
  #end: number;
  #base: number;
  #buffers: Buffers | null = null;

  /** `module` is kernel8.wasm or kernel16.wasm, compiled. */
  constructor(
    module: WebAssembly.Module,
    readonly model: Model,
  ) {
    this.#exports = new WebAssembly.Instance(module).exports as unknown as Exports;
    const group = this.#exports.group();
    this.#valueBytes = group === 4 ? 1 : 2;
    this.#end = this.#exports.heap();
    let inputs = upTo(6 * model.frames, 4);
    let lifted = false; // whether this layer's inputs are kept OFFSET higher
    model.layers.forEach((layer, k) => {
      const last = k === model.layers.length - 1;
      const outputs = upTo(layer.outputs, last ? 4 : 8);
      const weights = packedWeights(
        layer.weight,
        layer.inputs,
        layer.outputs,
        group,
        inputs,
        outputs,
      );
      const biases = new Int32Array(outputs);
      layer.bias.forEach((bias, o) => {
        const row = layer.weight.subarray(o * 9 * layer.inputs, (o + 1) * 9 * layer.inputs);
        biases[o] = bias - (lifted ? OFFSET * row.reduce((sum, each) => sum + each, 0) : 0);
      });
      const factors = new Float32Array(outputs);
      factors.set(layer.factor);
      this.#layers.push({
        layer,
        inputs,
        outputs,
        weights: this.#store(group === 4 ? Int8Array.from(weights) : weights),
        biases: this.#store(biases),
        factors: this.#store(factors),
      });
      inputs = outputs;
      lifted = layer.least < 0;
    });
    const answers = 6 * model.scale * model.scale;
    const kernel = packedWeights(model.interpolation, 6, answers, 2, 6, upTo(answers, 4));
    this.#interpolation = this.#store(kernel);
    this.#base = this.#end;
  }

  /** The model's answer; `frames` as many as it takes, the current one first. */
  run(frames: readonly Picture[]): Picture {
    const [current] = frames;
    if (current === undefined || frames.length !== this.model.frames) {
      throw new Error(`${this.model.name} takes ${this.model.frames} frames, not ${frames.length}`);
    }
    const { width, height } = current;
    const at = this.#buffersOf(width, height);
    frames.forEach((frame, slot) => {
      this.#pack(frame, slot, at);
    });
    const answer = this.#features(at);
    const scale = this.model.scale;
    const [wide, tall] = [width * scale, height * scale];
    const chroma = half(wide) * half(tall);
    const cb = at.planes + wide * tall;
    this.#exports.unpack(
      answer,
      (this.#layers.at(-1) as Placed).outputs,
      scale,
      width,
      height,
      at.planes,
      cb,
      cb + chroma,
    );
    const bytes = pictureBytes(wide, tall);
    const data = new Uint8Array(this.#exports.memory.buffer, at.planes, bytes).slice();
    return { width: wide, height: tall, data };
  }

  #pack(frame: Picture, slot: number, at: Buffers): void {
    const { width, height, data } = frame;
    if (width !== at.width || height !== at.height) {
      throw new Error(`frames of two sizes: ${width}x${height} and ${at.width}x${at.height}`);
    }
    new Uint8Array(this.#exports.memory.buffer, at.frames, data.length).set(data);
    const cb = at.frames + width * height;
    this.#exports.pack(
      at.frames,
      cb,
      cb + half(width) * half(height),
      width,
      half(width),
      width,
      height,
      slot,
      this.model.radius,
      (this.#layers[0] as Placed).inputs,
      at.seen,
      slot === 0 ? at.picture : 0,
    );
  }

  /** Runs all layers; returns where the answer lies. */
  #features(at: Buffers): number {
    let columns = half(at.width) + 2 * this.model.radius;
    let rows = half(at.height) + 2 * this.model.radius;
    const pitch = columns;
    const places = [at.seen]; // what layer k sees
    this.#layers.forEach((placed, k) => {
      const { layer, inputs, outputs, weights, biases, factors } = placed;
      const seen = places[k] as number;
      columns -= 2;
      rows -= 2;
      if (k === this.#layers.length - 1) {
        const corner = (this.model.radius - 1) * (pitch + 1) * 6 * 2;
        this.#exports.finish(
          seen,
          inputs,
          columns,
          rows,
          weights,
          biases,
          factors,
          outputs,
          at.picture + corner,
          pitch,
          this.#interpolation,
          at.answer,
        );
        return;
      }
      const answer = at.features[k % 3] as number;
      const stream = layer.carry ? (places[k - 1] as number) : 0;
      const lifted = layer.carry && (this.#layers[k - 2] as Placed).layer.least < 0;
      this.#exports.convolve(
        seen,
        inputs,
        columns,
        rows,
        weights,
        biases,
        factors,
        outputs,
        layer.least,
        layer.most,
        stream,
        lifted ? OFFSET : 0,
        layer.carry,
        answer,
      );
      places.push(answer);
    });
    return at.answer;
  }

  #buffersOf(width: number, height: number): Buffers {
    const known = this.#buffers;
    if (known !== null && known.width === width && known.height === height) {
      return known;
    }
    this.#end = this.#base;
    const { radius, scale } = this.model;
    const columns = half(width) + 2 * radius;
    const rows = half(height) + 2 * radius;
    const widest = Math.max(...this.#layers.slice(0, -1).map((placed) => placed.outputs));
    const positions = (half(width) * half(height)) | 0;
    const features = columns * rows * widest * this.#valueBytes;
    const made: Buffers = {
      width,
      height,
      frames: this.#take(pictureBytes(width, height)),
      seen: this.#take(columns * rows * (this.#layers[0] as Placed).inputs * this.#valueBytes),
      picture: this.#take(columns * rows * 6 * 2),
      features: [this.#take(features), this.#take(features), this.#take(features)],
      answer: this.#take(positions * (this.#layers.at(-1) as Placed).outputs),
      planes: this.#take(pictureBytes(width * scale, height * scale)),
    };
    this.#buffers = made;
    return made;
  }

  #store(values: Int8Array | Int16Array | Int32Array | Float32Array): number {
    const at = this.#take(values.byteLength);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    new Uint8Array(this.#exports.memory.buffer).set(bytes, at);
    return at;
  }

  /** Memory, zeroed only where nobody used it before. */
  #take(bytes: number): number {
    const at = upTo(this.#end, 16);
    this.#end = at + bytes + SLACK;
    const memory = this.#exports.memory;
    const missing = this.#end - memory.buffer.byteLength;
    if (missing > 0) {
      memory.grow(Math.ceil(missing / 65536));
    }
    return at;
  }
}
