// How far two pictures are apart: what self-tests ask.

import type { Picture } from "./model";

/** Largest difference of two pictures of the same size, in levels; Infinity for two sizes. */
export function largestDifference(one: Picture, other: Picture): number {
  if (one.width !== other.width || one.height !== other.height) {
    return Number.POSITIVE_INFINITY;
  }
  return one.data.reduce(
    (most, value, k) => Math.max(most, Math.abs(value - (other.data[k] as number))),
    0,
  );
}
