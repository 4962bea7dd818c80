// A network as the server hands it out: the file that `upreel.inference.browser` describes.

const MAGIC = 0x57525055; // "UPRW"
const VERSION = 1;

export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  /** Smallest and largest answer; negative numbers are kept OFFSET higher. */
  readonly least: number;
  readonly most: number;
  /** What 1 of the stream is in this layer's answer; 0 for no stream. */
  readonly carry: number;
  /** (outputs, 3, 3, inputs) */
  readonly weight: Int8Array;
  readonly bias: Int32Array;
  readonly factor: Float32Array;
}

export interface Model {
  readonly name: string;
  readonly card: string;
  readonly summary: string;
  readonly scale: number;
  /** 1, or 2 for the current frame and the one before it. */
  readonly frames: number;
  readonly radius: number;
  readonly macs: number;
  readonly layers: readonly Layer[];
  /** (6 scale^2, 3, 3, 6), 256ths */
  readonly interpolation: Int16Array;
  readonly test: SelfTest;
}

export interface SelfTest {
  readonly seen: readonly Picture[];
  readonly answer: Picture;
  /** In floating point. */
  readonly ideal: Picture;
}

/** 4:2:0 planes of 8 bits, one behind the other: Y, Cb, Cr. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

interface Header {
  name: string;
  card: string;
  summary: string;
  scale: number;
  frames: number;
  radius: number;
  macs: number;
  layers: {
    inputs: number;
    outputs: number;
    least: number;
    most: number;
    carry: number;
    weight: number;
    bias: number;
    factor: number;
  }[];
  interpolation: number;
  test: { width: number; height: number; seen: number; answer: number; ideal: number };
}

/** Bytes of a picture's three planes. */
export function pictureBytes(width: number, height: number): number {
  return width * height + 2 * half(width) * half(height);
}

/** Columns or rows of chroma. */
export function half(side: number): number {
  return (side + 1) >> 1;
}

/** Throws where the bytes are no network of a version that is known here. */
export function readModel(file: ArrayBuffer): Model {
  const start = new DataView(file);
  if (file.byteLength < 16 || start.getUint32(0, true) !== MAGIC) {
    throw new Error("this is no network for browsers");
  }
  if (start.getUint32(4, true) !== VERSION) {
    throw new Error(`a network of version ${start.getUint32(4, true)}; this page reads ${VERSION}`);
  }
  const length = start.getUint32(8, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 16, length))) as Header;
  const payload = 16 + length;
  const { scale, frames, test } = header;
  const layers = header.layers.map((told) => ({
    ...told,
    weight: new Int8Array(file, payload + told.weight, told.outputs * 9 * told.inputs),
    bias: new Int32Array(file, payload + told.bias, told.outputs),
    factor: new Float32Array(file, payload + told.factor, told.outputs),
  }));
  const bytes = pictureBytes(test.width, test.height);
  const seen = Array.from({ length: frames }, (_, k) => ({
    width: test.width,
    height: test.height,
    data: new Uint8Array(file, payload + test.seen + k * bytes, bytes),
  }));
  const [width, height] = [test.width * scale, test.height * scale];
  const [answer, ideal] = [test.answer, test.ideal].map((start) => ({
    width,
    height,
    data: new Uint8Array(file, payload + start, pictureBytes(width, height)),
  })) as [Picture, Picture];
  return {
    ...header,
    layers,
    interpolation: new Int16Array(file, payload + header.interpolation, 6 * scale * scale * 54),
    test: { seen, answer, ideal },
  };
}
