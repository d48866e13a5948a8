"""Build the book into _build/html, warnings as errors, and say where to open it.

    python tools/book.py            does nothing when nothing has changed since the last good build
    python tools/book.py --force    builds in any case
    python tools/book.py --zip      and packs it into _build/handpose-book.zip, to be handed out
    python tools/book.py --serve    and serves it on this machine, for browsers that give a page from a folder no camera
    python tools/book.py --without-solutions    packs a book whose exercises have none, downloads included, nor its
                                                questions for instructors answers

A changed book is built from nothing rather than page by page: Sphinx repeats a page's warnings only when it reads that
page again, so an incremental build would pass on the second try.
"""

import argparse
import contextlib
import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for `tools`, when this file is run by itself
BUILD = ROOT / "_build"
INDEX = BUILD / "html" / "index.html"
STAMP = BUILD / "built"
PACKED = "handpose-book"
# Folders whose files a page may show; results and the package are there because pages may include parts of them.
INPUTS = ("_config.yml", "requirements.txt", "book", "handpose", "tools/book.py", "tools/live.py",
          "tools/live_networks.py", "tools/live_runtime.py")  # fmt: skip
NOT_INPUTS = {"__pycache__", ".ipynb_checkpoints", "class"}


def fingerprint() -> str:
    digest = hashlib.sha256(sys.prefix.encode())
    for name in INPUTS:
        path = ROOT / name
        for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
            if not NOT_INPUTS.intersection(file.parts):
                digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def is_current() -> bool:
    return INDEX.exists() and STAMP.exists() and STAMP.read_text() == fingerprint()


def build(*, force: bool = False) -> str | None:
    """Build if needed.

    :param force: build even when nothing changed
    :returns: None when the book stands, else the builder's output
    """
    # Two at once, as in tests that run in several processes, would take each other's files away.
    mark = hashlib.sha256(str(ROOT).encode()).hexdigest()[:16]
    with FileLock(Path(tempfile.gettempdir()) / f"handpose-book-{mark}.lock"):
        return None if is_current() and not force else _build()


def _build() -> str | None:
    """`build` in any case."""
    before = fingerprint()
    shutil.rmtree(BUILD, ignore_errors=True)
    if trouble := jupyter_book(ROOT):
        return trouble
    STAMP.write_text(before)
    return None


def jupyter_book(root: Path) -> str | None:
    """Build ``root/book`` with ``root/_config.yml`` into ``root/_build/html``.

    :returns: None, or the builder's output when it failed
    """
    # Found so in any environment. What Sphinx makes stays until the end: looking for garbage among it takes a third of
    # the time.
    start = "import gc; gc.set_threshold(100_000, 50, 100); from jupyter_book.cli.main import main; main()"
    arguments = ["build", "book", "--config", "_config.yml", "--path-output", ".", "-W", "--keep-going", "--quiet"]
    pages = root / "_build" / "html"
    with tempfile.TemporaryDirectory(prefix="handpose-live-") as folder:
        # Exported beside the pages, on another core.
        live = subprocess.Popen(
            [sys.executable, ROOT / "tools" / "live.py", folder], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
        try:
            result = subprocess.run(
                [sys.executable, "-c", start, *arguments],
                cwd=root,
                env={**os.environ, "NO_COLOR": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
            if result.returncode or not (pages / "index.html").exists():
                return result.stdout + f"\nThe book could not be built (exit status {result.returncode})."
            _, error = live.communicate()
        finally:
            live.kill()
            live.wait()
        if live.returncode:
            return error + "\nThe networks that run in the page could not be put beside the book."
        shutil.copytree(folder, pages / "_static" / "live", dirs_exist_ok=True)
    return None


def strip_solutions(chapters: Path) -> None:
    """Take the solutions, with their cells and outputs, out of the notebooks of a folder."""
    import nbformat

    from tools import classroom

    for path in sorted(chapters.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells, _ = classroom.without_solutions(notebook.cells, lambda label, codes: [])
        nbformat.write(notebook, path)


def build_without_solutions() -> tuple[str | None, Path]:
    """Build and pack the book from a copy without solutions and without answers: nothing of them is in its files.

    :returns: None, or the builder's output when it failed; and the packed file
    """
    from tools import questions

    target = BUILD / f"{PACKED}-without-solutions.zip"
    with tempfile.TemporaryDirectory(prefix="handpose-class-") as folder:
        copied = Path(folder)
        shutil.copy(ROOT / "_config.yml", copied)
        shutil.copytree(ROOT / "book", copied / "book", ignore=shutil.ignore_patterns(*NOT_INPUTS, "results"))
        strip_solutions(copied / "book" / "chapters")
        questions.strip_answers(copied / "book")
        if trouble := jupyter_book(copied):
            return trouble, target
        BUILD.mkdir(exist_ok=True)
        return None, pack(copied / "_build" / "html", target)


def pack(pages: Path | None = None, target: Path | None = None) -> Path:
    """Pack built pages into one file with one folder in it; the same book gives the same bytes."""
    pages, target = pages or INDEX.parent, target or BUILD / f"{PACKED}.zip"
    unfinished = target.with_name(f".{target.name}")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in sorted(p for p in pages.rglob("*") if p.is_file()):
            name = f"{PACKED}/{path.relative_to(pages).as_posix()}"
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            file.writestr(entry, path.read_bytes())
    os.replace(unfinished, target)
    return target


def server(port: int) -> http.server.ThreadingHTTPServer:
    """A server of the built book for this machine alone; port 0 takes a free one."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(INDEX.parent))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


def serve(port: int) -> int:
    """Serve the built book until Ctrl-C; the exit status."""
    try:
        opened = server(port)
    except (OSError, OverflowError) as error:
        print(f"handpose: port {port} cannot be used ({error}); name another: make serve PORT=8001", file=sys.stderr)
        return 1
    with opened, contextlib.suppress(KeyboardInterrupt):
        print(f"Open http://127.0.0.1:{opened.server_port}/live.html; Ctrl-C ends.", flush=True)
        opened.serve_forever()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--force", action="store_true", help="build even when nothing has changed")
    parser.add_argument("--zip", action="store_true", help="pack the built book into one file")
    parser.add_argument("--serve", type=int, nargs="?", const=8000, metavar="PORT", help="serve it on this machine")
    parser.add_argument("--without-solutions", action="store_true", help="pack a book for a class, without solutions")
    asked = parser.parse_args()
    if asked.without_solutions:
        print("Building the book without solutions ...", flush=True)
        trouble, packed = build_without_solutions()
        print(trouble or f"To hand out:  {packed} ({packed.stat().st_size / 1e6:.1f} MB)")
        return 1 if trouble else 0
    force = asked.force
    if is_current() and not force:
        print("The book is up to date.")
    else:
        print("Building the book ...", flush=True)
        started = time.perf_counter()
        trouble = build(force=force)
        if trouble:
            print(trouble, file=sys.stderr)
            return 1
        print(f"Built in {time.perf_counter() - started:.0f} s.")
    print(f"Open it in a browser:  {INDEX.as_uri()}")
    if asked.zip:
        packed = pack()
        print(f"To hand out:  {packed} ({packed.stat().st_size / 1e6:.1f} MB)")
    return 0 if asked.serve is None else serve(asked.serve)


if __name__ == "__main__":
    sys.exit(main())
