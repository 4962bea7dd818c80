// Scene cuts, as `upreel.pipeline.cuts` finds them: no network sees frames of two scenes at once.

import type { Picture } from "./model";

const SIDE = 16;
const SAMPLES = 128;
const THRESHOLD = 0.025;

/** Luma averaged over at most 16 x 16 blocks, 0 to 1. */
export function thumbnail(picture: Picture): Float32Array {
  const { width, height, data } = picture;
  const stepX = Math.max(1, Math.floor(width / SAMPLES));
  const stepY = Math.max(1, Math.floor(height / SAMPLES));
  const [columns, rows] = [Math.ceil(width / stepX), Math.ceil(height / stepY)];
  const [across, down] = [Math.min(columns, SIDE), Math.min(rows, SIDE)];
  const sums = new Float32Array(across * down);
  for (let j = 0; j < down; j++) {
    const [top, bottom] = [Math.floor((j * rows) / down), Math.floor(((j + 1) * rows) / down)];
    for (let i = 0; i < across; i++) {
      const left = Math.floor((i * columns) / across);
      const right = Math.floor(((i + 1) * columns) / across);
      let sum = 0;
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
          sum += data[y * stepY * width + x * stepX] as number;
        }
      }
      sums[j * across + i] = sum / ((bottom - top) * (right - left) * 255);
    }
  }
  return sums;
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Whether a new scene begins with `after`. */
export function isCut(before: Float32Array, after: Float32Array): boolean {
  if (before.length !== after.length) {
    return true;
  }
  const [meanBefore, meanAfter] = [mean(before), mean(after)];
  let [difference, product, energyBefore, energyAfter] = [0, 0, 0, 0];
  before.forEach((value, k) => {
    const other = after[k] as number;
    difference += Math.abs(value - other) / before.length;
    product += (value - meanBefore) * (other - meanAfter);
    energyBefore += (value - meanBefore) ** 2;
    energyAfter += (other - meanAfter) ** 2;
  });
  const energy = Math.sqrt(energyBefore * energyAfter);
  return difference * (1 - (energy ? product / energy : 0)) > THRESHOLD;
}
