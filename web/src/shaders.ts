// WGSL of the network in floating point: the same weights, activations not rounded.

/** Sizes that a shader is written for. */
export interface ConvolutionShape {
  /** Quads of channels that it sees and answers. */
  readonly inputs: number;
  readonly outputs: number;
  readonly relu: boolean;
  readonly stream: boolean;
  readonly carry: number;
  /** "f16" or "f32": of what lies in memory; sums are f32. */
  readonly type: string;
}

function header(type: string): string {
  return type === "f16" ? "enable f16;\n" : "";
}

/** Sums over 3x3 of one quad of answers; `width` answers a row. */
function sums(inputs: number): string {
  return `
  let wide = width + 2u;
  for (var row = 0u; row < 3u; row++) {
    for (var column = 0u; column < 3u; column++) {
      let start = ((at.y + row) * wide + at.x + column) * ${inputs}u;
      let tap = (at.z * 9u + row * 3u + column) * ${inputs}u;
      for (var k = 0u; k < ${inputs}u; k++) {
        sum += vec4f(weights[tap + k] * seen[start + k]);
      }
    }
  }`;
}

/** A convolution without padding, ReLU or the stream behind it. */
export function convolution(shape: ConvolutionShape): string {
  const { inputs, outputs, type } = shape;
  const stream = shape.stream
    ? `sum += f32(${shape.carry}) *
    vec4f(stream[((at.y + 2u) * (width + 4u) + at.x + 2u) * ${outputs}u + at.z]);`
    : "";
  return `${header(type)}
@group(0) @binding(0) var<uniform> size: vec4u;
@group(0) @binding(1) var<storage, read> seen: array<vec4<${type}>>;
@group(0) @binding(2) var<storage, read> weights: array<mat4x4<${type}>>;
@group(0) @binding(3) var<storage, read> biases: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> answer: array<vec4<${type}>>;
${shape.stream ? `@group(0) @binding(5) var<storage, read> stream: array<vec4<${type}>>;` : ""}
@compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) at: vec3u) {
  let width = size.x;
  if (at.x >= width || at.y >= size.y) { return; }
  var sum = biases[at.z];
  ${sums(inputs)}
  ${stream}
  ${shape.relu ? "sum = max(sum, vec4f(0));" : ""}
  answer[(at.y * width + at.x) * ${outputs}u + at.z] = vec4<${type}>(sum);
}`;
}

// Code values of a frame's planes, repeated beyond its borders; x and y in positions.
const PLANES = `
fn code(x: i32, y: i32, channel: u32) -> f32 {
  let wide = i32(picture.x);
  let tall = i32(picture.y);
  let columns = (wide + 1) / 2;
  let rows = (tall + 1) / 2;
  var at = 0;
  if (channel < 4u) {
    let column = clamp(2 * x + i32(channel & 1u), 0, wide - 1);
    at = clamp(2 * y + i32(channel >> 1u), 0, tall - 1) * wide + column;
  } else {
    at = wide * tall + i32(channel - 4u) * columns * rows
      + clamp(y, 0, rows - 1) * columns + clamp(x, 0, columns - 1);
  }
  return f32((planes[at / 4] >> (u32(at % 4) * 8u)) & 255u);
}`;

/** Frames side by side in the channels, with a margin: numbers from 0 to 127. */
export function packing(frames: number, quads: number, margin: number, type: string): string {
  const channels = Array.from({ length: 6 * frames }, (_, k) => {
    const source = k < 6 ? "code" : "codeBefore";
    return `${type}(${source}(x, y, ${k % 6}u) * ${127 / 255})`;
  });
  while (channels.length < 4 * quads) {
    channels.push(`${type}(0)`);
  }
  const stores = Array.from(
    { length: quads },
    (_, q) => `answer[first + ${q}u] = vec4<${type}>(${channels.slice(4 * q, 4 * q + 4)});`,
  );
  const before = PLANES.replace("fn code", "fn codeBefore").replace("planes[at", "planesBefore[at");
  return `${header(type)}
@group(0) @binding(0) var<uniform> picture: vec4u;
@group(0) @binding(1) var<storage, read> planes: array<u32>;
@group(0) @binding(2) var<storage, read_write> answer: array<vec4<${type}>>;
${frames > 1 ? "@group(0) @binding(3) var<storage, read> planesBefore: array<u32>;" : ""}
${PLANES}
${frames > 1 ? before : ""}
@compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) at: vec3u) {
  let width = (picture.x + 1u) / 2u + ${2 * margin}u;
  let height = (picture.y + 1u) / 2u + ${2 * margin}u;
  if (at.x >= width || at.y >= height) { return; }
  let x = i32(at.x) - ${margin};
  let y = i32(at.y) - ${margin};
  let first = (at.y * width + at.x) * ${quads}u;
  ${stores.join("\n  ")}
}`;
}

/** The last convolution on top of the picture's interpolation: bytes, four a number. */
export function finishing(inputs: number, outputs: number, type: string): string {
  return `${header(type)}
@group(0) @binding(0) var<uniform> picture: vec4u;
@group(0) @binding(1) var<storage, read> seen: array<vec4<${type}>>;
@group(0) @binding(2) var<storage, read> weights: array<mat4x4<${type}>>;
@group(0) @binding(3) var<storage, read> biases: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> answer: array<u32>;
@group(0) @binding(5) var<storage, read> planes: array<u32>;
@group(0) @binding(6) var<storage, read> kernel: array<vec4f>;
${PLANES}
@compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) at: vec3u) {
  let width = (picture.x + 1u) / 2u;
  if (at.x >= width || at.y >= (picture.y + 1u) / 2u) { return; }
  var sum = biases[at.z];
  ${sums(inputs)}
  for (var tap = 0u; tap < 9u; tap++) {
    let x = i32(at.x + tap % 3u) - 1;
    let y = i32(at.y + tap / 3u) - 1;
    for (var k = 0u; k < 6u; k++) {
      sum += kernel[(at.z * 9u + tap) * 6u + k] * code(x, y, k);
    }
  }
  let bytes = vec4u(clamp(round(sum), vec4f(0), vec4f(255)));
  answer[(at.y * width + at.x) * ${outputs}u + at.z] =
    bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}`;
}
