"""Downloads against a server of this process: cut, stalled, changed, refused; hostile archives; full disks; Ctrl-C.

In every case nothing stands half under its final name, the exit status says so, and stderr has one line.
"""

import contextlib
import dataclasses
import errno
import gzip
import hashlib
import http.server
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from functools import partial
from pathlib import Path

import cv2
import download as script
import numpy as np
import pytest
from downloading import fetch, terms, transfer, unpack, verify
from downloading.transfer import download
from downloading.verify import FetchError

from handpose import data
from handpose.data import catalogue
from handpose.data.check import in_words
from handpose.data.dataset import Archive

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "data_scripts" / "download.py"
CONTENT = np.random.default_rng(0).bytes(300_000)


class Server(http.server.ThreadingHTTPServer):
    """One file under all paths but /gone, /secret, /moved and /page; `acts` says how the next requests are answered."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag, self.modified = CONTENT, '"1"', "Mon, 01 Jan 2024 00:00:00 GMT"
        self.ranges, self.length, self.acts = True, True, []
        self.requests: list[tuple[str, str | None]] = []
        self.sent = 0  # bytes of bodies
        self.release = threading.Event()

    def handle_error(self, request, address):
        pass  # a client that went away

    def url(self, path="file.bin"):
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.requests.append((self.path, wanted))
        act, value = server.acts.pop(0) if server.acts else (None, None)
        status = {"/gone": 404, "/secret": 403, "/moved": 302}.get(self.path, value if act == "status" else 200)
        if status != 200:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", server.url())
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content, start = server.content, 0
        if wanted and server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start -= value if act == "shift" else 0
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        for name, field in (("ETag", server.etag), ("Last-Modified", server.modified)):
            if field:
                self.send_header(name, field)
        self.send_header("Content-Type", "text/html" if self.path == "/page" else "application/zip")
        if server.length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start : value if act in ("cut", "stall") else None]
        self.wfile.write(body)
        server.sent += len(body)
        if act == "stall":
            self.wfile.flush()
            server.release.wait(20)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    threading.Thread(target=partial(server.serve_forever, 0.01), daemon=True).start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set" / "file.bin"


quick = partial(download, timeout=5, tries=0, pause=0.001)


def names(folder):
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def refused(call, *words):
    """The one line of a FetchError, which holds these words."""
    with pytest.raises(FetchError) as error:
        call()
    line = str(error.value)
    assert "\n" not in line and all(str(word) in line for word in words), line
    return line


# One file


@pytest.mark.parametrize("at", np.random.default_rng(1).integers(1, len(CONTENT), 10).tolist())
def test_a_cut_download_goes_on_where_it_was_cut(server, path, at):
    server.acts = [("cut", at)]
    refused(lambda: quick([server.url()], path), "file.bin", "the connection broke", "--url")
    assert names(path.parent) == ["file.bin.part", "file.bin.part.json"]
    assert (path.parent / "file.bin.part").read_bytes() == CONTENT[:at]
    digest = quick([server.url()], path)
    assert server.requests[1] == ("/file.bin", f"bytes={at}-") and server.sent == len(CONTENT)
    assert path.read_bytes() == CONTENT and digest == hashlib.sha256(CONTENT).hexdigest()
    assert names(path.parent) == ["file.bin", "file.bin.sha256"]
    assert (path.parent / "file.bin.sha256").read_text() == f"{digest}  file.bin\n"


def test_tries_start_anew_after_each_progress(server, path):
    server.acts = [("cut", n) for n in (10_000, 90_000, 90_001, 200_000)]
    quick([server.url()], path, tries=2)
    assert path.read_bytes() == CONTENT and server.sent == len(CONTENT) and len(server.requests) == 5
    server.acts = [("status", 503), ("status", 429)]
    quick([server.url()], path.with_name("other"), tries=3)
    server.acts = [("status", 503)] * 9
    refused(lambda: quick([server.url()], path.with_name("third"), tries=3), "503", "3 times", "--url")
    assert len(server.acts) == 6


def test_a_server_without_ranges_starts_again(server, path, capsys):
    server.ranges, server.acts = False, [("cut", 1000)]
    quick([server.url()], path, tries=2)
    assert path.read_bytes() == CONTENT and server.sent == len(CONTENT) + 1000
    assert "cannot be gone on with" in capsys.readouterr().out


@pytest.mark.parametrize("field", ["etag", "modified", "length"])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_changed_is_fetched_from_its_beginning(server, path, capsys, field, ranges):
    server.acts = [("cut", 1000)]
    refused(lambda: quick([server.url()], path))
    server.content, server.ranges = CONTENT[::-1], ranges
    if field == "length":
        server.content = server.content[:-7]
    else:
        setattr(server, field, '"2"' if field == "etag" else "Tue, 02 Jan 2024 00:00:00 GMT")
    quick([server.url()], path)
    assert path.read_bytes() == server.content and "changed on the server" in capsys.readouterr().out


def test_a_shorter_file_and_one_without_marks(server, path):
    server.acts = [("cut", 5000)]
    refused(lambda: quick([server.url()], path))
    server.content = b"short"
    quick([server.url()], path)  # 416 to the range
    assert path.read_bytes() == b"short"
    server.content, server.etag, server.modified, server.acts = CONTENT, None, None, [("cut", 5000)]
    path = path.with_name("second")
    refused(lambda: quick([server.url()], path))
    server.length = False  # now nothing tells whether it is the same file
    quick([server.url()], path)
    assert path.read_bytes() == CONTENT


def test_a_server_that_answers_another_range(server, path):
    server.acts = [("cut", 5000), ("shift", 100)]
    quick([server.url()], path, tries=1)
    assert path.read_bytes() == CONTENT and [wanted for _, wanted in server.requests] == [None, "bytes=5000-", None]


def test_a_whole_part_needs_no_server(server, path, monkeypatch):
    monkeypatch.setattr(transfer, "_accept", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        quick([server.url()], path)
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    quick([server.url()], path)
    assert path.read_bytes() == CONTENT and len(server.requests) == 1


def test_a_wrong_hash_is_set_aside(server, path):
    good = hashlib.sha256(CONTENT).hexdigest()
    refused(lambda: quick([server.url()], path, sha256="0" * 64), "SHA-256", "000000000000", "file.bin.wrong", "--url")
    assert names(path.parent) == ["file.bin.wrong"]
    quick([server.url()], path, sha256=good.upper())
    path.unlink()  # the hash of first use stays
    server.content = CONTENT[::-1]
    line = refused(lambda: quick([server.url()], path), "noted at first use", "file.bin.sha256", "delete it")
    assert "file.bin" not in names(path.parent) and good[:12] in line


def test_a_wrong_length_is_not_even_fetched(server, path):
    refused(lambda: quick([server.url()], path, size=1_000_000), "300,000", "1,000,000", "--url")
    assert names(path.parent) == []
    server.length = False  # known only when all is there
    refused(lambda: quick([server.url()], path, size=1_000_000), "300,000", "1,000,000", "set aside")
    assert names(path.parent) == ["file.bin.wrong"]


def test_what_is_cut_where_no_length_is_given_is_no_archive(server, path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a", CONTENT)
    server.content, server.length, server.acts = buffer.getvalue(), False, [("cut", 200_000)]
    refused(lambda: quick([server.url()], path, probe=unpack.probe), "cut off", "file.bin.wrong")
    assert not path.exists()
    quick([server.url()], path, probe=unpack.probe)


def test_mirrors_are_tried_in_order(server, path):
    quick([server.url("gone"), server.url("secret"), server.url("page"), server.url()], path)
    assert [p for p, _ in server.requests] == ["/gone", "/secret", "/page", "/file.bin"]
    assert path.read_bytes() == CONTENT
    dead = "http://127.0.0.1:9/file.bin"
    server.acts = [("cut", 1000)]
    second = path.with_name("second")
    refused(lambda: quick([dead, server.url()], second), "no connection", "connection broke")
    quick([dead, server.url()], second)  # the mirror that the part came from goes first
    assert second.read_bytes() == CONTENT and server.requests[-1][1] == "bytes=1000-"
    server.acts = [("cut", 1000)]
    third = path.with_name("third")
    refused(lambda: quick([server.url()], third))
    quick([server.url("other/third")], third)  # another mirror's part is not trusted
    assert third.read_bytes() == CONTENT and server.requests[-1][1] is None


@pytest.mark.parametrize(("where", "reason"), [
    (["gone", "gone"], "404"), (["secret"], "403"), (["page"], "web page"), ([], "none is known"),
])  # fmt: skip
def test_no_mirror_works(server, path, where, reason):
    refused(lambda: quick([server.url(w) for w in where], path, manual="ask the authors"), reason, "ask the authors")
    assert names(path.parent) == []


def test_redirects_and_bad_addresses(server, path):
    quick([server.url("moved")], path)
    assert path.read_bytes() == CONTENT
    for url in ("ftp://127.0.0.1/x", "no address", "http://", "file:///etc/passwd"):
        refused(lambda url=url: quick([url], path.with_name("x")), "no link works", "--url")
    assert "x" not in names(path.parent)


def test_a_server_that_stalls(server, path):
    server.acts = [("stall", 1000), ("stall", 2000), ("stall", 2000)]
    begun = time.monotonic()
    refused(lambda: quick([server.url()], path, timeout=0.2, tries=1), "no answer for 0.2 s", "--url")
    assert time.monotonic() - begun < 5 and path.with_name("file.bin.part").stat().st_size == 2000
    server.release.set()
    quick([server.url()], path, timeout=1)
    assert path.read_bytes() == CONTENT and server.sent == len(CONTENT)


def test_a_disk_that_becomes_full(server, path, monkeypatch):
    def full(file, block, write=transfer.write):
        write(file, block[:777])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(transfer, "write", full)
    refused(lambda: quick([server.url()], path), "file.bin.part", "the disk is full", "make room")
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert names(path.parent) == ["file.bin.part", "file.bin.part.json"]
    quick([server.url()], path)
    assert path.read_bytes() == CONTENT and server.requests[-1][1] == "bytes=777-"


def test_a_disk_without_room_is_told_before(server, path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 299_999))
    refused(lambda: quick([server.url()], path), "300.0 kB", "make room", "--out")
    assert names(path.parent) == []
    path.parent.rmdir()
    path.parent.write_text("a file")
    refused(lambda: quick([server.url()], path), "cannot be written")


def test_ctrl_c_keeps_the_part(server, path, monkeypatch):
    def interrupted(file, block, write=transfer.write):
        write(file, block[:5000])
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick([server.url()], path)
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(verify, "sha256_of", lambda file: (_ for _ in ()).throw(KeyboardInterrupt))
        quick([server.url()], path)
    quick([server.url()], path)
    assert path.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, "bytes=5000-"]


# Archives


def member(name, kind=tarfile.REGTYPE, link="", content=b""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    return info, content


def write_tar(file, *members, mode="w"):
    with tarfile.open(file, mode) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return file


def write_zip(file, *members):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, kind in members:
            info = zipfile.ZipInfo("x")
            info.filename = info.orig_filename = name  # whatever it is
            info.external_attr, info.compress_type = kind << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return file


GOOD = member("set/a.txt", content=b"good")
NAMES = ["../evil", "set/../../evil", "/tmp/evil", "C:evil", "C:/evil", "..\\evil", "set\\evil", "\\\\host\\evil"]
HOSTILE = {
    **{f"tar {name}": lambda f, name=name: write_tar(f, GOOD, member(name, content=b"x")) for name in NAMES},
    **{f"zip {name}": lambda f, name=name: write_zip(f, ("a", b"", 0), (name, b"x", 0)) for name in NAMES},
    "symlink out": lambda f: write_tar(f, GOOD, member("set/l", tarfile.SYMTYPE, "../../evil")),
    "absolute symlink": lambda f: write_tar(f, GOOD, member("l", tarfile.SYMTYPE, "/etc/passwd")),
    "through a symlink": lambda f: write_tar(f, member("l", tarfile.SYMTYPE, ".."), member("l/evil", content=b"x")),
    "hard link out": lambda f: write_tar(f, GOOD, member("set/l", tarfile.LNKTYPE, "../evil")),
    "absolute hard link": lambda f: write_tar(f, GOOD, member("l", tarfile.LNKTYPE, "/etc/passwd")),
    "character device": lambda f: write_tar(f, GOOD, member("set/null", tarfile.CHRTYPE)),
    "block device": lambda f: write_tar(f, GOOD, member("set/disk", tarfile.BLKTYPE)),
    "pipe": lambda f: write_tar(f, GOOD, member("set/pipe", tarfile.FIFOTYPE)),
    "zip symlink": lambda f: write_zip(f, ("a", b"", 0), ("l", b"/etc/passwd", 0o120777)),
    "zip device": lambda f: write_zip(f, ("a", b"", 0), ("null", b"", 0o020666)),
    "zip pipe": lambda f: write_zip(f, ("a", b"", 0), ("pipe", b"", 0o010666)),
    "twice": lambda f: write_tar(f, GOOD, GOOD),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_leaves_nothing(tmp_path, kind):
    (tmp_path / "evil").write_text("untouched")
    target = tmp_path / "in" / "set"
    archive = HOSTILE[kind](tmp_path / "archive")
    before = sorted(p for p in tmp_path.rglob("*"))
    refused(lambda: unpack.unpack(archive, target), archive, "do not use it", "another place")
    assert names(target) == [] and (tmp_path / "evil").read_text() == "untouched" and not Path("/tmp/evil").exists()
    assert [p for p in tmp_path.rglob("*") if p not in before] == [tmp_path / "in", target]


def test_bombs(tmp_path):
    target, zeros = tmp_path / "set", bytes(1_000_000)
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", zeros)
    code = bytearray(archive.read_bytes())
    for at in (code.index(b"PK\1\2") + 24, 22):  # the length that the directory and the file's own header declare
        code[at : at + 4] = (4_000_000_000).to_bytes(4, "little")
    archive.write_bytes(code)
    refused(lambda: unpack.unpack(archive, target), "unpacks to more than", "another place")
    for at in (bytes(code).index(b"PK\1\2") + 24, 22):  # declared as small, really larger
        code[at : at + 4] = (1000).to_bytes(4, "little")
    archive.write_bytes(code)
    refused(lambda: unpack.unpack(archive, target), "damaged", "fetch it again")

    huge = tarfile.TarInfo("zeros")
    huge.size = 10**10
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as tar:
        tar.fileobj.write(huge.tobuf())
        tar.fileobj.write(zeros)
    refused(lambda: unpack.unpack(tmp_path / "bomb.tar.gz", target), "unpacks to more than")
    packed = write_tar(tmp_path / "small.tar.gz", member("zeros", content=zeros), mode="w:gz")
    refused(lambda: unpack.unpack(packed, target, most=999_999), "999,999")
    with packed.open("ab") as file:  # a second stream of zeros behind the archive's end
        file.write(gzip.compress(zeros))
    refused(lambda: unpack.unpack(packed, target, most=1_500_000), "1,500,000")
    many = write_tar(tmp_path / "many.tar", *(member(f"{i}") for i in range(20)))
    refused(lambda: unpack.unpack(many, target, files=19), "more than 19 files")
    assert names(target) == []
    assert unpack.unpack(many, target, files=20) == (20, 0)


def test_damaged_archives(tmp_path):
    """Cut off anywhere, or with a byte changed: an error, or all of it is right."""
    rng = np.random.default_rng(2)
    good = {"a/1.txt": b"one" * 50, "a/2.txt": rng.bytes(3000), "b.txt": b"three"}
    zipped = write_zip(tmp_path / "x.zip", *((n, c, 0) for n, c in good.items()))
    members = [member(n, content=c) for n, c in good.items()]
    archives = [zipped, write_tar(tmp_path / "x.tar", *members), write_tar(tmp_path / "x.tgz", *members, mode="w:gz")]
    for archive in archives:
        code = archive.read_bytes()
        end = len(code) if archive.suffix != ".tar" else len(code.rstrip(b"\0")) + 512
        for cut in [0, 1, 2, 300, 512, 1024, *rng.integers(1, end, 25).tolist()]:
            bad = tmp_path / f"cut{archive.suffix}"
            bad.write_bytes(code[: min(cut, end - 1)])
            refused(lambda bad=bad: unpack.unpack(bad, tmp_path / "set"), bad.name, "fetch it again")
            assert names(tmp_path / "set") == []
        for at in rng.integers(0, len(code), 60).tolist():
            bad = tmp_path / f"changed{archive.suffix}"
            bad.write_bytes(code[:at] + bytes([code[at] ^ 1 << int(rng.integers(8))]) + code[at + 1 :])
            with contextlib.suppress(FetchError):
                assert unpack.unpack(bad, tmp_path / "out", top=("a", "b.txt"))[0] == len(good), at
                if archive.suffix != ".tar":  # which has no check sum of its files
                    assert all((tmp_path / "out" / n).read_bytes() == c for n, c in good.items()), at
            assert not [n for n in names(tmp_path / "out") if n.startswith(".")]
            shutil.rmtree(tmp_path / "out", ignore_errors=True)


def test_encrypted_and_unknown_archives(tmp_path):
    archive = write_zip(tmp_path / "x.zip", ("a", b"secret", 0))
    code = bytearray(archive.read_bytes())
    code[6] |= 1
    code[bytes(code).index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(code)
    refused(lambda: unpack.unpack(archive, tmp_path / "set"), "encrypted", "by hand")
    code[6] &= ~1
    code[bytes(code).index(b"PK\1\2") + 8] &= ~1
    code[8] = code[bytes(code).index(b"PK\1\2") + 10] = 9  # deflate64
    archive.write_bytes(code)
    refused(lambda: unpack.unpack(archive, tmp_path / "set"), "cannot be unpacked here", "by hand")
    archive.write_text("<html>not found</html>")
    refused(lambda: unpack.unpack(archive, tmp_path / "set"), "no zip or tar archive", "fetch it again")
    assert names(tmp_path / "set") == []


def test_what_is_honest_is_unpacked(tmp_path):
    target = tmp_path / "set"
    links = member("top/copy", tarfile.SYMTYPE, "images/1"), member("top/hard", tarfile.LNKTYPE, "top/images/1")
    first = member("./top", tarfile.DIRTYPE), member("./top/images/1", content=b"one")
    tar = write_tar(tmp_path / "x.tar", *first, *links)
    assert unpack.unpack(tar, target, top=("images",)) == (3, 9)
    assert names(target) == ["copy", "hard", "images"] and not (target / "copy").is_symlink()
    assert (target / "copy").read_bytes() == (target / "hard").read_bytes() == b"one"
    second = write_zip(tmp_path / "y.zip", ("images/2", b"two", 0o100644), ("__MACOSX/._2", b"", 0))
    unpack.unpack(second, target, top=("images",))
    assert names(target / "images") == ["1", "2"] and "__MACOSX" not in names(target)
    unpack.unpack(write_tar(tmp_path / "z", GOOD, mode="w:gz"), tmp_path / "packed")
    assert (tmp_path / "packed" / "a.txt").read_bytes() == b"good"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_becomes_full_in_unpacking(tmp_path, monkeypatch, number):
    def full(source, target, *length):
        raise OSError(number, os.strerror(number))

    archive = write_zip(tmp_path / "x.zip", ("a", b"x" * 1000, 0))
    (tmp_path / "set" / ".unpacking-x.zip").mkdir(parents=True)  # of a process that was killed
    monkeypatch.setattr(shutil, "copyfileobj", full)  # zipfile writes with it
    reason = "disk is full" if number == errno.ENOSPC else "Permission"
    refused(lambda: unpack.unpack(archive, tmp_path / "set"), tmp_path / "set", reason)
    assert names(tmp_path / "set") == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 999))
    refused(lambda: unpack.unpack(archive, tmp_path / "set"), "make room")
    assert names(tmp_path / "set") == []


# A whole set


def write_set(root):
    """Four pictures in the layout of Hand Keypoints, one for each part of either split."""
    for i, (folder, number) in enumerate([("train", 1), ("train", 1500), ("val", 2), ("val", 1501)]):
        for kind in ("images", "labels"):
            (root / kind / folder).mkdir(parents=True, exist_ok=True)
        image = np.full((32, 32, 3), 60 * i, np.uint8)
        cv2.imwrite(str(root / "images" / folder / f"IMG_{number:08d}.jpg"), image)
        line = " ".join(["0 0.5 0.5 0.5 0.5", *["0.5 0.5 2"] * 21])
        (root / "labels" / folder / f"IMG_{number:08d}.txt").write_text(line)
    return root


@pytest.fixture
def archive(tmp_path):
    """The set in a folder of its own, packed."""
    root = write_set(tmp_path / "source" / "hand-keypoints")
    return Path(shutil.make_archive(str(tmp_path / "fetched by hand"), "zip", root.parent))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def run(server, archive, out, monkeypatch, capsys):
    """Runs the script of Hand Keypoints, as if this server had it: the status, stdout, and stderr's lines."""
    server.content = archive.read_bytes()
    entry = catalogue.SETS["hand-keypoints"]
    files = (Archive("hand-keypoints.zip", (server.url("hand-keypoints.zip"),), len(server.content)),)
    monkeypatch.setitem(catalogue.SETS, "hand-keypoints", dataclasses.replace(entry, archives=files))
    monkeypatch.setattr(fetch, "download", quick)

    def call(*arguments):
        try:
            status = script.main(["hand-keypoints", *map(str, arguments), "--out", str(out)])
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err.splitlines()

    return call


def test_fetched_unpacked_checked_and_not_fetched_again(run, server, out):
    status, stdout, errors = run("--yes")
    assert (status, errors) == (0, []) and "CC BY-NC-SA 4.0" in stdout and "4 picture files" in stdout
    assert stdout.index("CC BY-NC-SA") < stdout.index("to fetch") and f"--data hand-keypoints:{out}" in stdout
    assert names(out) == ["archives", "images", "labels"] and len(data.open(f"hand-keypoints:{out}", "val")) == 2
    assert run()[0] == 0 and len(server.requests) == 1  # nobody is asked, nothing is fetched
    (out / "archives" / "hand-keypoints.zip").unlink()
    assert run()[0] == 0 and len(server.requests) == 1


def test_a_set_that_stands_there_is_not_fetched(run, server, out):
    write_set(out)
    assert run()[0] == 0 and not server.requests and names(out) == ["images", "labels"]
    (out / "labels/val/IMG_00000002.txt").unlink()
    assert run()[0] == 1 and not server.requests  # to be fetched, so agreement is needed
    assert run("--yes")[0] == 0 and len(server.requests) == 1


def test_a_broken_picture_is_named_and_mended(run, server, out):
    run("--yes")
    for name in ("train/IMG_00001500.jpg", "val/IMG_00000002.jpg"):
        image = out / "images" / name
        image.write_bytes(image.read_bytes()[:-20])
    status, _, errors = run()
    assert status == 1 and len(errors) == 1 and "IMG_00001500.jpg" in errors[0] and "again" in errors[0]
    assert run()[0] == 0 and len(server.requests) == 1


@pytest.mark.parametrize("answer", [None, "", "n", "no", "EOF", "y", "Yes"])
def test_the_terms_are_agreed_to(run, server, out, monkeypatch, answer):
    if answer is not None:

        def reply(question):
            if answer == "EOF":
                raise EOFError
            return answer

        monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
        monkeypatch.setattr("builtins.input", reply)
    status, stdout, errors = run()
    assert "CC BY-NC-SA 4.0" in stdout and "kB" in stdout
    if answer in ("y", "Yes"):
        assert status == 0 and len(server.requests) == 1
    else:
        assert status == 1 and not server.requests and len(errors) == 1 and "--yes" in errors[0]


def test_faults_take_one_line_and_a_status(run, server, out, monkeypatch):
    """What goes wrong with one file, seen from the command line."""
    good, url = server.content, server.url("other/hand-keypoints.zip")

    def fails(*words, arguments=("--yes",)):
        status, _, errors = run(*arguments)
        assert status == 1 and len(errors) == 1, errors
        assert errors[0].startswith("download hand-keypoints: ") and all(w in errors[0] for w in words), errors[0]
        assert not (out / "images").exists() and "hand-keypoints.zip" not in names(out / "archives")

    server.acts = [("status", 404)]
    fails("404", "--url", "--from")
    server.acts = [("status", 403)]
    fails("403", "--url", "--from")
    server.acts = [("cut", 100)]
    fails("connection broke", "--url")
    server.content = good[:-1]
    fails("bytes, not", "--url")
    server.content = bytes(len(good))
    fails("wrong", "--url", "--from")
    server.content = good
    fails("given already", arguments=("--yes", "--url", server.url("a.zip"), "--url", url))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 2 * len(good)))
    fails("make room", "--out")
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_ctrl_c_ends_with_130(run, out, monkeypatch):
    def interrupted(file, block, write=transfer.write):
        write(file, block[:1000])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "write", interrupted)
        status, _, errors = run("--yes")
    assert status == 130 and len(errors) == 1 and "goes on" in errors[0]
    assert (out / "archives" / "hand-keypoints.zip.part").stat().st_size == 1000
    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extract", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        assert run("--yes")[0] == 130
    assert names(out) == ["archives"]
    assert run()[0] == 0  # nothing is left to fetch, so nothing is asked


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to send")
def test_ctrl_c_in_a_process_of_its_own(server, archive, tmp_path):
    server.content = archive.read_bytes()
    server.acts = [("stall", 700)]
    code = (
        f"import dataclasses, sys; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "import download; from handpose.data import catalogue, dataset\n"
        "entry = catalogue.SETS['hand-keypoints']\n"
        f"archive = dataset.Archive('hand-keypoints.zip', ({server.url('hand-keypoints.zip')!r},))\n"
        "catalogue.SETS['hand-keypoints'] = dataclasses.replace(entry, archives=(archive,))\n"
        "sys.exit(download.main())\n"
    )
    command = [sys.executable, "-c", code, "hand-keypoints", "--yes", "--out", str(tmp_path / "out")]
    part = tmp_path / "out" / "archives" / "hand-keypoints.zip.part"

    # A shell in the background hands down that Ctrl-C is to be ignored.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # fmt: skip
    end = time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size == 700) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=20)[1].splitlines()
    assert process.returncode == 130 and len(errors) == 1 and "goes on" in errors[0], errors
    assert part.stat().st_size == 700
    complete = part.with_name("hand-keypoints.zip")
    quick([server.url("hand-keypoints.zip")], complete)
    assert server.requests[-1][1] == "bytes=700-" and complete.read_bytes() == server.content


def test_an_archive_fetched_by_hand(run, server, archive, out, tmp_path):
    status, _, errors = run("--from", tmp_path / "nowhere.zip")
    assert status == 1 and len(errors) == 1 and "no such file" in errors[0]
    (tmp_path / "short.zip").write_bytes(archive.read_bytes()[:-5])
    status, _, errors = run("--from", tmp_path / "short.zip")
    assert status == 1 and len(errors) == 1 and "bytes, not" in errors[0] and not (out / "images").exists()
    assert (tmp_path / "short.zip").exists()
    assert run("--from", archive)[0] == 0 and archive.exists() and not server.requests
    assert names(out / "archives") == [".lock", "hand-keypoints.zip.sha256", "hand-keypoints.zip.unpacked"]
    shutil.rmtree(out)
    (out / "archives").mkdir(parents=True)
    shutil.copy(archive, out / "archives" / "hand-keypoints.zip")  # put where the script keeps them
    assert run()[0] == 0 and not server.requests


def test_a_kept_archive_that_changed_is_set_aside(run, server, out):
    run("--yes")
    archive = out / "archives" / "hand-keypoints.zip"
    code = bytearray(archive.read_bytes())
    code[100] ^= 1
    archive.write_bytes(code)
    (out / "archives" / "hand-keypoints.zip.unpacked").unlink()
    status, _, errors = run()
    assert status == 1 and len(errors) == 1 and "SHA-256" in errors[0] and "wrong" in errors[0]
    assert not archive.exists() and run("--yes")[0] == 0 and len(server.requests) == 2


def test_two_at_once(run, out):
    with fetch.alone(out):
        status, _, errors = run("--yes")
    assert status == 1 and len(errors) == 1 and "another process" in errors[0]


def test_several_files_by_hand(tmp_path, monkeypatch, capsys, out):
    """OneHand10K's pictures have no recorded name, its label files have."""
    write_zip(tmp_path / "whatever (1).zip", ("OneHand10K/Train/source/1.jpg", b"", 0), ("OneHand10K/Test/2", b"", 0))
    (tmp_path / "onehand10k_train.json").write_text("{}")
    arguments = ["--out", str(out), "--from", str(tmp_path / "whatever (1).zip")]
    assert script.main(["onehand10k", *arguments, str(tmp_path / "onehand10k_train.json")]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1 and "onehand10k_test.json" in errors[0] and "www.yangangwang.com" not in errors[0]
    assert "onehand10k_train.json:" not in errors[0] and (out / "annotations" / "onehand10k_train.json").exists()
    assert {"Train", "Test", "annotations"} < set(names(out))
    assert script.main(["onehand10k", "--out", str(out), "--from", "some.json"]) == 1
    assert "which file" in capsys.readouterr().err
    assert script.main(["stb", "--out", str(out / "stb")]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1 and "B6Random.zip, labels.zip" in errors[0] and not (out / "stb").exists()


def test_sequences_get_folders_of_their_own(tmp_path, capsys, out):
    """Half of STB's archives have no folder around their pictures; the labels' must not be doubled."""
    inside = {"B1Counting": "BB_left_0.png", "B4Random": "B4Random/BB_left_0.png", "labels": "labels/x"}
    for name, inner in inside.items():
        write_zip(tmp_path / f"{name}.zip", (inner, b"", 0))
    assert script.main(["stb", "--out", str(out), "--from", *map(str, tmp_path.glob("*.zip"))]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1 and "B1Random.zip" in errors[0] and "B1Counting.zip" not in errors[0]
    found = [p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and "archives" not in p.parts]
    assert sorted(found) == ["images/B1Counting/BB_left_0.png", "images/B4Random/BB_left_0.png", "labels/x"]


# The script and the catalogue


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("name", catalogue.SETS)
def test_each_set_has_a_page_of_help(name, monkeypatch, capsys):
    monkeypatch.delenv("HANDPOSE_DATA", raising=False)
    with pytest.raises(SystemExit) as stop:
        script.main([name, "--help"])
    page, entry = words(capsys.readouterr().out), catalogue.SETS[name]
    assert stop.value.code == 0
    assert f"licence {entry.licence}" in page and in_words(entry.bytes) in page and "--yes" in page
    assert all(folder in page for folder in entry.top) and words(entry.layout) in page and words(entry.manual) in page
    assert f"data/{entry.folder_name}" in words(page).replace(" ", "") and "from " in page


def test_the_script_runs_on_its_own():
    result = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0 and not result.stderr
    assert all(re.search(rf"^    {name}\s", result.stdout, re.M) for name in catalogue.SETS)
    result = subprocess.run([sys.executable, SCRIPT, "mnist"], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 2 and "'mnist'" in result.stderr and "hand-keypoints" in result.stderr


def test_what_no_program_can_fetch_is_told(out, capsys):
    assert script.main(["massey", "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "Massey University" in line and not out.exists()


def test_the_catalogue_fits_the_readers(tmp_path):
    for name, entry in catalogue.SETS.items():
        assert entry.name == name and entry.licence and entry.manual and entry.splits and entry.citation
        assert len({a.file for a in entry.archives}) == len(entry.archives)
        assert all(url.startswith(("http://", "https://")) for a in entry.archives for url in a.urls)
        assert name in data.SOURCES
        with pytest.raises(data.DataError) as error:
            data.open(f"{name}:{tmp_path}", "no such split")
        assert all(split in str(error.value) for split in entry.splits), (name, error.value)
        for split in entry.splits:
            with pytest.raises(data.DataError, match=re.escape(str(tmp_path))):
                data.open(f"{name}:{tmp_path}", split)
    with pytest.raises(ValueError, match="no data set 'mnist'.*stb"):
        catalogue.find("mnist")


def test_default_folder(monkeypatch):
    monkeypatch.delenv("HANDPOSE_DATA", raising=False)
    assert terms.default_folder(catalogue.find("massey")) == Path("data/massey-asl")
    monkeypatch.setenv("HANDPOSE_DATA", "somewhere")
    assert terms.default_folder(catalogue.find("stb")) == Path("somewhere/stb")
    ignored = (ROOT / ".gitignore").read_text().split()
    assert "/data/" in ignored and "data/" not in ignored  # the package has a folder of that name
