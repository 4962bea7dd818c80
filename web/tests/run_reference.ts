// For tests from Python: node build/run_reference.mjs MODEL.onnx CHANNELS HEIGHT WIDTH < f32 > f32
// The float network by onnxruntime-web, which is no part of the page.

import { readFileSync, writeSync } from "node:fs";
import { env, InferenceSession, Tensor } from "onnxruntime-web";

env.wasm.numThreads = 1;
const [file, ...shape] = process.argv.slice(2) as [string, ...string[]];
const session = await InferenceSession.create(readFileSync(file), { executionProviders: ["wasm"] });
const input = readFileSync(0);
const values = new Float32Array(input.buffer.slice(input.byteOffset), 0, input.byteLength / 4);
const seen = new Tensor("float32", values, [1, ...shape.map(Number)]);
const results = await session.run({ [session.inputNames[0] as string]: seen });
const answer = results[session.outputNames[0] as string] as Tensor;
const bytes = new Uint8Array((answer.data as Float32Array).slice().buffer);
for (let done = 0; done < bytes.length; ) {
  done += writeSync(1, bytes, done);
}
