"""A page with the networks beside it, in a folder, opened in Chromium with the network off."""

import base64
from pathlib import Path

import numpy as np
import pytest

from tests import browser

#: For the page: pictures and numbers out of what Python sends.
HELPERS = """
window.bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
window.floats = (text) => new Float32Array(bytes(text).buffer);
window.rgba = ({ rgb, width, height }) => {
  const from = bytes(rgb), data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) data.set(from.subarray(3 * i, 3 * i + 3), 4 * i);
  return { data, width, height };
};
window.rgb = ({ data }) => text(Uint8Array.from(data).filter((_, i) => i % 4 < 3));
window.picture = (sent) => { const { data, width, height } = rgba(sent); return new ImageData(data, width, height); };
window.text = ({ buffer, byteOffset, byteLength }) => {
  const all = new Uint8Array(buffer, byteOffset, byteLength), part = 32768;
  let found = "";
  for (let i = 0; i < all.length; i += part) found += String.fromCharCode(...all.subarray(i, i + part));
  return btoa(found);
};
window.refusal = (promise) => promise.then(() => null, (error) => error.message);
"""


def sent(array: np.ndarray) -> str:
    """An array's bytes as `bytes` and `floats` of the page read them."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def sent_image(image: np.ndarray) -> dict:
    """(H, W, 3) uint8 as `rgba` and `picture` of the page read it."""
    return {"rgb": sent(image), "width": image.shape[1], "height": image.shape[0]}


def floats(text: str) -> np.ndarray:
    """(n,) float32 that the page sent with `text`."""
    return np.frombuffer(base64.b64decode(text), np.float32)


@pytest.fixture(scope="module")
def chromium():
    if reason := browser.missing():
        pytest.skip(reason)
    # A page of a server on this machine is one of the things tested.
    with browser.Browser("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1") as opened:
        yield opened


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Of a page with all parts of the networks."""
    if reason := browser.missing():
        pytest.skip(reason)
    from tools import live

    folder = tmp_path_factory.mktemp("page")
    live.build(folder / "_static" / "live")
    head = '<title>A page</title><link rel="icon" href="data:,"><script src="_static/live/live.js"></script>'
    (folder / "index.html").write_text(f"<!doctype html>{head}<script>{HELPERS}</script>")
    return folder


@pytest.fixture(scope="module")
def page(chromium, folder):
    """The page, started."""
    page = chromium.open(folder / "index.html")
    page.evaluate("handposeLive.start().then(() => 1)")
    return page


@pytest.fixture(scope="module")
def modules(chromium, tmp_path_factory):
    """A page with the worker's modules as ``window.modules``, and nothing else."""
    from tools import live

    text = live.join("worker").replace("const modules = {}", "const modules = window.modules = {}")
    path = tmp_path_factory.mktemp("modules") / "index.html"
    path.write_text(f"<!doctype html><title>Modules</title><script>{HELPERS}{text}</script>", "utf-8")
    return chromium.open(path).tab
