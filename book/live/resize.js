// OpenCV's mean of blocks and its affine warp of 8-bit pictures, with its rounding: networks see the same pixels
// as in Python. Pixels are RGBA in memory, as the page has them; only the three colours are computed.

/** A picture: pixels row by row, four bytes each.
 * @typedef {{data: Uint8ClampedArray | Uint8Array, width: number, height: number}} Pixels */

/** A number as cvRound gives it: halves go to the even neighbour. @param {number} value */
export function roundHalfEven(value) {
  const low = Math.floor(value), rest = value - low;
  return rest < 0.5 ? low : rest > 0.5 ? low + 1 : low % 2 === 0 ? low : low + 1;
}

/** @param {number} width @param {number} height @returns {Pixels} */
function blank(width, height) {
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

/** cv2.resize with INTER_AREA by a whole number: each pixel is the mean of a block of part of a picture. What is left
 * behind the last whole block is left out.
 * @param {Pixels} image @param {[number, number, number, number]} part  x0, y0, x1, y1, the ends not included
 * @param {number} n  side of a block @returns {Pixels} */
export function meansOfBlocks({ data, width }, [x0, y0, x1, y1], n) {
  const out = blank(Math.floor((x1 - x0) / n), Math.floor((y1 - y0) / n)), share = Math.fround(1 / (n * n));
  const pixels = new Uint32Array(data.buffer, data.byteOffset, data.length / 4); // four bytes each, red first
  const mean = (/** @type {number} */ sum) => (n === 2 ? (sum + 2) >> 2 : roundHalfEven(Math.fround(sum * share)));
  for (let y = 0, to = 0; y < out.height; y++)
    for (let x = 0; x < out.width; x++, to += 4) {
      let red = 0, green = 0, blue = 0;
      for (let j = 0; j < n; j++) {
        const start = (y0 + y * n + j) * width + x0 + x * n;
        for (let at = start; at < start + n; at++) {
          const pixel = pixels[at];
          red += pixel & 255;
          green += (pixel >>> 8) & 255;
          blue += (pixel >>> 16) & 255;
        }
      }
      out.data[to] = mean(red);
      out.data[to + 1] = mean(green);
      out.data[to + 2] = mean(blue);
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
