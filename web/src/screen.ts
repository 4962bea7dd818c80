// Planes on a canvas: a WebGL2 shader that knows matrix, range and siting.

import { half, type Picture } from "./model";
import type { Colour } from "./picture";

const VERTEX = `#version 300 es
out vec2 place;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0;
  place = vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

// Chroma lies left in its block: a quarter of its own sample further than the centre.
const FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2D;
uniform sampler2D newY, newCb, newCr, oldY, oldCb, oldCr;
uniform vec2 shifts; // of chroma, in parts of the width: new and old
uniform float split; // of the width, left of it the new picture
uniform vec2 matrix; // kr, kb
uniform bool full;
in vec2 place;
out vec4 colour;
vec3 seen(sampler2D y, sampler2D cb, sampler2D cr, float shift) {
  vec2 beside = place + vec2(shift, 0.0);
  return vec3(texture(y, place).r, texture(cb, beside).r, texture(cr, beside).r);
}
void main() {
  vec3 code = place.x < split ? seen(newY, newCb, newCr, shifts.x)
                              : seen(oldY, oldCb, oldCr, shifts.y);
  float y = full ? code.x : (code.x * 255.0 - 16.0) / 219.0;
  vec2 c = (code.yz * 255.0 - 128.0) / (full ? 255.0 : 224.0);
  float red = y + 2.0 * (1.0 - matrix.x) * c.y;
  float blue = y + 2.0 * (1.0 - matrix.y) * c.x;
  float green = (y - matrix.x * red - matrix.y * blue) / (1.0 - matrix.x - matrix.y);
  colour = vec4(clamp(vec3(red, green, blue), 0.0, 1.0), 1.0);
}`;

const NAMES = ["newY", "newCb", "newCr", "oldY", "oldCb", "oldCr"];

export class Screen {
  readonly #gl: WebGL2RenderingContext;
  readonly #program: WebGLProgram;
  readonly #textures: WebGLTexture[];
  readonly #sizes: string[] = NAMES.map(() => "");
  #split = 1;
  #colour: Colour = { kr: 0.2126, kb: 0.0722, full: false, name: "" };
  #shifts: [number, number] = [0, 0];
  #filled = false;

  /** Throws where there is no WebGL2. */
  constructor(readonly canvas: OffscreenCanvas) {
    const gl = canvas.getContext("webgl2", {
      alpha: false,
      antialias: false,
      depth: false,
      desynchronized: false,
      preserveDrawingBuffer: true, // the compare slider draws the same frame again
    });
    if (gl === null) {
      throw new Error("there is no WebGL2");
    }
    this.#gl = gl;
    this.#program = this.#linked();
    this.#textures = NAMES.map((name, unit) => {
      const texture = gl.createTexture();
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
        gl.texParameteri(gl.TEXTURE_2D, filter, gl.LINEAR);
      }
      for (const edge of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) {
        gl.texParameteri(gl.TEXTURE_2D, edge, gl.CLAMP_TO_EDGE);
      }
      gl.uniform1i(gl.getUniformLocation(this.#program, name), unit);
      return texture;
    });
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  /** Left of this share of the width is the new picture: 1 for all of it. */
  set split(split: number) {
    this.#split = split;
    if (this.#filled) {
      this.#draw();
    }
  }

  /** Shows a picture, and the one it was made from right of the split; null: only that one. */
  show(upscaled: Picture | null, source: Picture, scale: number, colour: Colour): void {
    this.#colour = colour;
    const [width, height] = [source.width * scale, source.height * scale];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const shown = upscaled ?? source;
    this.#upload(0, shown);
    this.#upload(3, source);
    this.#shifts = [0.25 / half(shown.width), 0.25 / half(source.width)];
    this.#filled = true;
    this.#draw();
  }

  #draw(): void {
    const gl = this.#gl;
    const at = (name: string) => gl.getUniformLocation(this.#program, name);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.uniform1f(at("split"), this.#split);
    gl.uniform2f(at("shifts"), ...this.#shifts);
    gl.uniform2f(at("matrix"), this.#colour.kr, this.#colour.kb);
    gl.uniform1i(at("full"), this.#colour.full ? 1 : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #upload(first: number, picture: Picture): void {
    const { width, height, data } = picture;
    const [columns, rows] = [half(width), half(height)];
    const luma = width * height;
    const planes: [number, number, number][] = [
      [width, height, 0],
      [columns, rows, luma],
      [columns, rows, luma + columns * rows],
    ];
    const gl = this.#gl;
    planes.forEach(([wide, tall, start], k) => {
      const unit = first + k;
      const plane = data.subarray(start, start + wide * tall);
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, this.#textures[unit] as WebGLTexture);
      const size = `${wide}x${tall}`;
      if (this.#sizes[unit] === size) {
        gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, wide, tall, gl.RED, gl.UNSIGNED_BYTE, plane);
      } else {
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, wide, tall, 0, gl.RED, gl.UNSIGNED_BYTE, plane);
        this.#sizes[unit] = size;
      }
    });
  }

  #linked(): WebGLProgram {
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [kind, text] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ] as const) {
      const shader = gl.createShader(kind) as WebGLShader;
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
      throw new Error(`the shader does not link: ${gl.getProgramInfoLog(program)}`);
    }
    gl.useProgram(program);
    return program;
  }
}
