"""A headless Chromium for the tests: open a page with the network off, look, press keys, take pictures.

    with Browser() as browser:
        page = browser.open(path, width=390, dark=True)
        page.errors, page.requests, page.evaluate("document.title"), page.press("ArrowRight"), page.screenshot(file)
        page.tab        # Playwright's own page, for the rest: clicks, files, locators

Playwright drives the Chromium that is on the PATH and never downloads a browser.
"""

import lzma
import shutil
from collections.abc import Sequence
from pathlib import Path

try:
    from playwright.sync_api import Error as PlaywrightError
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None

PATH = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(__file__).with_name("book") / "axe" / "axe.min.js.xz"
PATIENCE = 120_000  # milliseconds: a busy machine is slow, and no reason to fail
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")  # fmt: skip
#: For `wait_for_function` on the page with the networks: the picture, its hand, and what they say of it are there.
SETTLED = """() => document.querySelector('.hl-all') && !document.querySelector('.hl-working')
    && !document.querySelector('.hl-waits:not([hidden])')"""


def missing() -> str | None:
    """What there is no browser for, as one line; None when there is one."""
    if PATH is None:
        return "no chromium on the PATH: the pages are not opened in a browser"
    if sync_playwright is None:
        return "playwright is not installed: the pages are not opened in a browser"
    return None


class Browser:
    """One Chromium; use it in a ``with`` statement.

    Args:
        flags: further options of Chromium's command line
    """

    def __init__(self, *flags: str):
        self._flags = flags

    def __enter__(self):
        self._playwright = sync_playwright().start()
        try:
            self._launch()
        except Exception:
            self._playwright.stop()
            raise
        return self

    def _launch(self) -> None:
        self._browser = self._playwright.chromium.launch(executable_path=PATH, args=[*FLAGS, *self._flags])
        self._context, self._own, self._page = None, False, Page(None)

    @property
    def alive(self) -> bool:
        """Whether Chromium still runs. Where it has died, and with it every page, `open` starts another."""
        return self._browser.is_connected()

    def __exit__(self, *_):
        self._browser.close()
        self._playwright.stop()

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False, **options) -> "Page":
        """Open a file and wait until it is loaded and its mathematics is typeset. The page opened before is left.

        Args:
            path: the file, or an address that begins with http
            options: of Playwright's ``new_context``, such as ``has_touch``; with any, the page has a fresh profile.
                Without, pages share one, and one tab, which is faster.
        """
        if not self.alive:
            self._launch()
        if options or self._own or self._context is None:
            self._renew(options)
        self._tab.goto("about:blank")  # the same address again would only be a reload, in its own time
        self._page = Page(self._tab)
        self._page.shape(width, height, dark=dark)
        self._page.go(path)
        return self._page

    def _renew(self, options: dict) -> None:
        if self._context is not None:
            self._context.close()
        self._own = bool(options)
        self._context = self._browser.new_context(**{"offline": True, **options})
        self._context.set_default_timeout(PATIENCE)
        self._tab = tab = self._context.new_page()
        tab.on("request", lambda request: self._page.requests.append(request.url))
        tab.on("pageerror", lambda error: self._page.errors.append(f"{error.name}: {error.message}"))
        tab.on("console", lambda message: self._page.note(message))


class Page:
    """One page, and what happened on it so far.

    Fields:
        tab: Playwright's page
        requests: the addresses of everything that the page asked for
        errors: errors in the console: exceptions, ``console.error``, failed loads
    """

    def __init__(self, tab):
        self.tab, self.requests, self.errors = tab, [], []

    def note(self, message) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} {message.location.get('url', '')}")

    def go(self, path: Path) -> None:
        """Lead the page to a file, or to an address that begins with http, and wait until it is ready."""
        address = str(path)
        self.tab.goto(address if address.startswith("http") else Path(path).resolve().as_uri())
        for left in reversed(range(50)):
            try:
                self._settle()
                break
            except PlaywrightError as error:  # index.html leads on to the first page, perhaps just now
                if not left or "navigation" not in str(error):
                    raise
                self.tab.wait_for_timeout(100)  # the state of loading is still that of the page before

    def shape(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Give the window another size and the page another colour scheme, and wait until it is drawn so."""
        self.tab.set_viewport_size({"width": width, "height": height})
        self.tab.emulate_media(color_scheme="dark" if dark else "light")
        self._drawn()

    def _settle(self) -> None:
        self.evaluate("window.MathJax?.startup?.promise?.then(() => document.fonts.ready).then(() => 1)")
        self._drawn()

    def _drawn(self) -> None:
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def evaluate(self, expression: str):
        """The value of a JavaScript expression; a promise is awaited."""
        return self.tab.evaluate(expression)

    def serious(self, within: str = "html", *, without: Sequence[str] = ()) -> list[str]:
        """What axe-core finds serious or critical in a part of the page.

        Args:
            within: a selector of CSS
            without: the names of rules that are left out
        """
        self.tab.add_script_tag(content=lzma.decompress(AXE.read_bytes()).decode())
        rules = {name: {"enabled": False} for name in without}
        # Preloading would load style sheets anew, which file:// forbids.
        options = {"resultTypes": ["violations"], "rules": rules, "preload": False}
        run = "([within, options]) => axe.run(within, options).then(all => all.violations)"
        return [
            f"{one['id']}: {one['help']} {one['nodes'][0]['html'][:200]} {one['nodes'][0].get('failureSummary')}"
            for one in self.tab.evaluate(run, [within, options])
            if one["impact"] in ("serious", "critical")
        ]

    def press(self, key: str) -> None:
        """Press and release one key, named as in ``KeyboardEvent.key``."""
        self.tab.keyboard.press(key)

    def screenshot(self, file: Path, *, full: bool = False) -> None:
        """Write a PNG of the window, or of the whole page."""
        self.tab.screenshot(path=file, full_page=full)
