// For tests from Python: node build/run_kernel.mjs KERNEL.wasm MODEL.web < frames > answer
// Frames are I420, the current one first, behind two u32: width and height.

import { readFileSync, writeSync } from "node:fs";
import { KernelNetwork } from "../src/kernel";
import { pictureBytes, readModel } from "../src/model";

function buffer(path: string | number): ArrayBuffer {
  const data = readFileSync(path);
  return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer;
}

const [kernel, file] = process.argv.slice(2) as [string, string];
const model = readModel(buffer(file));
const network = new KernelNetwork(await WebAssembly.compile(buffer(kernel)), model);
const input = buffer(0);
let at = 0;
while (at < input.byteLength) {
  const [width, height] = new Uint32Array(input.slice(at, at + 8)) as unknown as [number, number];
  const bytes = pictureBytes(width, height);
  const frames = Array.from({ length: model.frames }, (_, k) => ({
    width,
    height,
    data: new Uint8Array(input, at + 8 + k * bytes, bytes),
  }));
  at += 8 + model.frames * bytes;
  let began = performance.now();
  let answer = network.run(frames);
  if (process.env.TIMES) {
    for (let k = 0; k < Number(process.env.TIMES); k++) {
      began = performance.now();
      answer = network.run(frames);
      process.stderr.write(`${(performance.now() - began).toFixed(2)} ms\n`);
    }
  }
  for (let done = 0; done < answer.data.length; ) {
    done += writeSync(1, answer.data, done);
  }
}
