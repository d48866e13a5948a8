// Choose: a rendered hand, a photo, the camera.

import { camera } from "./camera.js";
import { h, step, unique } from "./element.js";
import { builtIn, fileIn, fromFile, loaded } from "./pictures.js";

/** @param {import("./session.js").Session} session @param {{folder: string, root: HTMLElement, compact: boolean}} where */
export function choose(session, { folder, root, compact }) {
  const strip = h("div", { class: "hl-strip", role: "group", "aria-label": "Rendered hands" });
  const input = h("input", { type: "file", accept: "image/*", class: "hl-hidden", id: unique("file"), tabindex: -1, "aria-label": "A photo",
    onchange: () => input.files[0] && open(() => input.files[0]).then(() => (input.value = "")) }); // prettier-ignore
  const photo = h("button", { type: "button", onclick: () => input.click() }, "A photo …");
  const error = h("p", { class: "hl-error", role: "alert" }), note = h("p", { class: "hl-small", role: "status" });
  const filming = camera(session);
  const hint = compact ? null : h("p", { class: "hl-small" }, "Or drop a photo here, or paste one. It stays on your device: nothing leaves this page.");
  const element = step("Choose a hand", "Six rendered hands are built in; a photo or the camera takes yours.",
    strip, h("div", { class: "hl-row" }, photo, filming.button, input), filming.element, hint, error, note); // prettier-ignore

  /** @param {() => File} which */
  function open(which) {
    filming.stop();
    return session.trying(async () => {
      const { picture, note } = await fromFile(which());
      mark(null);
      await session.choose(picture, note);
    });
  }

  /** @param {HTMLElement | null} chosen */
  function mark(chosen) {
    for (const one of strip.children) one.setAttribute("aria-pressed", String(one === chosen));
  }

  /** @param {DragEvent} event */
  function over(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    root.classList.toggle("hl-over", event.type === "dragover");
    if (event.type === "drop") open(() => fileIn(event.dataTransfer));
  }
  for (const type of ["dragover", "dragleave", "drop"]) root.addEventListener(type, over);
  document.addEventListener("paste", (event) => {
    if (event.target instanceof Element && event.target.closest("input[type=text], input[type=search], textarea")) return;
    if (event.clipboardData?.files.length) open(() => fileIn(event.clipboardData));
    else if (root.contains(document.activeElement)) session.set({ error: "there is no picture on the clipboard; copy one first" });
  });

  /** Show the hands, and choose the first. */
  async function begin() {
    const hands = await builtIn(folder);
    for (const { title, image, keypoints } of hands) {
      const button = h("button", { type: "button", class: "hl-thumb", "aria-pressed": "false", title }, h("img", { src: image, alt: title }));
      button.addEventListener("click", () => {
        filming.stop();
        mark(button);
        return session.trying(async () => {
          const source = await loaded(image, `${title} cannot be shown`);
          await session.choose({ source, width: source.naturalWidth, height: source.naturalHeight, title, truth: keypoints ?? undefined });
        });
      });
      strip.append(button);
    }
    strip.firstElementChild?.click();
  }

  return {
    element,
    begin,
    stop: filming.stop,
    /** @param {any} state @param {Set<string>} changed */
    update(state, changed) {
      if (changed.has("error")) error.textContent = state.error ? sentence(state.error) : "";
      if (changed.has("note")) note.textContent = state.note ?? "";
    },
  };
}

/** @param {string} text */
function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
