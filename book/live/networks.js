// ONNX Runtime and the networks that it runs: handpose/apply/onnx_runtime.py.

/** @typedef {import("./resize.js").Pixels} Pixels */
/** What the book's build says of a network. `heads` is 0 without attention.
 * @typedef {{name: string, title: string, size: number, cells: number, heads: number, stages: number, parameters: number}} NetworkAbout */
/** What the book's build says of all. `blocks`: which networks differ only in their block, and how they were trained alike.
 * @typedef {{pose: string, networks: NetworkAbout[], labels: string[],
 *  blocks: {names: string[], width: number, size: number, steps: number} | null,
 *  confidence: import("./confidence.js").Fitted, version: string, runtime: string}} Manifest */

export class Networks {
  /** @param {any} ort  the module onnxruntime-web @param {Manifest} manifest */
  constructor(ort, manifest) {
    this.ort = ort;
    this.manifest = manifest;
    this.labels = manifest.labels;
    this.sessions = new Map();
  }

  /** @param {string} name @param {Uint8Array} bytes  of an ONNX file */
  async add(name, bytes) {
    this.sessions.set(name, await this.ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] }));
  }

  /** @param {string} [name]  of a pose network; the bundled one if left out @returns {NetworkAbout} */
  about(name = this.manifest.pose) {
    const found = this.manifest.networks.find((one) => one.name === name);
    if (!found) throw new Error(`there is no network ${name}; there are ${this.manifest.networks.map((one) => one.name).join(", ")}`);
    return found;
  }

  /** @param {string} name @param {Record<string, [Float32Array, number[]]>} inputs @param {string[]} outputs
   * @returns {Promise<Record<string, Float32Array>>} */
  async run(name, inputs, outputs) {
    const feeds = /** @type {Record<string, any>} */ ({});
    for (const [key, [data, shape]] of Object.entries(inputs)) feeds[key] = new this.ort.Tensor("float32", data, shape);
    const found = await this.sessions.get(name).run(feeds, outputs);
    return Object.fromEntries(outputs.map((key) => [key, found[key].data]));
  }

  /** Logits and offsets of every default box. @param {Pixels} image  256 x 256 */
  async detect(image) {
    const found = await this.run("detector", { images: planes(image) }, ["logits", "offsets"]);
    return { logits: found.logits, offsets: found.offsets };
  }

  /** Score maps of every stage, and where asked for the weights of every head, from the same pass.
   * @param {Pixels} crop
   * @param {{network?: string, silence?: number[], attention?: boolean}} how
   * @returns {Promise<{stages: Float32Array[], weights: Float32Array | null}>}  weights: heads x L x L */
  async pose(crop, { network, silence = [], attention = false }) {
    const { name, heads, stages } = this.about(network), names = Array.from({ length: stages }, (_, k) => `stage${k + 1}`);
    if (!Array.isArray(silence)) throw new Error(`silence ${silence}: a list of heads is needed, such as [0, 3]`);
    const wrong = silence.find((head) => !(Number.isInteger(head) && head >= 0 && head < heads));
    if (!heads && (attention || silence.length)) throw new Error(`the network ${name} has no attention block`);
    if (wrong !== undefined) throw new Error(`there is no head ${wrong}; the heads are 0 to ${heads - 1}`);
    const inputs = /** @type {Record<string, [Float32Array, number[]]>} */ ({ images: planes(crop) });
    if (heads) inputs.heads = [Float32Array.from({ length: heads }, (_, k) => (silence.includes(k) ? 0 : 1)), [heads]];
    const found = await this.run(name, inputs, attention ? [...names, "attention"] : names);
    return { stages: names.map((key) => found[key]), weights: found.attention ?? null };
  }

  /** Logits of the letters. @param {Float32Array} points  21 x 2, normalised */
  async gesture(points) {
    return (await this.run("gesture", { points: [points, [1, 21, 2]] }, ["logits"])).logits;
  }
}

/** A picture as a network takes it: three planes of numbers from 0 to 1.
 * @param {Pixels} image @returns {[Float32Array, number[]]} */
function planes({ data, width, height }) {
  const n = width * height, out = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    out[i] = data[4 * i] / 255;
    out[n + i] = data[4 * i + 1] / 255;
    out[2 * n + i] = data[4 * i + 2] / 255;
  }
  return [out, [1, 3, height, width]];
}
