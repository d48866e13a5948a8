// An image of the page, as it can be sent to the worker: handpose/data/pictures.py.

/** What fits the memory of a phone; a larger image is shrunk on the way. */
const MAX_PIXELS = 25_000_000;
const WHAT = "give an image, a canvas, a video, an ImageBitmap, ImageData, or the Blob of a picture";

/** @param {any} image @param {string} name */
function is(image, name) {
  return typeof globalThis[name] === "function" && image instanceof globalThis[name];
}

/** Width and height of what can be drawn, in its own pixels. @param {any} image @returns {[number, number]} */
function sizeOf(image) {
  if (is(image, "HTMLImageElement")) return [image.naturalWidth, image.naturalHeight];
  if (is(image, "HTMLVideoElement")) return [image.videoWidth, image.videoHeight];
  return [image.width, image.height];
}

/** The picture in a file, not yet decoded. @param {Blob} blob @returns {Promise<HTMLImageElement>} */
async function pictureIn(blob) {
  const address = URL.createObjectURL(blob), image = new Image();
  image.src = address;
  const name = "name" in blob && blob.name ? blob.name : "the file";
  return new Promise((resolve, reject) => {
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error(`${name} is not a picture that this browser can read; save it as JPEG or PNG`));
  }).finally(() => setTimeout(() => URL.revokeObjectURL(address), 60_000)); // it may be decoded later
}

/** An image as the worker takes it, with the size it was given in.
 * @param {any} image
 * @returns {Promise<{sent: import("./worker.js").Sent, transfer: Transferable[], width: number, height: number}>} */
export async function prepared(image) {
  if (is(image, "Blob")) image = await pictureIn(image);
  const known = ["HTMLImageElement", "HTMLVideoElement", "HTMLCanvasElement", "OffscreenCanvas", "ImageBitmap", "ImageData"];
  if (!known.some((name) => is(image, name))) throw new Error(`${image === null ? "null" : typeof image} is not an image; ${WHAT}`);
  if (is(image, "HTMLImageElement") && !image.complete) await image.decode().catch(() => {});
  const [width, height] = sizeOf(image);
  if (!width || !height) {
    const video = is(image, "HTMLVideoElement");
    throw new Error(video ? "the video has no picture yet; wait for its first frame" : "the image is empty or could not be loaded");
  }
  const shrink = Math.ceil(Math.sqrt((width * height) / MAX_PIXELS));
  if (shrink === 1 && is(image, "ImageData")) {
    const data = new Uint8ClampedArray(image.data);
    return { sent: { pixels: { data, width, height }, scale: 1 }, transfer: [data.buffer], width, height };
  }
  const options = /** @type {ImageBitmapOptions} */ ({ colorSpaceConversion: "none" });
  const small = Math.round(width / shrink);
  if (shrink > 1) Object.assign(options, { resizeWidth: small, resizeHeight: Math.round(height / shrink), resizeQuality: "high" });
  const bitmap = await createImageBitmap(image, options).catch((error) => {
    throw new Error(`the image cannot be read (${error.message}); a smaller one may do`);
  });
  return { sent: { bitmap, scale: width / small }, transfer: [bitmap], width, height };
}
