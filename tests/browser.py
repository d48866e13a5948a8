"""A headless Chromium for the tests: open a page from a folder with the network off, look, press keys, take pictures.

    with Browser() as browser:
        page = browser.open(path, width=390, dark=True)
        page.errors, page.requests, page.evaluate("document.title"), page.press("ArrowRight"), page.screenshot(file)

It speaks the DevTools protocol over a web socket (the client comes with JupyterLab) and needs nothing else.
"""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import websocket

PATH = shutil.which("chromium") or shutil.which("chromium-browser")
KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9, "Enter": 13, "Home": 36, "End": 35}
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--mute-audio", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip


class Browser:
    """One Chromium with a fresh profile; use it in a ``with`` statement."""

    def __enter__(self):
        self._profile = tempfile.TemporaryDirectory(prefix="handpose-chromium-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [PATH, *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._socket = websocket.create_connection(self._address(), timeout=30, suppress_origin=True)
        except Exception:
            self.__exit__()
            raise
        self._last = 0
        self._events: list[dict] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        return self

    def __exit__(self, *_):
        if hasattr(self, "_socket"):
            self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()

    def _address(self) -> str:
        file = Path(self._profile.name) / "DevToolsActivePort"
        until = time.monotonic() + 60
        while time.monotonic() < until and self._process.poll() is None:
            lines = file.read_text().split() if file.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.05)
        raise RuntimeError("chromium did not start")

    def call(self, method: str, **parameters):
        """One command of the DevTools protocol; what happens meanwhile is kept in the list of events."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._events.append(answer)

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> "Page":
        """Open a file and wait until it is loaded and its mathematics is typeset."""
        self.call("Page.navigate", url="about:blank")  # the same address again would only be a reload, in its own time
        self._events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        page = Page(self)
        until = time.monotonic() + 30
        while page.evaluate("document.readyState") != "complete":
            if time.monotonic() > until:
                raise RuntimeError(f"{path} did not load")
            time.sleep(0.02)
        page.evaluate("window.MathJax?.startup?.promise?.then(() => document.fonts.ready).then(() => 1)")
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        return page


class Page:
    def __init__(self, browser: Browser):
        self.browser = browser

    def evaluate(self, expression: str):
        """The value of a JavaScript expression; a promise is awaited."""
        result = self.browser.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release one key of ``KEYS``, or type one character."""
        code = KEYS.get(key, ord(key.upper()) if len(key) == 1 else 0)
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.browser.call("Input.dispatchKeyEvent", type="keyDown", **common)
        self.browser.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """Write a PNG of the window, or of the whole page."""
        area = {}
        if whole:
            size = self.browser.call("Page.getLayoutMetrics")["cssContentSize"]
            area = {"clip": {**size, "scale": 1}, "captureBeyondViewport": True}
        Path(file).write_bytes(base64.b64decode(self.browser.call("Page.captureScreenshot", **area)["data"]))

    @property
    def requests(self) -> list[str]:
        """The addresses of everything that the page asked for so far."""
        return [e["params"]["request"]["url"] for e in self._events("Network.requestWillBeSent")]

    @property
    def errors(self) -> list[str]:
        """Errors in the console: exceptions, ``console.error``, failed loads."""
        thrown = [e["params"]["exceptionDetails"] for e in self._events("Runtime.exceptionThrown")]
        found = [d.get("exception", {}).get("description", d["text"]) for d in thrown]
        for event in self._events("Runtime.consoleAPICalled"):
            if event["params"]["type"] == "error":
                found.append(" ".join(str(a.get("value", a.get("description"))) for a in event["params"]["args"]))
        entries = [SimpleNamespace(**e["params"]["entry"]) for e in self._events("Log.entryAdded")]
        return found + [f"{e.text} {getattr(e, 'url', '')}" for e in entries if e.level == "error"]

    def _events(self, method: str) -> list[dict]:
        return [event for event in self.browser._events if event.get("method") == method]
