// OpenCV's area and linear resize and its affine warp of 8-bit pictures, with its rounding: networks see the same pixels
// as in Python. Pixels are RGBA in memory, as the page has them; only the three colours are computed.

/** A picture: pixels row by row, four bytes each.
 * @typedef {{data: Uint8ClampedArray | Uint8Array, width: number, height: number}} Pixels */

/** A number as cvRound gives it: halves go to the even neighbour. @param {number} value */
export function roundHalfEven(value) {
  const low = Math.floor(value), rest = value - low;
  return rest < 0.5 ? low : rest > 0.5 ? low + 1 : low % 2 === 0 ? low : low + 1;
}

/** @param {number} width @param {number} height @returns {Pixels} */
export function blank(width, height) {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 3; i < data.length; i += 4) data[i] = 255;
  return { data, width, height };
}

/** Part of a picture: columns x0 to x1 and rows y0 to y1, the ends not included.
 * @param {Pixels} image @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 @returns {Pixels} */
export function cut(image, x0, y0, x1, y1) {
  const width = x1 - x0, height = y1 - y0, data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++) {
    const start = 4 * ((y + y0) * image.width + x0);
    data.set(image.data.subarray(start, start + 4 * width), 4 * y * width);
  }
  return { data, width, height };
}

/** Which pixels make up each new one, and by how much, as in OpenCV's computeResizeAreaTab: those from `first` on before
 * `end` count `weight`, the one before them `before`, and the one behind them `after`; both may be 0.
 * @param {number} from @param {number} to @param {number} scale */
function areaTable(from, to, scale) {
  const first = new Int32Array(to), end = new Int32Array(to);
  const weight = new Float32Array(to), before = new Float32Array(to), after = new Float32Array(to);
  for (let d = 0; d < to; d++) {
    const start = d * scale, stop = start + scale, width = Math.min(scale, from - start);
    end[d] = Math.min(Math.floor(stop), from - 1);
    first[d] = Math.min(Math.ceil(start), end[d]);
    weight[d] = 1 / width;
    if (first[d] - start > 1e-3) before[d] = (first[d] - start) / width;
    if (stop - end[d] > 1e-3) after[d] = Math.min(Math.min(stop - end[d], 1), width) / width;
  }
  return { first, end, weight, before, after };
}

/** cv2.resize with INTER_AREA to a size that is not larger.
 * @param {Pixels} image @param {number} width @param {number} height @returns {Pixels} */
export function areaResize(image, width, height) {
  if (width === image.width && height === image.height) return image;
  const scaleX = image.width / width, scaleY = image.height / height, out = blank(width, height);
  if (Number.isInteger(scaleX) && Number.isInteger(scaleY)) return meanOfBlocks(image, out, scaleX, scaleY);
  const across = areaTable(image.width, width, scaleX), down = areaTable(image.height, height, scaleY);
  const sum = new Float32Array(3 * width);
  for (let y = 0; y < height; y++) {
    sum.fill(0);
    if (down.before[y]) addRow(image, down.first[y] - 1, across, down.before[y], sum);
    for (let row = down.first[y]; row < down.end[y]; row++) addRow(image, row, across, down.weight[y], sum);
    if (down.after[y]) addRow(image, down.end[y], across, down.after[y], sum);
    for (let x = 0, to = 4 * y * width; x < width; x++, to += 4)
      for (let c = 0; c < 3; c++) out.data[to + c] = roundHalfEven(sum[3 * x + c]);
  }
  return out;
}

/** Shrink one row of a picture and add it, times a factor, to sums of three colours a pixel.
 * @param {Pixels} image @param {number} row @param {ReturnType<typeof areaTable>} across @param {number} factor
 * @param {Float32Array} sum */
function addRow({ data, width }, row, { first, end, weight, before, after }, factor, sum) {
  const start = row * width, number = first.length, f = Math.fround; // OpenCV adds up in float32
  for (let d = 0; d < number; d++) {
    const stop = 4 * (start + end[d]), w = weight[d], p = before[d], q = after[d];
    let at = 4 * (start + first[d]), red = f(0), green = f(0), blue = f(0);
    if (p) {
      red = f(data[at - 4] * p);
      green = f(data[at - 3] * p);
      blue = f(data[at - 2] * p);
    }
    for (; at < stop; at += 4) {
      red = f(red + f(data[at] * w));
      green = f(green + f(data[at + 1] * w));
      blue = f(blue + f(data[at + 2] * w));
    }
    if (q) {
      red = f(red + f(data[stop] * q));
      green = f(green + f(data[stop + 1] * q));
      blue = f(blue + f(data[stop + 2] * q));
    }
    sum[3 * d] += f(factor * red);
    sum[3 * d + 1] += f(factor * green);
    sum[3 * d + 2] += f(factor * blue);
  }
}

/** Each new pixel is the mean of a block of old ones. @param {Pixels} image @param {Pixels} out
 * @param {number} across @param {number} down */
function meanOfBlocks(image, out, across, down) {
  const share = Math.fround(1 / (across * down)), halves = across === 2 && down === 2;
  for (let y = 0; y < out.height; y++)
    for (let x = 0; x < out.width; x++)
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let j = 0; j < down; j++)
          for (let i = 0; i < across; i++) sum += image.data[4 * ((y * down + j) * image.width + x * across + i) + c];
        out.data[4 * (y * out.width + x) + c] = halves ? (sum + 2) >> 2 : roundHalfEven(Math.fround(sum * share));
      }
  return out;
}

/** Where along an axis the two neighbours of each new pixel lie, and the share of the second, in 2048ths.
 * @param {number} from @param {number} to */
function linearTable(from, to) {
  const first = new Int32Array(to), second = new Int32Array(to), share = new Int32Array(to), scale = from / to;
  for (let d = 0; d < to; d++) {
    const at = Math.fround((d + 0.5) * scale - 0.5);
    let low = Math.floor(at), rest = Math.fround(at - low);
    if (low < 0) [low, rest] = [0, 0];
    if (low >= from - 1) [low, rest] = [from - 1, 0];
    first[d] = low;
    second[d] = Math.min(low + 1, from - 1);
    share[d] = roundHalfEven(Math.fround(rest * 2048));
  }
  return { first, second, share };
}

/** cv2.resize with INTER_LINEAR, in its fixed-point numbers.
 * @param {Pixels} image @param {number} width @param {number} height @returns {Pixels} */
export function linearResize(image, width, height) {
  if (width === image.width && height === image.height) return image;
  const across = linearTable(image.width, width), down = linearTable(image.height, height), out = blank(width, height);
  const { data } = image;
  for (let y = 0; y < height; y++) {
    const top = down.first[y] * image.width, low = down.second[y] * image.width, b1 = down.share[y], b0 = 2048 - b1;
    for (let x = 0; x < width; x++) {
      const left = across.first[x], right = across.second[x], a1 = across.share[x], a0 = 2048 - a1;
      for (let c = 0; c < 3; c++) {
        const upper = data[4 * (top + left) + c] * a0 + data[4 * (top + right) + c] * a1;
        const lower = data[4 * (low + left) + c] * a0 + data[4 * (low + right) + c] * a1;
        out.data[4 * (y * width + x) + c] = (((b0 * (upper >> 4)) >> 16) + ((b1 * (lower >> 4)) >> 16) + 2) >> 2;
      }
    }
  }
  return out;
}

/** cv2.warpAffine with INTER_LINEAR and BORDER_REPLICATE, to a square.
 * @param {Pixels} image @param {number[][]} inverse  from the square's pixels to the picture's @param {number} size
 * @returns {Pixels} */
export function warpAffine(image, inverse, size) {
  const { data, width, height } = image, out = blank(size, size), f = Math.fround;
  const [[a, b, c], [d, e, g]] = inverse.map((row) => row.map(f)); // float32, with fused multiplication and addition
  const inside = (/** @type {number} */ v, /** @type {number} */ n) => (v < 0 ? 0 : v >= n ? n - 1 : v);
  for (let y = 0; y < size; y++) {
    const startX = f(f(b * y) + c), startY = f(f(e * y) + g);
    for (let x = 0; x < size; x++) {
      const sx = f(a * x + startX), sy = f(d * x + startY);
      const ix = Math.floor(sx), iy = Math.floor(sy), alpha = f(sx - ix), beta = f(sy - iy);
      const left = inside(ix, width), right = inside(ix + 1, width);
      const top = inside(iy, height) * width, low = inside(iy + 1, height) * width;
      for (let k = 0; k < 3; k++) {
        const p = data[4 * (top + left) + k], q = data[4 * (low + left) + k];
        const upper = f(p + alpha * (data[4 * (top + right) + k] - p));
        const lower = f(q + alpha * (data[4 * (low + right) + k] - q));
        out.data[4 * (y * size + x) + k] = roundHalfEven(f(upper + beta * f(lower - upper)));
      }
    }
  }
  return out;
}
