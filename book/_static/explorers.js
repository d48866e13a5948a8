// The controls of an explorer on the page (handpose/book/explore.py), which brings a slider for each of its values.
// Where the values are names, what they name takes the slider's place: a hand whose joints are clicked, small pictures,
// or buttons. All three are groups of radio buttons, so Tab, the arrow keys and a screen reader work as in any form.
// The slider stays as a hidden field, and the explorer's own script goes on reading it. A slider of numbers stays.
(() => {
  "use strict";

  // handpose.skeleton.JOINTS and a right hand seen from its palm, as in the chapters' pictures: pixels of the control
  const FINGERS = {
    thumb: [[160, 214], [193, 186], [216, 155], [230, 121]],
    index: [[158, 138], [166, 103], [171, 70], [174, 38]],
    middle: [[125, 131], [125, 94], [124, 58], [122, 24]],
    ring: [[92, 138], [87, 102], [82, 68], [77, 36]],
    little: [[62, 156], [49, 127], [39, 99], [30, 71]],
  };
  const WRIST = [118, 236], WIDTH = 250, HEIGHT = 256;
  const PARTS = (finger) => (finger === "thumb" ? ["CMC", "MCP", "IP", "tip"] : ["MCP", "PIP", "DIP", "tip"]);
  const JOINTS = new Map([["wrist", { at: WRIST, finger: "wrist" }]]);
  for (const [finger, points] of Object.entries(FINGERS))
    points.forEach((at, i) => JOINTS.set(`${finger} ${PARTS(finger)[i]}`, { at, finger }));

  // Sliders whose positions the pictures themselves tell apart: the lower square of each, without its title
  const PICTURED = ["Head", "Sample number"];
  const isNumber = (text) => /^[-+−]?\.?\d/.test(text);

  const make = (name, className = "", ...inside) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    element.append(...inside);
    return element;
  };

  /** What one explorer's own script holds: the texts of each slider's positions, and all pictures with their words. */
  const read = (figure) => {
    const code = figure.querySelector("script").textContent;
    const found = (pattern) => JSON.parse(pattern.exec(code)[1]);
    return { labels: found(/ labels = (\[\[.*\]\]);$/m), frames: found(/ frames = (\[\[.*\]\]), image = /) };
  };

  /** A group of radio buttons instead of a slider; `dress(option, text, i)` puts into each option what one sees. */
  function choice(figure, slider, texts, kind, dress) {
    const before = slider.closest("label"), title = slider.getAttribute("aria-label"), name = `${figure.id}-${title}`;
    const legend = make("legend", "", ...before.childNodes);
    const options = make("div", "options");
    texts.forEach((text, i) => {
      const radio = make("input"), option = make("label", "", radio);
      Object.assign(radio, { type: "radio", name, value: i, checked: i === Number(slider.value), autocomplete: "off" });
      dress(option, text, i);
      options.append(option);
    });
    slider.type = "hidden";
    options.addEventListener("change", (event) => {
      slider.value = event.target.value;
      slider.dispatchEvent(new Event("input"));
    });
    const group = make("fieldset", `choice ${kind}`, legend, options);
    group.setAttribute("aria-label", title);
    before.replaceWith(group);
    return group;
  }

  const buttons = (figure, slider, texts) =>
    choice(figure, slider, texts, "buttons", (option, text) => option.append(make("span", "", text)));

  function joints(figure, slider, texts) {
    const group = choice(figure, slider, texts, "joints", (option, text) => {
      const { at: [x, y], finger } = JOINTS.get(text);
      option.append(make("span", `dot ${finger}`), make("span", "unseen", text));
      option.title = text;
      option.style.left = `${x}px`;
      option.style.top = `${y}px`;
    });
    const bones = Object.entries(FINGERS).map(([finger, points]) =>
      `<polyline class="${finger}" points="${[WRIST, ...points].join(" ")}"/>`);
    const dots = [...JOINTS.values()].map(({ at: [x, y] }) => `<circle cx="${x}" cy="${y}" r="3.5"/>`);
    const size = `viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}"`;
    group.querySelector(".options").insertAdjacentHTML(
      "afterbegin", `<svg ${size} aria-hidden="true">${bones.join("")}${dots.join("")}</svg>`);
  }

  function thumbnails(figure, slider, texts, { labels, frames }) {
    const sliders = [...figure.querySelectorAll(":is(input[type=range], input[type=hidden])")];
    const pictures = [];
    choice(figure, slider, texts, "thumbnails", (option, text) => {
      const picture = make("img", "dark-light");
      picture.alt = ""; // its name stands below it
      pictures.push(picture);
      option.append(picture, make("span", "", text));
    });
    const draw = () => pictures.forEach((picture, i) => {
      const at = sliders.reduce((sum, s, k) => sum * labels[k].length + (s === slider ? i : Number(s.value)), 0);
      picture.src = frames[at][0];
    });
    sliders.filter((other) => other !== slider).forEach((other) => other.addEventListener("input", draw));
    draw();
  }

  function improve(figure) {
    const sliders = [...figure.querySelectorAll("input[type=range]")], held = read(figure);
    sliders.forEach((slider, k) => {
      const texts = held.labels[k];
      if (texts.every((text) => JOINTS.has(text))) joints(figure, slider, texts);
      else if (PICTURED.includes(slider.getAttribute("aria-label"))) thumbnails(figure, slider, texts, held);
      else if (!texts.every(isNumber)) buttons(figure, slider, texts);
    });
    const left = figure.querySelectorAll("input[type=range]").length;
    if (left === sliders.length) return;
    const drag = left ? `, drag the slider${left > 1 ? "s" : ""}` : "";
    figure.querySelector("figcaption").textContent = `Choose${drag}, or use the arrow keys.`;
  }

  const all = () => document.querySelectorAll("figure.explorer").forEach(improve);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
