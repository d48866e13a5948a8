"""Firefox and WebKit, which is Safari's engine, for the tests; most are done by Chromium, in tests/browser.py.

    with Firefox(folder) as engine:         # or WebKit(folder); a folder for its profile and its log
        engine.go(path)
        engine.evaluate("document.title")

Each is driven by what its own package brings, Firefox by the protocol Marionette and WebKitGTK by WebKitWebDriver, so
nothing more is installed for it. Neither may reach a network beyond this machine.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE = 120  # seconds: a busy machine is slow, and no reason to fail
AWAITED = """const done = arguments[arguments.length - 1], given = arguments[0];
Promise.resolve().then(() => (%s)).then((value) => done({ value }), (error) => done({ error: String(error) }))"""
PREFERENCES = {
    "marionette.port": 0,  # a free one
    "network.proxy.type": 1,  # every address of a network goes to a proxy that is not there
    "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": 9,
}  # fmt: skip


class EngineError(RuntimeError):
    """The browser did not start, or refused a command."""


class Engine:
    """A browser in a process of its own, with one tab."""

    program = ""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.running: list[subprocess.Popen] = []

    @classmethod
    def missing(cls) -> str | None:
        """What there is no such browser for, as one line; None when there is one."""
        found = shutil.which(cls.program)
        return None if found else f"no {cls.program} on the PATH: the pages are not opened in {cls.__name__}"

    def __enter__(self):
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(EngineError, OSError):
            self._close()
        for process in reversed(self.running):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def go(self, path: Path) -> None:
        """Open a file, or an address that begins with http, and wait until it is loaded."""
        address = str(path)
        self.evaluate("window.leaving = true")
        self._send("url", {"url": address if address.startswith("http") else Path(path).resolve().as_uri()})
        self.wait("!window.leaving && document.readyState === 'complete'")

    def evaluate(self, expression: str, given=None):
        """The value of a JavaScript expression, in which ``given`` may stand; a promise is awaited."""
        result = self._send("execute/async", {"script": AWAITED % expression, "args": [given]})
        if "error" in result:
            raise EngineError(result["error"])
        return result.get("value")

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        for _ in range(10 * PATIENCE):
            if self.evaluate(f"!!({condition})"):
                return
            time.sleep(0.1)
        raise EngineError(f"this never came true: {condition}")

    def _start(self, *command: str, **environment: str) -> subprocess.Popen:
        with (self.folder / f"{Path(command[0]).name}.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environment})
        self.running.append(process)
        return process

    def _until(self, what, process: subprocess.Popen):
        """What a function gives, once it gives something and no OSError."""
        for _ in range(10 * PATIENCE):
            with contextlib.suppress(OSError):
                if found := what():
                    return found
            if process.poll() is not None:
                break
            time.sleep(0.1)
        raise EngineError(f"{type(self).__name__} did not start; see {self.folder}")


class Firefox(Engine):
    """Firefox, without a window, by https://firefox-source-docs.mozilla.org/testing/marionette/."""

    program = "firefox-esr" if shutil.which("firefox-esr") else "firefox"
    COMMANDS = {"url": "WebDriver:Navigate", "execute/async": "WebDriver:ExecuteAsyncScript",
                "timeouts": "WebDriver:SetTimeouts"}  # fmt: skip

    def _open(self) -> None:
        profile = self.folder / "profile"
        profile.mkdir()
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("".join(lines))
        process = self._start(self.program, "--headless", "--marionette", "--no-remote", "--profile", str(profile),
                              HOME=str(self.folder))  # fmt: skip
        port = self._until(lambda: (profile / "MarionetteActivePort").read_text(), process)
        self.socket = socket.create_connection(("127.0.0.1", int(port)), PATIENCE)
        self.stream, self.count = self.socket.makefile("rb"), 0
        self._read()
        self._command("WebDriver:NewSession", {})
        self._send("timeouts", {"script": 1000 * PATIENCE, "pageLoad": 1000 * PATIENCE})

    def _read(self):
        length = b""
        while (digit := self.stream.read(1)) != b":":
            if not digit:
                raise EngineError("Firefox ended")
            length += digit
        return json.loads(self.stream.read(int(length)))

    def _send(self, what: str, given: dict):
        return self._command(self.COMMANDS[what], given)

    def _command(self, name: str, given: dict):
        self.count += 1
        body = json.dumps([0, self.count, name, given]).encode()
        self.socket.sendall(str(len(body)).encode() + b":" + body)
        _, _, error, result = self._read()
        if error:
            raise EngineError(error["message"])
        return result["value"] if set(result) == {"value"} else result

    def _close(self) -> None:
        self._command("Marionette:Quit", {"flags": ["eForceQuit"]})
        self.running[-1].wait(20)


class WebKit(Engine):
    """WebKitGTK's small browser on a screen that nobody sees, by the protocol WebDriver."""

    program = "WebKitWebDriver"

    @classmethod
    def missing(cls) -> str | None:
        return super().missing() or (None if shutil.which("Xvfb") else "no Xvfb on the PATH: WebKit has no screen")

    def _open(self) -> None:
        screen = self.folder / "screen"
        with screen.open("w") as file:
            display = self._start_display(file)
        number = self._until(lambda: screen.read_text().strip(), display)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        nowhere = "http://127.0.0.1:9"
        places = ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
        driver = self._start(self.program, f"--port={port}", **dict.fromkeys(places, str(self.folder)),
                             DISPLAY=f":{number}", GDK_BACKEND="x11", LIBGL_ALWAYS_SOFTWARE="1",
                             http_proxy=nowhere, https_proxy=nowhere, no_proxy="127.0.0.1")  # fmt: skip
        self.address = f"http://127.0.0.1:{port}/session"
        self._until(lambda: socket.create_connection(("127.0.0.1", port), 1), driver).close()
        arguments = ["--automation", "--geometry=1280x900"]
        options = {"webkitgtk:browserOptions": {"args": arguments}, "pageLoadStrategy": "none"}  # `go` waits
        about = self._request("POST", self.address, {"capabilities": {"alwaysMatch": options}})
        self.address = f"{self.address}/{about['sessionId']}"
        self._send("timeouts", {"script": 1000 * PATIENCE, "pageLoad": 1000 * PATIENCE})

    def _start_display(self, file) -> subprocess.Popen:
        command = ["Xvfb", "-displayfd", str(file.fileno()), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]
        with (self.folder / "Xvfb.log").open("w") as log:
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log, pass_fds=[file.fileno()]))
        return self.running[-1]

    def _send(self, what: str, given: dict):
        return self._request("POST", f"{self.address}/{what}", given)

    def _request(self, method: str, address: str, given: dict | None = None):
        body = None if given is None else json.dumps(given).encode()
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise EngineError(json.load(error)["value"]["message"]) from None

    def _close(self) -> None:
        self._request("DELETE", self.address)
