// The files that a start needs. Opened from a folder, a page cannot read files: each part is then a script that holds it as
// base64. From a server the worker streams the plain file. Both are compressed with gzip.

/** Where a part is: its text in base64, or its address. @typedef {{base64: string} | {address: string}} Part */

/** @param {Part} part @returns {Promise<Uint8Array>} */
export async function bytesOf(part) {
  let body;
  if ("base64" in part) {
    const text = atob(part.base64), bytes = new Uint8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    body = new Blob([bytes]).stream();
  } else {
    const answer = await fetch(part.address).catch(() => null);
    if (!answer?.ok) throw new Error(`${part.address} cannot be loaded${answer ? ` (${answer.status})` : ""}; try again, or open the book from a folder`);
    body = answer.body;
  }
  return new Uint8Array(await new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

/** A part, ready to be sent to the worker. @param {string} folder  address of the parts, with a slash @param {string} name
 * @returns {Promise<Part>} */
export function partOf(folder, name) {
  if (!folder.startsWith("file:")) return Promise.resolve({ address: `${folder}${name}.bin` });
  return new Promise((resolve, reject) => {
    const script = document.createElement("script"), kept = (window.handposeLiveParts ??= {});
    script.src = `${folder}${name}.js`;
    script.onload = () => {
      const base64 = kept[name];
      delete kept[name];
      script.remove();
      if (base64) resolve({ base64 });
      else reject(new Error(`${name}.js in _static/live is damaged; build or copy the book again`));
    };
    script.onerror = () => {
      script.remove();
      reject(new Error(`${name}.js is missing in _static/live; copy the whole folder of the book`));
    };
    document.head.append(script);
  });
}
