// The network on the graphics processor: own WGSL convolutions; planes go up, planes come back.

import { half, type Layer, type Model, type Picture, pictureBytes } from "./model";
import { convolution, finishing, packing } from "./shaders";

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly bindings: GPUBindGroup;
  readonly groups: [number, number, number];
}

interface Plan {
  readonly width: number;
  readonly height: number;
  readonly planes: GPUBuffer[];
  readonly steps: Step[];
  readonly answer: GPUBuffer;
  readonly readback: GPUBuffer;
  readonly all: GPUBuffer[];
}

interface Stored {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: GPUBuffer;
  readonly biases: GPUBuffer;
}

/** The device, or why there is none. */
export async function openDevice(): Promise<GPUDevice> {
  if (!("gpu" in navigator)) {
    throw new Error("this browser has no WebGPU");
  }
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) {
    throw new Error("WebGPU finds no graphics processor");
  }
  const features: GPUFeatureName[] = adapter.features.has("shader-f16") ? ["shader-f16"] : [];
  return adapter.requestDevice({ requiredFeatures: features });
}

const quads = (channels: number) => Math.ceil(channels / 4);

/** Float weights of a layer: what a sum of 1 means is in them. */
function floatWeights(layer: Layer): Float64Array {
  const each = 9 * layer.inputs;
  return Float64Array.from(layer.weight, (w, k) => w * (layer.factor[(k / each) | 0] as number));
}

/** What the last layer answers to a flat picture, which is taken off it: flat stays flat. */
export function flatAnswer(layers: readonly Layer[]): Float64Array {
  const levels: Float64Array[] = [];
  layers.forEach((layer, k) => {
    const weights = floatWeights(layer);
    const seen = levels[k - 1];
    const last = k === layers.length - 1;
    const level = new Float64Array(layer.outputs);
    for (let o = 0; o < layer.outputs; o++) {
      let sum = last ? 0 : (layer.bias[o] as number) * (layer.factor[o] as number);
      for (let i = 0; seen !== undefined && i < 9 * layer.inputs; i++) {
        sum += (weights[o * 9 * layer.inputs + i] as number) * (seen[i % layer.inputs] as number);
      }
      sum += layer.carry * (levels[k - 2]?.[o] ?? 0);
      level[o] = layer.least === 0 && !last ? Math.max(sum, 0) : sum;
    }
    levels.push(level);
  });
  return levels.at(-1) as Float64Array;
}

export class GpuNetwork {
  readonly #type: string;
  readonly #layers: Stored[];
  readonly #kernel: GPUBuffer;
  #plan: Plan | null = null;

  constructor(
    readonly device: GPUDevice,
    readonly model: Model,
  ) {
    this.#type = device.features.has("shader-f16") ? "f16" : "f32";
    const flat = flatAnswer(model.layers);
    let inputs = quads(6 * model.frames + (model.frames === 1 ? 2 : 0));
    this.#layers = model.layers.map((layer, k) => {
      const last = k === model.layers.length - 1;
      const outputs = quads(layer.outputs);
      const biases = new Float32Array(4 * outputs);
      layer.bias.forEach((bias, o) => {
        biases[o] = last ? -(flat[o] as number) : bias * (layer.factor[o] as number);
      });
      const weights = this.#weights(layer, inputs, outputs);
      inputs = outputs;
      return {
        inputs: weights.inputs,
        outputs,
        weights: weights.buffer,
        biases: this.#store(biases),
      };
    });
    const answers = 6 * model.scale ** 2;
    const kernel = new Float32Array(quads(answers) * 4 * 54);
    for (let o = 0; o < answers; o++) {
      for (let k = 0; k < 54; k++) {
        kernel[((o >> 2) * 54 + k) * 4 + (o & 3)] =
          (model.interpolation[o * 54 + k] as number) / 256;
      }
    }
    this.#kernel = this.#store(kernel);
  }

  get type(): string {
    return this.#type;
  }

  /** The model's answer; `frames` as many as it takes, the current one first. */
  async run(frames: readonly Picture[]): Promise<Picture> {
    const [current] = frames;
    if (current === undefined || frames.length !== this.model.frames) {
      throw new Error(`${this.model.name} takes ${this.model.frames} frames, not ${frames.length}`);
    }
    const plan = await this.#planOf(current.width, current.height);
    frames.forEach((frame, k) => {
      const padded = new Uint8Array(Math.ceil(frame.data.length / 4) * 4);
      padded.set(frame.data);
      this.device.queue.writeBuffer(plan.planes[k] as GPUBuffer, 0, padded);
    });
    const encoder = this.device.createCommandEncoder();
    for (const { pipeline, bindings, groups } of plan.steps) {
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindings);
      pass.dispatchWorkgroups(...groups);
      pass.end();
    }
    encoder.copyBufferToBuffer(plan.answer, 0, plan.readback, 0, plan.answer.size);
    this.device.queue.submit([encoder.finish()]);
    await plan.readback.mapAsync(GPUMapMode.READ);
    const answer = new Uint8Array(plan.readback.getMappedRange());
    const picture = unpacked(answer, this.model.scale, current.width, current.height);
    plan.readback.unmap();
    return picture;
  }

  async #planOf(width: number, height: number): Promise<Plan> {
    if (this.#plan?.width === width && this.#plan.height === height) {
      return this.#plan;
    }
    for (const buffer of this.#plan?.all ?? []) {
      buffer.destroy();
    }
    const all: GPUBuffer[] = [];
    const buffer = (bytes: number, usage: number) => {
      const made = this.device.createBuffer({ size: Math.ceil(bytes / 16) * 16, usage });
      all.push(made);
      return made;
    };
    const uniform = (...values: number[]) => {
      const made = buffer(16, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
      this.device.queue.writeBuffer(made, 0, Uint32Array.of(...values, 0, 0));
      return made;
    };
    const type = this.#type;
    const { frames, radius, scale } = this.model;
    const [columns, rows] = [half(width) + 2 * radius, half(height) + 2 * radius];
    const planes = Array.from({ length: frames }, () =>
      buffer(pictureBytes(width, height), GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST),
    );
    const bytes = type === "f16" ? 8 : 16;
    const features = (count: number) =>
      buffer(columns * rows * count * bytes, GPUBufferUsage.STORAGE);
    const picture = uniform(width, height);
    const first = this.#layers[0] as Stored;
    const widest = Math.max(...this.#layers.slice(0, -1).map((layer) => layer.outputs));
    const spaces = [features(widest), features(widest), features(widest)];
    const seen = features(first.inputs);
    const positions = half(width) * half(height);
    const answerBytes = positions * quads(6 * scale * scale) * 4;
    const answer = buffer(answerBytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC);
    const readback = buffer(answerBytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);

    const [current, ...before] = planes as [GPUBuffer, ...GPUBuffer[]];
    const steps = [
      await this.#step(
        packing(frames, first.inputs, radius, type),
        [picture, current, seen, ...before],
        [columns, rows, 1],
      ),
    ];
    const places = [seen];
    for (const [k, stored] of this.#layers.entries()) {
      const { inputs, outputs, weights, biases } = stored;
      const layer = this.model.layers[k] as Layer;
      const from = places[k] as GPUBuffer;
      const [wide, tall] = [columns - 2 * (k + 1), rows - 2 * (k + 1)];
      if (k === this.#layers.length - 1) {
        const bound = [picture, from, weights, biases, answer, current, this.#kernel];
        steps.push(
          await this.#step(finishing(inputs, outputs, type), bound, [wide, tall, outputs]),
        );
        break;
      }
      const to = spaces[k % 3] as GPUBuffer;
      const shape = {
        ...{ inputs, outputs, type },
        relu: layer.least === 0,
        stream: layer.carry !== 0,
        carry: layer.carry,
      };
      const bound = [uniform(wide, tall), from, weights, biases, to];
      if (shape.stream) {
        bound.push(places[k - 1] as GPUBuffer);
      }
      steps.push(await this.#step(convolution(shape), bound, [wide, tall, outputs]));
      places.push(to);
    }
    this.#plan = { width, height, planes, steps, answer, readback, all };
    return this.#plan;
  }

  async #step(code: string, buffers: GPUBuffer[], size: [number, number, number]): Promise<Step> {
    const module = this.device.createShaderModule({ code });
    const { messages } = await module.getCompilationInfo();
    const wrong = messages.find((message) => message.type === "error");
    if (wrong !== undefined) {
      throw new Error(`WGSL, line ${wrong.lineNum}: ${wrong.message}`);
    }
    const pipeline = await this.device.createComputePipelineAsync({
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    const bindings = this.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    return {
      pipeline,
      bindings,
      groups: [Math.ceil(size[0] / 8), Math.ceil(size[1] / 8), size[2]],
    };
  }

  /** Matrices (outputs, 9, inputs) of quads, columns first: 4 outputs for each of 4 inputs. */
  #weights(layer: Layer, inputs: number, outputs: number): { inputs: number; buffer: GPUBuffer } {
    const values = new Float32Array(outputs * 9 * inputs * 16);
    const weights = floatWeights(layer);
    for (let o = 0; o < layer.outputs; o++) {
      for (let tap = 0; tap < 9; tap++) {
        for (let i = 0; i < layer.inputs; i++) {
          const matrix = ((o >> 2) * 9 + tap) * inputs + (i >> 2);
          const at = matrix * 16 + (i & 3) * 4 + (o & 3);
          values[at] = weights[(o * 9 + tap) * layer.inputs + i] as number;
        }
      }
    }
    return { inputs, buffer: this.#store(this.#type === "f16" ? halves(values) : values) };
  }

  #store(values: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>): GPUBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const made = this.device.createBuffer({ size: Math.max(values.byteLength, 16), usage });
    this.device.queue.writeBuffer(made, 0, values);
    return made;
  }
}

/** Numbers of 16 bits, rounded to the nearest. */
export function halves(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => {
    const sign = (word >>> 16) & 0x8000;
    const exponent = ((word >>> 23) & 255) - 112;
    const mantissa = word & 0x7fffff;
    if (exponent >= 31) {
      return sign | 0x7bff; // the largest there is
    }
    if (exponent <= 0) {
      const shift = 14 - exponent;
      return shift > 24 ? sign : sign | (((mantissa | 0x800000) + (1 << (shift - 1))) >>> shift);
    }
    return sign | (((exponent << 10) | (mantissa >>> 13)) + ((mantissa >>> 12) & 1));
  });
}

/** Planes of an answer, bytes of whole quads a position. */
function unpacked(answer: Uint8Array, scale: number, width: number, height: number): Picture {
  const channels = quads(6 * scale * scale) * 4;
  const columns = half(width);
  const [wide, tall] = [width * scale, height * scale];
  const data = new Uint8Array(pictureBytes(wide, tall));
  const shuffle = (at: number, first: number, block: number, across: number, down: number) => {
    for (let y = 0; y < down; y++) {
      const row = Math.floor(y / block) * columns;
      const line = first + (y % block) * block;
      for (let x = 0; x < across; x++) {
        const from = (row + Math.floor(x / block)) * channels + line + (x % block);
        data[at + y * across + x] = answer[from] as number;
      }
    }
  };
  const chroma = half(wide) * half(tall);
  shuffle(0, 0, 2 * scale, wide, tall);
  shuffle(wide * tall, 4 * scale * scale, scale, half(wide), half(tall));
  shuffle(wide * tall + chroma, 5 * scale * scale, scale, half(wide), half(tall));
  return { width: wide, height: tall, data };
}
