// Pictures that readers bring: from a file, a drop, the clipboard; and the rendered hands that are built in.

/** Larger pictures are shrunk: a phone's canvas holds no more. */
export const MOST = 16e6;

/** The rendered hands, from a file that is only loaded now. @param {string} folder
 * @returns {Promise<{title: string, image: string, keypoints: [number, number][] | null}[]>} */
export function builtIn(folder) {
  if (window.handposeLiveHands) return Promise.resolve(window.handposeLiveHands);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${folder}hands.js`;
    script.onload = () => resolve(window.handposeLiveHands);
    script.onerror = () => reject(new Error("the rendered hands (hands.js) cannot be loaded; choose a photo of your own"));
    document.head.append(script);
  });
}

/** @param {string} address @param {string} complaint @returns {Promise<HTMLImageElement>} */
export function loaded(address, complaint) {
  const image = new Image();
  image.src = address;
  return new Promise((resolve, reject) => {
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error(complaint));
  });
}

/** A file as a picture; browsers turn it as its EXIF says.
 * @param {File|Blob} file @returns {Promise<{picture: import("./session.js").Chosen, note: string | null}>} */
export async function fromFile(file) {
  const name = "name" in file && file.name ? file.name : "What was pasted";
  if (file.type && !file.type.startsWith("image/")) throw new Error(`${name} is not a picture; choose a JPEG, PNG or WebP file`);
  const address = URL.createObjectURL(file);
  try {
    const image = await loaded(address, `${name} cannot be read as a picture; choose a JPEG, PNG or WebP file`);
    const { naturalWidth: width, naturalHeight: height } = image, shrink = Math.sqrt((width * height) / MOST);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = shrink > 1 ? [Math.round(width / shrink), Math.round(height / shrink)] : [width, height];
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (shrink > 1) {
      const options = /** @type {any} */ ({ resizeWidth: canvas.width, resizeHeight: canvas.height, resizeQuality: "medium" });
      const bitmap = await createImageBitmap(image, options).catch(() => {
        throw new Error(`${name} has ${Math.round((width * height) / 1e6)} megapixels, more than this browser can read; choose a smaller one`);
      });
      context.drawImage(bitmap, 0, 0);
      bitmap.close();
    } else context.drawImage(image, 0, 0);
    const note = shrink > 1 ? `${name} has ${Math.round((width * height) / 1e6)} megapixels; it was shrunk to ${canvas.width} × ${canvas.height} pixels.` : null;
    return { picture: { source: canvas, width: canvas.width, height: canvas.height, title: name }, note };
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** The picture in what was dropped or pasted. @param {DataTransfer | null} data */
export function fileIn(data) {
  const file = [...(data?.files ?? [])][0];
  if (!file) throw new Error("there is no picture in it; save it as a file, then choose that");
  return file;
}
