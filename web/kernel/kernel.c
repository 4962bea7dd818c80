// The network in whole numbers, for WebAssembly: packing, 3x3 convolutions, the answer's planes.
//
// Built twice: with RELAXED for engines that have the relaxed dot product (bytes, 16 products an
// instruction), without it for all that have SIMD (16 bits, 8 products). Both come to the same
// bits as `upreel.inference.browser.run`.
//
// Layout   positions row by row, channels last; `Value` each. Signed activations (least < 0) are
//          stored 64 higher, so that all are 0 to 127; whoever packs weights takes that out of the
//          biases. Weights: groups of four outputs; of each its 9 taps, of each tap GROUP inputs
//          after GROUP, of each of those the four outputs side by side.
// Memory   the caller's: `__heap_base` on is his.

#include <stdint.h>
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name)))

#ifdef RELAXED
typedef uint8_t Value;
#define GROUP 4
#define DOT(sum, values, weights) wasm_i32x4_relaxed_dot_i8x16_i7x16_add(weights, values, sum)
#else
typedef int16_t Value;
#define GROUP 2
#define DOT(sum, values, weights) wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(weights, values))
#endif

extern unsigned char __heap_base;

EXPORT(heap) unsigned char *heap(void) { return &__heap_base; }

EXPORT(group) int group(void) { return GROUP; }

static int clamped(int at, int end) { return at < 0 ? 0 : at < end ? at : end - 1; }

// One frame into the channels 6 slot to 6 slot + 5 of packed positions: `wide` of them a row,
// `margin` around the picture, whose border samples are repeated outwards. `seen` gets numbers of
// 7 bits, `channels` a position; `picture`, if given, code values, 6 a position.
EXPORT(pack) void pack(const uint8_t *luma, const uint8_t *cb, const uint8_t *cr, int luma_stride,
                       int chroma_stride, int width, int height, int slot, int margin,
                       int channels, Value *seen, int16_t *picture) {
  const int columns = (width + 1) / 2, rows = (height + 1) / 2;
  for (int y = -margin; y < rows + margin; y++) {
    const uint8_t *above = luma + clamped(2 * y, height) * luma_stride;
    const uint8_t *below = luma + clamped(2 * y + 1, height) * luma_stride;
    const int chroma = clamped(y, rows) * chroma_stride;
    for (int x = -margin; x < columns + margin; x++) {
      const int left = clamped(2 * x, width), right = clamped(2 * x + 1, width);
      const int at = chroma + clamped(x, columns);
      const int values[6] = {above[left], above[right], below[left], below[right], cb[at], cr[at]};
      for (int k = 0; k < 6; k++) seen[6 * slot + k] = (Value)((254 * values[k] + 255) / 510);
      seen += channels;
      if (picture) {
        for (int k = 0; k < 6; k++) picture[k] = (int16_t)values[k];
        picture += 6;
      }
    }
  }
}

typedef struct {
  v128_t least, most, offset, carry;
} Rounding;

// Four sums of one position as numbers of the next layer.
static inline v128_t rounded(v128_t values, const Rounding *how) {
  values = wasm_f32x4_nearest(values);
  values = wasm_f32x4_min(wasm_f32x4_max(values, how->least), how->most);
  return wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(values), how->offset);
}

static inline void store(Value *to, v128_t numbers) {
#ifdef RELAXED
  v128_t narrow = wasm_i16x8_narrow_i32x4(numbers, numbers);
  wasm_v128_store32_lane(to, wasm_u8x16_narrow_i16x8(narrow, narrow), 0);
#else
  wasm_v128_store64_lane(to, wasm_i16x8_narrow_i32x4(numbers, numbers), 0);
#endif
}

static inline v128_t loaded(const Value *from) {
#ifdef RELAXED
  v128_t bytes = wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(from));
  return wasm_u32x4_extend_low_u16x8(bytes);
#else
  return wasm_i32x4_load16x4(from);
#endif
}

static inline v128_t splat(const Value *from) { return wasm_v128_load32_splat(from); }

#define POSITIONS 4

// A 3x3 convolution without padding: `width` x `height` answers from `width` + 2 positions a row.
// `outputs` is a multiple of 8, `inputs` of GROUP. `stream`, if given, is that of the layer before
// the last, `width` + 4 positions a row; its numbers are 64 higher where `stream_offset` is 64.
EXPORT(convolve) void convolve(const Value *seen, int inputs, int width, int height,
                               const Value *weights, const int32_t *biases, const float *factors,
                               int outputs, int least, int most, const Value *stream,
                               int stream_offset, float carry, Value *answer) {
  const int wide = (width + 2) * inputs, groups = inputs / GROUP;
  const int each = 9 * inputs * 4; // weights of four outputs
  const Rounding how = {wasm_f32x4_splat((float)least), wasm_f32x4_splat((float)most),
                        wasm_i32x4_splat(least < 0 ? 64 : 0), wasm_f32x4_splat(carry)};
  const v128_t lower = wasm_i32x4_splat(stream_offset);
  for (int y = 0; y < height; y++)
    for (int first = 0; first < width; first += POSITIONS) {
      // The last positions of a row are computed with those before them.
      const int x = first + POSITIONS <= width ? first : width > POSITIONS ? width - POSITIONS : 0;
      const Value *corner = seen + y * wide + x * inputs;
      for (int o = 0; o < outputs; o += 8) {
        const Value *weight = weights + o / 4 * each;
        v128_t sums[POSITIONS][2];
        const v128_t bias0 = wasm_v128_load(biases + o), bias1 = wasm_v128_load(biases + o + 4);
#pragma clang loop unroll(full)
        for (int p = 0; p < POSITIONS; p++) sums[p][0] = bias0, sums[p][1] = bias1;
        for (int row = 0; row < 3; row++) {
          const Value *from = corner + row * wide;
          for (int g = 0; g < 3 * groups; g++) {
            const v128_t weight0 = wasm_v128_load(weight);
            const v128_t weight1 = wasm_v128_load(weight + each);
            weight += 4 * GROUP;
#pragma clang loop unroll(full)
            for (int p = 0; p < POSITIONS; p++) {
              const v128_t value = splat(from + p * inputs);
              sums[p][0] = DOT(sums[p][0], value, weight0);
              sums[p][1] = DOT(sums[p][1], value, weight1);
            }
            from += GROUP;
          }
        }
        const v128_t factor0 = wasm_v128_load(factors + o), factor1 = wasm_v128_load(factors + o + 4);
        const int here = width < POSITIONS ? width : POSITIONS;
        for (int p = 0; p < here; p++) {
          v128_t low = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums[p][0]), factor0);
          v128_t high = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums[p][1]), factor1);
          if (stream) {
            const Value *before = stream + ((y + 2) * (width + 4) + x + p + 2) * outputs + o;
            v128_t one = wasm_i32x4_sub(loaded(before), lower);
            v128_t two = wasm_i32x4_sub(loaded(before + 4), lower);
            low = wasm_f32x4_add(low, wasm_f32x4_mul(wasm_f32x4_convert_i32x4(one), how.carry));
            high = wasm_f32x4_add(high, wasm_f32x4_mul(wasm_f32x4_convert_i32x4(two), how.carry));
          }
          Value *to = answer + (y * width + x + p) * outputs + o;
          store(to, rounded(low, &how));
          store(to + 4, rounded(high, &how));
        }
      }
    }
}

// The last convolution, on top of the picture's interpolation: code values, `outputs` a position.
// `picture` is that of `pack`, from one position left of and above the first answer on, `pitch`
// positions a row; `kernel` is its weights, packed as 16-bit weights of 6 inputs.
EXPORT(finish) void finish(const Value *seen, int inputs, int width, int height,
                           const Value *weights, const int32_t *biases, const float *factors,
                           int outputs, const int16_t *picture, int pitch, const int16_t *kernel,
                           uint8_t *answer) {
  const int wide = (width + 2) * inputs, groups = inputs / GROUP;
  const int each = 9 * inputs * 4;
  const v128_t part = wasm_f32x4_splat(1.0f / 256), zero = wasm_f32x4_splat(0),
               most = wasm_f32x4_splat(255);
  for (int y = 0; y < height; y++)
    for (int first = 0; first < width; first += POSITIONS) {
      const int x = first + POSITIONS <= width ? first : width > POSITIONS ? width - POSITIONS : 0;
      for (int o = 0; o < outputs; o += 4) {
        v128_t sums[POSITIONS], base[POSITIONS];
        const v128_t bias = wasm_v128_load(biases + o);
#pragma clang loop unroll(full)
        for (int p = 0; p < POSITIONS; p++) sums[p] = bias, base[p] = wasm_i32x4_splat(0);
        const Value *weight = weights + o / 4 * each;
        const int16_t *tap = kernel + o / 4 * 9 * 6 * 4;
        for (int row = 0; row < 3; row++) {
          const Value *from = seen + (y + row) * wide + x * inputs;
          for (int g = 0; g < 3 * groups; g++, weight += 4 * GROUP, from += GROUP) {
            const v128_t weight0 = wasm_v128_load(weight);
#pragma clang loop unroll(full)
            for (int p = 0; p < POSITIONS; p++)
              sums[p] = DOT(sums[p], splat(from + p * inputs), weight0);
          }
          const int16_t *pixel = picture + ((y + row) * pitch + x) * 6;
          for (int g = 0; g < 9; g++, tap += 8, pixel += 2) {
            const v128_t weight0 = wasm_v128_load(tap);
#pragma clang loop unroll(full)
            for (int p = 0; p < POSITIONS; p++)
              base[p] = wasm_i32x4_add(
                  base[p], wasm_i32x4_dot_i16x8(wasm_v128_load32_splat(pixel + p * 6), weight0));
          }
        }
        const v128_t factor = wasm_v128_load(factors + o);
        const int here = width < POSITIONS ? width : POSITIONS;
        for (int p = 0; p < here; p++) {
          v128_t detail = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sums[p]), factor);
          v128_t value = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(base[p]), part);
          value = wasm_f32x4_nearest(wasm_f32x4_add(value, detail));
          value = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_min(wasm_f32x4_max(value, zero), most));
          value = wasm_i16x8_narrow_i32x4(value, value);
          wasm_v128_store32_lane(answer + (y * width + x + p) * outputs + o,
                                 wasm_u8x16_narrow_i16x8(value, value), 0);
        }
      }
    }
}

// Channels `first` on of an answer, block x block samples a position, as a plane.
static void shuffled(const uint8_t *answer, int outputs, int columns, int first, int block,
                     int width, int height, uint8_t *plane) {
  for (int y = 0; y < height; y++) {
    const uint8_t *from = answer + (y / block) * columns * outputs + first + y % block * block;
    int x = 0;
    if (block == 4)
      for (; x + 4 <= width; x += 4, from += outputs)
        __builtin_memcpy(plane + x, from, 4);
    else
      for (; x + block <= width; x += block, from += outputs)
        for (int k = 0; k < block; k++) plane[x + k] = from[k];
    for (int k = 0; x < width; x++, k++) plane[x] = from[k];
    plane += width;
  }
}

// Planes of an answer, of a picture of `width` x `height` in low resolution.
EXPORT(unpack) void unpack(const uint8_t *answer, int outputs, int scale, int width, int height,
                           uint8_t *luma, uint8_t *cb, uint8_t *cr) {
  const int columns = (width + 1) / 2, squared = scale * scale;
  width *= scale, height *= scale;
  shuffled(answer, outputs, columns, 0, 2 * scale, width, height, luma);
  width = (width + 1) / 2, height = (height + 1) / 2;
  shuffled(answer, outputs, columns, 4 * squared, scale, width, height, cb);
  shuffled(answer, outputs, columns, 5 * squared, scale, width, height, cr);
}
