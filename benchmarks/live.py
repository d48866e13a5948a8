"""How fast the networks run in the page, opened from a folder with the network off, and whether memory grows.

    python benchmarks/live.py [--frames 300] [--photo FILE]

Needs Chromium and playwright. Wall time is what a reader waits; processor time is that of all of Chromium's processes,
and says what an idle machine would take where others work on this one.
"""

import argparse
import base64
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from handpose.data import SyntheticHands  # noqa: E402
from tests import browser  # noqa: E402
from tools import live  # noqa: E402

TIMED = """async (call) => { const before = performance.now(), result = await eval(call);
    return { wall: performance.now() - before, ms: result?.ms ?? null, hands: result?.hands?.length ?? null }; }"""
LOADED = """async (data) => { const raw = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    window.photo = new Blob([raw]); window.image = await createImageBitmap(photo); }"""
FRAMES = """async ([number, threshold]) => {
    window.tracker ??= handposeLive.tracker({ threshold });
    window.canvas ??= Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
    const context = canvas.getContext("2d"); let seen = 0, looks = 0;
    for (let i = 0; i < number; i++) {
        context.fillStyle = "#777"; context.fillRect(0, 0, 640, 480);
        context.save(); context.translate(320, 240); context.rotate(Math.sin(i / 20)); context.drawImage(image, -180, -180, 360, 360);
        context.restore();
        const { hands, looked } = await tracker.next(canvas);
        seen += hands.length > 0; looks += looked;
    }
    return { seen, looks }; }"""  # noqa: E501


def processes() -> list[int]:
    """All that this program started, and what those started."""
    parents = {}
    for stat_file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat_file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat_file.parent.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


def cost() -> tuple[float, float]:
    """Processor seconds and resident megabytes of those processes."""
    seconds = pages = 0
    for process in processes():
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except OSError:
            continue
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(tab, call: str, times: int = 1) -> dict:
    """Median wall and mean processor milliseconds of a call in the page."""
    before, runs = cost()[0], [tab.evaluate(TIMED, call) for _ in range(times)]
    used = 1000 * (cost()[0] - before) / times
    wall = sorted(run["wall"] for run in runs)[times // 2]
    parts = {k: round(v, 1) for k, v in (runs[-1]["ms"] or {}).items()}
    return {"wall_ms": round(wall, 1), "processor_ms": round(used, 1), "hands": runs[-1]["hands"], "parts": parts}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--photo", type=Path, help="a JPEG; a rendered hand of 1600x1200 pixels if not given")
    asked = parser.parse_args()
    if reason := browser.missing():
        print(f"handpose: {reason}", file=sys.stderr)
        return 1
    sample = SyntheticHands(seed=0, split="test", size=256)[0]
    with tempfile.TemporaryDirectory() as folder, browser.Browser() as chromium:
        folder = Path(folder)
        live.build(folder / "live")
        (folder / "index.html").write_text('<!doctype html><title>Live</title><script src="live/live.js"></script>')
        photo = asked.photo.read_bytes() if asked.photo else rendered(sample.image)
        page = chromium.open(folder / "index.html")
        tab, before = page.tab, cost()[0]
        report = {"load": os.getloadavg(), "start": measure(tab, "handposeLive.start()")}
        tab.evaluate(LOADED, base64.b64encode(photo).decode())
        predict = "handposeLive.predict(photo)"
        report["first photo"], report["photo"] = measure(tab, predict), measure(tab, predict, 15)
        report["hand in a box"] = measure(tab, "handposeLive.predict(image, {boxes: [[100, 100, 500, 600]]})", 15)
        report["attention"] = measure(tab, "handposeLive.attention(image, [100, 100, 500, 600])", 5)
        tab.evaluate(FRAMES, [20, 0.5])
        memory, before, started = [cost()[1]], cost()[0], time.perf_counter()
        for _ in range(3):
            measured = tab.evaluate(FRAMES, [asked.frames // 3, 0.5])
            memory.append(cost()[1])
        each = asked.frames // 3 * 3
        report["frames"] = {
            **measured, "wall_ms": round(1000 * (time.perf_counter() - started) / each, 1),
            "processor_ms": round(1000 * (cost()[0] - before) / each, 1), "megabytes": [round(m) for m in memory],
        }  # fmt: skip
        report["errors"], report["requests"] = page.errors, [r for r in page.requests if not r.startswith("file:")]
    print(json.dumps(report, indent=1))
    return 0


def rendered(image: np.ndarray) -> bytes:
    """A JPEG of 1600x1200 pixels with a rendered hand in it."""
    large = np.full((1200, 1600, 3), 128, np.uint8)
    large[100:1100, 300:1300] = cv2.resize(image, (1000, 1000), interpolation=cv2.INTER_CUBIC)
    file = io.BytesIO()
    Image.fromarray(large).save(file, "JPEG", quality=92)
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
