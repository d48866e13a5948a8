// The camera: hands followed from frame to frame, until one frame is frozen for the steps below.

import { drawBox, drawHand } from "./drawing.js";
import { h } from "./element.js";

const WHY = {
  NotAllowedError: "the camera was refused; allow it in the browser's address bar, or choose a photo",
  NotFoundError: "there is no camera here; choose a photo instead",
  NotReadableError: "the camera is in use by another program; close that, then try again",
  OverconstrainedError: "there is no camera here that fits; choose a photo instead",
};
const FOLDER = "this browser gives no camera to pages from a folder; run `make serve`, or choose a photo";

/** @param {import("./session.js").Session} session */
export function camera(session) {
  const canvas = h("canvas", { class: "hl-picture", role: "img", "aria-label": "The camera's picture with the hands found in it" });
  const rate = h("p", { class: "hl-small", role: "status" });
  const freeze = h("button", { type: "button", class: "hl-primary", onclick: frozen }, "Freeze this frame");
  const end = h("button", { type: "button", onclick: () => stop() }, "Stop the camera");
  const element = h("div", { class: "hl-camera", hidden: true }, canvas, h("div", { class: "hl-row" }, freeze, end), rate);
  const button = h("button", { type: "button", onclick: () => (stream ? stop() : begin()) }, "The camera");
  /** @type {MediaStream | null} */
  let stream = null;
  let turn = 0;
  const frame = h("canvas"), video = h("video", { muted: true, playsinline: true });

  async function begin() {
    session.set({ error: null, note: null });
    const mine = ++turn;
    try {
      if (!navigator.mediaDevices?.getUserMedia) throw new Error(FOLDER);
      const got = await navigator.mediaDevices.getUserMedia({ audio: false, video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" } });
      if (mine !== turn) return got.getTracks().forEach((track) => track.stop());
      stream = got;
      stream.getVideoTracks()[0].addEventListener("ended", () => stop("the camera was taken away; start it again or choose a photo"));
      video.srcObject = stream;
      await video.play();
    } catch (error) {
      return stop(WHY[error.name] ?? error.message);
    }
    element.hidden = false;
    button.setAttribute("aria-pressed", "true");
    canvas.classList.toggle("hl-mirror", stream.getVideoTracks()[0].getSettings().facingMode !== "environment");
    await follow(mine);
  }

  /** @param {number} mine */
  async function follow(mine) {
    const tracker = session.live.tracker({});
    let last = performance.now(), each = 0, told = 0;
    try {
      while (mine === turn) {
        if (document.hidden) {
          rate.textContent = "Paused while this tab is hidden.";
          await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
          last = performance.now();
          each = 0;
          continue;
        }
        [frame.width, frame.height] = [video.videoWidth, video.videoHeight];
        frame.getContext("2d").drawImage(video, 0, 0);
        const { hands } = await tracker.next(frame);
        if (mine !== turn) break;
        show(hands);
        const now = performance.now();
        each = each ? 0.9 * each + 0.1 * (now - last) : now - last;
        last = now;
        if (now - told > 500) {
          told = now;
          const letter = hands[0]?.gesture;
          rate.textContent = `${(1000 / each).toFixed(0)} frames a second. ${hands.length ? `${hands.length} hand${hands.length > 1 ? "s" : ""}` : "No hand"} in sight${letter ? `, reads ${letter[0]}` : ""}. Nothing leaves this page.`;
        }
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
    } catch (error) {
      stop(error.message);
    } finally {
      tracker.close();
    }
  }

  /** @param {any[]} hands */
  function show(hands) {
    [canvas.width, canvas.height] = [frame.width, frame.height];
    const context = canvas.getContext("2d");
    context.drawImage(frame, 0, 0);
    for (const { box, keypoints, scores } of hands) {
      drawBox(context, box, "#56b4e9", { width: 2 });
      drawHand(context, keypoints, { width: Math.max(2, (box[2] - box[0]) / 60), scores });
    }
  }

  function frozen() {
    const still = h("canvas", { width: frame.width, height: frame.height });
    still.getContext("2d").drawImage(frame, 0, 0);
    stop();
    session.choose({ source: still, width: still.width, height: still.height, title: "A frame of your camera" }, "One frame is frozen. The steps below look at it.");
  }

  /** @param {string} [why] */
  function stop(why) {
    turn++;
    stream?.getTracks().forEach((track) => track.stop());
    stream = video.srcObject = null;
    element.hidden = true;
    button.setAttribute("aria-pressed", "false");
    rate.textContent = "";
    if (why) session.set({ error: why });
  }

  return { button, element, stop: () => stop() };
}
