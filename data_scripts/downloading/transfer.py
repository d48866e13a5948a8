"""One file over HTTP: resumed, tried again, taken from mirrors, and under its name only when whole and verified.

Beside NAME stand, while it is fetched, NAME.part and NAME.part.json (which file of which server that is), and
afterwards NAME.sha256, its hash, in the form that ``sha256sum -c`` reads. pooch would check hashes but not resume.
"""

import json
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm import tqdm

from downloading.verify import FetchError, beside, check_room, no_room, verify
from handpose.data.check import in_words

CHUNK = 1 << 18  # bytes asked for at a time
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)  # answers that may be another one in a moment


class _Again(Exception):
    """This server, later."""


class _Dead(Exception):
    """Not from this server."""


def say(message: str) -> None:
    """A line on stdout that leaves the progress bar whole; stderr is kept for the one line of an error."""
    tqdm.write(f"note: {message}")


def download(
    urls: Sequence[str],
    path: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    probe: Callable[[Path], None] | None = None,
    manual: str = "give another mirror with --url",
    timeout: float = 60.0,
    tries: int = 5,
    pause: float = 2.0,
) -> str:
    """Fetch one file from the first of its mirrors that delivers it.

    A part left from an earlier call is gone on with, if the server still has the same file (ETag, Last-Modified and
    length agree) and answers ranges; otherwise that file is fetched from its beginning.

    Args:
        urls: mirrors, in order; the one that a part came from goes first.
        path: where the file is to stand; its folder is made.
        size: bytes, where recorded. sha256: where recorded; otherwise the one noted on first use counts.
        probe: looks whether the file can be what it should be; raises a FetchError when not.
        manual: what to do when no mirror works, for the error.
        timeout: seconds without a byte after which a server counts as stalled.
        tries: so many in a row that bring nothing new, and a mirror is given up; 0 for the first that breaks off.
        pause: seconds before the second try; each further one waits as much longer.

    Returns:
        its SHA-256.

    Raises:
        FetchError: no mirror works, the disk is full, or what came is not the file that is known.
    """
    part = beside(path, ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise no_room(error, path) from None
    reasons = []
    for url in sorted(urls, key=lambda url: url != _origin(part).get("url")):  # stable, so otherwise in order
        try:
            _persist(url, part, size, timeout, tries, pause)
            return _accept(part, path, size, sha256, probe)
        except _Dead as error:
            reasons.append(f"{urlsplit(url).netloc or url}: {error}")
    raise FetchError(f"{path.name}: no link works ({'; '.join(reasons) or 'none is known'}); {manual}")


def _persist(url: str, part: Path, size: int | None, timeout: float, tries: int, pause: float) -> None:
    """Try one mirror until the part is whole, or until `tries` tries in a row have brought nothing new."""
    failed, most = 0, _size(part) if _origin(part).get("url") == url else 0
    while True:
        try:
            _stream(url, part, size, timeout)
            return
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema,
                requests.exceptions.MissingSchema, requests.TooManyRedirects) as error:  # fmt: skip
            raise _Dead(str(error).splitlines()[0]) from None
        except requests.exceptions.SSLError:
            raise _Dead("no secure connection, its certificate cannot be verified") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, _Again) as error:
            if isinstance(error, _Again):
                reason = str(error)
            elif "timed out" in str(error):
                reason = f"no answer for {timeout:g} s"
            else:
                reason = "the connection broke" if _size(part) else "no connection"
        failed, most = (0, _size(part)) if _size(part) > most else (failed + 1, most)
        if failed >= tries:
            raise _Dead(f"{reason}, {failed} times in a row" if failed > 1 else reason)
        say(f"{part.stem}: {reason} at {in_words(_size(part))}; trying again")
        time.sleep(pause * max(failed, 1))


def _stream(url: str, part: Path, size: int | None, timeout: float) -> None:
    """One request, which begins a part or goes on with it."""
    have, origin = _size(part), _origin(part)
    known = {key: origin.get(key) for key in ("etag", "modified", "length")}
    if origin.get("url") != url or not any(known.values()):
        have = 0  # of another server, or nothing tells whether it is still the same file
    elif have and have == known["length"]:
        return
    headers = {"Accept-Encoding": "identity"}  # a range counts the bytes that travel
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
        code, length = answer.status_code, answer.headers.get("Content-Length", "")
        if code in TRANSIENT:
            raise _Again(f"the server answers {code} {answer.reason}")
        if code not in (200, 206, 416):
            raise _Dead(f"{code} {answer.reason}")
        if answer.headers.get("Content-Type", "").startswith("text/html") and code != 416:
            raise _Dead("a web page came instead of the file")
        first, total = 0, int(length) if length.isdecimal() else None
        if code == 206 and (match := re.match(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))):
            first, total = int(match[1]), None if match[2] == "*" else int(match[2])
        now = {"etag": answer.headers.get("ETag"), "modified": answer.headers.get("Last-Modified"), "length": total}
        both = [key for key in known if known[key] is not None and now[key] is not None]
        same = bool(both) and all(known[key] == now[key] for key in both)
        if have and (code != 206 or not same or first != have):
            changed = code == 416 or not same
            why = "has changed on the server" if changed else "cannot be gone on with on this server"
            say(f"{part.stem} {why}; starting again")
            if code != 200:  # what comes is no use: ask once more, for all of it
                part.unlink()
                _stream(url, part, size, timeout)
                return
            have = 0
        elif code != 200 and not have:
            raise _Dead(f"{code} {answer.reason}, though no range was asked for")
        if None not in (size, total) and total != size:
            raise _Dead(f"it offers {total:,} bytes, not {size:,}")
        if total:
            check_room(part.parent, total - have, part.stem)
        _take(answer, part, have, {"url": url} | (known if have else {}) | {k: v for k, v in now.items() if v})
    if total is not None and _size(part) != total:
        raise _Again("the connection broke")


def _take(answer: requests.Response, part: Path, have: int, origin: dict) -> None:
    """Write what a server sends behind the first `have` bytes of a part; each byte is kept, whatever happens then."""
    try:
        with part.open("r+b" if have else "wb", buffering=0) as file:
            file.seek(have)
            beside(part, ".json").write_text(json.dumps(origin), encoding="utf-8")
            with tqdm(total=origin.get("length"), initial=have, unit="B", unit_scale=True, desc=part.stem,
                      disable=None) as bar:  # fmt: skip
                while block := answer.raw.read1(CHUNK, decode_content=False):
                    write(file, block)
                    bar.update(len(block))
    except OSError as error:
        if isinstance(error, requests.RequestException):
            raise
        raise no_room(error, part) from None


def write(file, block: bytes) -> None:
    """Write all of a block to an unbuffered file, which may take less at a time."""
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]


def _accept(part: Path, path: Path, size: int | None, sha256: str | None, probe: Callable | None) -> str:
    """Give a part that is whole its name; one that is not the known file is set aside as NAME.wrong."""
    try:
        if probe:
            probe(part)
        digest = verify(part, path, size=size, sha256=sha256)
    except FetchError as error:
        wrong = beside(path, ".wrong")
        os.replace(part, wrong)
        beside(part, ".json").unlink(missing_ok=True)
        raise _Dead(f"{error}; it was set aside as {wrong.name}") from None
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(part, path)
    beside(part, ".json").unlink(missing_ok=True)
    return digest


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _origin(part: Path) -> dict:
    """Where a part came from; an empty dict when that is not known."""
    try:
        origin = json.loads(beside(part, ".json").read_text(encoding="utf-8"))
        return origin if isinstance(origin, dict) else {}
    except (OSError, ValueError):
        return {}
