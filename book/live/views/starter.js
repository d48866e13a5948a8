// The button in front of everything: nothing is loaded until a reader asks, on this page or on the one before.

import { h } from "./element.js";

const KEY = "handpose-live";

/** Whether the reader has started the networks on another page of this visit. */
export function wanted() {
  try {
    return sessionStorage.getItem(KEY) === "started";
  } catch {
    return false; // a browser that keeps nothing for pages from a folder
  }
}

/** @param {boolean} yes */
function remember(yes) {
  try {
    if (yes) sessionStorage.setItem(KEY, "started");
    else sessionStorage.removeItem(KEY);
  } catch {
    // the next page asks again
  }
}

/** End the networks and ask again from now on. */
export function forget() {
  remember(false);
}

const PARTS = { wasm: "runtime", bundle: "runtime", detector: "detector", gesture: "letters", worker: "worker" };

/** The starting panel. @param {any} live @param {string} what  what the button promises @param {() => Promise<any>} ready */
export function starter(live, what, ready) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Loading", hidden: true });
  const line = h("p", { class: "hl-small", role: "status" }, "Runs on your device, from this folder. Nothing leaves this page.");
  const button = h("button", { class: "hl-primary", type: "button", onclick: () => begin().then(() => focusInside()) }, what);
  const element = h("div", { class: "hl-start" }, button, bar, line);

  /** Where the button was, a keyboard goes on with what has come. */
  function focusInside() {
    if (!element.isConnected) place?.querySelector("button")?.focus({ preventScroll: true });
  }
  /** @type {HTMLElement | null} */
  let place = null;

  async function begin() {
    place = element.parentElement;
    button.disabled = true;
    bar.hidden = false;
    line.classList.remove("hl-error");
    line.textContent = "Loading the networks …";
    try {
      await live.start({
        progress: (/** @type {string} */ part, /** @type {number} */ done, /** @type {number} */ of) => {
          bar.value = done / of;
          line.textContent = done < of ? `Loading: ${PARTS[part] ?? "pose network"} …` : "Starting the networks …";
        },
      });
      remember(true);
      await ready();
      element.remove();
    } catch (error) {
      bar.hidden = true;
      button.disabled = false;
      line.classList.add("hl-error");
      line.textContent = `The networks did not start: ${error.message}.`.replace(/\.\.$/, ".");
    }
  }
  const trouble = live.obstacle();
  if (trouble) {
    button.disabled = true;
    line.classList.add("hl-error");
    line.textContent = `${trouble[0].toUpperCase()}${trouble.slice(1)}. The pictures of the book show the same without it.`;
  }
  return { element, begin, possible: !trouble };
}
