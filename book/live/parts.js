// The files that a start needs. A page opened from a folder cannot read files, but it can load scripts: each part is a script
// that holds it in base64, compressed with gzip. From a server they are the same files; servers that compress what they
// send take away what base64 adds.

/** A part in base64. @typedef {string} Part */

/** @param {Part} part @returns {Promise<Uint8Array>} */
export async function bytesOf(part) {
  const text = atob(part), bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  // By a Response: in the worker of a page from a folder, WebKit cannot read a Blob.
  const unpacked = new Response(bytes).body.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

/** A part, ready to be sent to the worker. @param {string} folder  address of the parts, with a slash @param {string} name
 * @returns {Promise<Part>} */
export function partOf(folder, name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script"), kept = (window.handposeLiveParts ??= {});
    script.src = `${folder}${name}.js`;
    script.onload = () => {
      const part = kept[name];
      delete kept[name];
      script.remove();
      if (part) resolve(part);
      else reject(new Error(`${name}.js in _static/live is damaged; build or copy the book again`));
    };
    script.onerror = () => {
      script.remove();
      reject(new Error(`${name}.js in _static/live cannot be loaded; copy the whole folder of the book, or try again`));
    };
    document.head.append(script);
  });
}
