// SPDX-License-Identifier: Apache-2.0
// Times ONNX Runtime on one thread: node time_onnxruntime.js MODEL.onnx BATCH RUNS
// Prints the median in milliseconds a sample as JSON. NODE_PATH must lead to onnxruntime-node.
const ort = require('onnxruntime-node');

async function main() {
  const [model, batch, runs] = process.argv.slice(2);
  const session = await ort.InferenceSession.create(
      model, {intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3});
  const feeds = {};
  let samples = 1;
  session.inputMetadata.forEach((input, index) => {
    const dims = input.shape.map(
        (dim, axis) => typeof dim === 'number' && dim > 0 ? dim : (axis === 0 ? Number(batch) : 1));
    const values = Float32Array.from({length: dims.reduce((a, b) => a * b, 1)}, (_, i) => Math.sin(i));
    feeds[input.name] = new ort.Tensor(input.type, values, dims);
    if (index === 0) samples = dims[0];
  });
  const times = [];
  for (let run = -3; run < Number(runs); ++run) {  // the first three warm up
    const start = performance.now();
    await session.run(feeds);
    if (run >= 0) times.push((performance.now() - start) / samples);
  }
  times.sort((a, b) => a - b);
  const half = times.length >> 1;
  const median = times.length % 2 ? times[half] : (times[half - 1] + times[half]) / 2;
  console.log(JSON.stringify({ms_per_sample_median: median}));
}

main().catch(error => {
  console.error(error.message);
  process.exit(1);
});
