// A VideoFrame's planes: copied as they are where they are 4:2:0 of 8 bits, else by way of RGBA.

import { half, type Picture, pictureBytes } from "./model";

/** What a frame's numbers mean. */
export interface Colour {
  /** Of luma: share of red and of blue. */
  readonly kr: number;
  readonly kb: number;
  readonly full: boolean;
  readonly name: string;
}

const MATRICES: Record<string, [number, number]> = {
  bt709: [0.2126, 0.0722],
  smpte170m: [0.299, 0.114],
  bt470bg: [0.299, 0.114],
  "bt2020-ncl": [0.2627, 0.0593],
};
const RGB: Colour = { kr: 0.2126, kb: 0.0722, full: true, name: "RGB" };

/** The meaning that a frame states; where it states none, what players assume by its height. */
export function colourOf(space: VideoColorSpaceInit, height: number): Colour {
  const stated = space.matrix ?? null;
  const matrix = stated !== null && stated in MATRICES ? stated : null;
  const name = matrix ?? (height >= 720 ? "bt709" : "smpte170m");
  const [kr, kb] = MATRICES[name] as [number, number];
  return { kr, kb, full: space.fullRange === true, name: matrix ?? `${name} (not stated)` };
}

/** Why a frame's picture cannot be made of 8-bit planes of this shader, or "". */
export function misfit(frame: VideoFrame): string {
  const { transfer, primaries } = frame.colorSpace.toJSON() as Record<string, string | null>;
  if (transfer === "pq" || transfer === "hlg") {
    return `HDR (${transfer})`;
  }
  if (primaries === "bt2020") {
    return "wide colours (bt2020)";
  }
  const { rotation } = frame as VideoFrame & { rotation?: number };
  return rotation ? `rotated video (${rotation} degrees)` : "";
}

/** Planes and their meaning; the frame stays open. */
export async function pictureOf(frame: VideoFrame): Promise<[Picture, Colour]> {
  const rect = frame.visibleRect;
  if (rect === null) {
    throw new Error("a frame that is closed");
  }
  const { width, height } = rect;
  if (frame.format === "I420" || frame.format === "NV12") {
    const colour = colourOf(frame.colorSpace.toJSON(), height);
    const data = new Uint8Array(pictureBytes(width, height));
    const chroma = half(width) * half(height);
    const luma = width * height;
    const planes = [{ offset: 0, stride: width }];
    if (frame.format === "I420") {
      planes.push({ offset: luma, stride: half(width) });
      planes.push({ offset: luma + chroma, stride: half(width) });
      await frame.copyTo(data, { rect, layout: planes });
      return [{ width, height, data }, colour];
    }
    planes.push({ offset: luma, stride: 2 * half(width) });
    const both = new Uint8Array(luma + 2 * chroma);
    await frame.copyTo(both, { rect, layout: planes });
    return [{ width, height, data: fromNv12(both, width, height) }, colour];
  }
  const pixels = new Uint8Array(width * height * 4);
  const options = { rect, format: "RGBA", colorSpace: "srgb" } as VideoFrameCopyToOptions;
  await frame.copyTo(pixels, options);
  return [{ width, height, data: fromRgba(pixels, width, height) }, RGB];
}

/** NV12 planes as three. */
export function fromNv12(both: Uint8Array, width: number, height: number): Uint8Array {
  const luma = width * height;
  const chroma = half(width) * half(height);
  const data = new Uint8Array(luma + 2 * chroma);
  data.set(both.subarray(0, luma));
  for (let k = 0; k < chroma; k++) {
    data[luma + k] = both[luma + 2 * k] as number;
    data[luma + chroma + k] = both[luma + 2 * k + 1] as number;
  }
  return data;
}

/** Full-range planes of RGBA pixels, chroma sited left. */
export function fromRgba(pixels: Uint8Array, width: number, height: number): Uint8Array {
  const { kr, kb } = RGB;
  const kg = 1 - kr - kb;
  const luma = width * height;
  const [columns, rows] = [half(width), half(height)];
  const data = new Uint8ClampedArray(luma + 2 * columns * rows); // which rounds
  for (let k = 0; k < luma; k++) {
    const [r, g, b] = [pixels[4 * k], pixels[4 * k + 1], pixels[4 * k + 2]] as number[];
    data[k] = kr * (r as number) + kg * (g as number) + kb * (b as number);
  }
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let [red, green, blue] = [0, 0, 0];
      for (let j = 0; j < 2; j++) {
        const row = Math.min(2 * y + j, height - 1) * width;
        for (let i = -1; i < 2; i++) {
          const at = 4 * (row + Math.min(Math.max(2 * x + i, 0), width - 1));
          const weight = i === 0 ? 0.25 : 0.125;
          red += weight * (pixels[at] as number);
          green += weight * (pixels[at + 1] as number);
          blue += weight * (pixels[at + 2] as number);
        }
      }
      const light = kr * red + kg * green + kb * blue;
      data[luma + y * columns + x] = 128 + (blue - light) / (2 * (1 - kb));
      data[luma + columns * rows + y * columns + x] = 128 + (red - light) / (2 * (1 - kr));
    }
  }
  return new Uint8Array(data.buffer);
}
