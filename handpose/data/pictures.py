"""One decoder for every kind of picture: the bytes of a file in, an upright picture out.

Pillow decodes. Of 1,300 photographs of four data sets its pixels were those of OpenCV's decoder, with which the bundled
weights were trained, one and all: both use libjpeg-turbo.
"""

import io
import os
import re
import stat
import warnings
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin, UnidentifiedImageError

from handpose.data import jpeg
from handpose.data.errors import DataError, one_line

MAX_PIXELS = 100_000_000  # a larger picture is refused, but for a JPEG,
MAX_SHRUNK = 250_000_000  # which its decoder shrinks; phones make photographs of 200 million pixels

DARK = 64  # of 255: a picture of more than 8 bits that stays below fills a quarter of its range, as of 12 or 14 bits

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)

#: What is decoded. Not all that Pillow knows: some of it runs other programs, or takes any bytes for a picture.
KINDS = ("PNG", "WEBP", "TIFF", "GIF", "BMP", "DIB", "AVIF", "HEIF", "JPEG2000", "PPM", "SUN")
#: Starts of pictures; those with "...." have a length in between. AVIF and HEIC are told by `_brands`.
PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF....WEBP",
            b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\x59\xa6\x6a\x95")  # fmt: skip
VIDEOS = (b"RIFF....AVI ", b"\x1a\x45\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"FLV\x01", b"OggS",
          b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"....moov", b"....mdat", b"....wide", b"....free")  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A photograph as it was read."""

    image: np.ndarray  # (H, W, 3) uint8 RGB, upright
    size: tuple[int, int]  # (width, height) of the photograph, upright
    scale: int = 1  # pixels of the photograph along a side of one of `image`; above 1 where the decoder shrank it
    notes: tuple[str, ...] = ()  # what is odd about it
    further: int = 0  # pages, or frames of an animation, behind the first: they are not read

    def warn(self, name: object) -> None:
        """Warn of each of the notes."""
        for note in self.notes:
            warnings.warn(f"{name}: {note}", stacklevel=4)


def kind(start: bytes) -> str | None:
    """What the first 64 bytes of a file say it is: "picture", "video", or None for neither."""
    brands = _brands(start)
    if brands:
        return "picture" if brands & {b"avif", b"avis"} or _is_heic(brands) else "video"
    if start[:1] == b"P" and start[1:2] in b"123456" and start[2:3].isspace():
        return "picture"
    for name, marks in (("picture", PICTURES), ("video", VIDEOS)):
        for mark in marks:
            if len(start) >= len(mark) and all(m in (46, s) for m, s in zip(mark, start, strict=False)):  # 46 is "."
                return name
    return None


def read(path: str | os.PathLike) -> Picture:
    """A picture file; see `decode`.

    Raises:
        DataError: as `decode`, and a file that is missing or cannot be read.
    """
    with opened(path) as file:
        try:
            data = file.read()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    return decode(data, str(path))


def opened(path: str | os.PathLike) -> BinaryIO:
    """A picture or video file, opened to be read.

    Raises:
        DataError: no name of a file; a file that is missing or cannot be read; or a pipe or device, whose beginning
            can be read only once, and which may never end.
    """
    name = os.fspath(path)
    if not name or "\0" in name:
        raise DataError(f"{name!r} is not the name of a file")
    if ADDRESS.match(name):
        raise DataError(f"{name}: is an address; download it first")
    try:
        mode = os.stat(name).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # to open a folder fails by itself
            raise DataError(f"{name}: is a pipe or device, not a file; `predict -` reads a picture from a pipe")
        return open(name, "rb")
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error})") from None


def decode(data: bytes, name: str) -> Picture:
    """A picture from the bytes of its file.

    It is turned as its EXIF data say, or in AVIF and HEIC the file itself; grey, 16-bit, CMYK and palette pictures
    become RGB, and transparent ones lie on white. A JPEG of more than `MAX_PIXELS` is shrunk by its decoder.

    Args:
        name: appears in errors.

    Raises:
        DataError: empty, truncated, damaged, of a kind that is not read, or too large.
    """
    if not data:
        raise DataError(f"{name}: the file is empty")
    is_jpeg, heic = data[:2] == b"\xff\xd8", _is_heic(_brands(data[:64]))
    if heic:
        _know_heic(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, of large pictures and odd metadata
            return _jpeg(data, name) if is_jpeg else _other(data, name)
    except DataError:
        raise
    except UnidentifiedImageError:
        what = "a HEIC picture that is damaged or of a rare kind" if heic else "not a picture that can be read"
        raise DataError(f"{name}: {what}; save it as JPEG or PNG") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name}: over {MAX_PIXELS:,} pixels are too many; shrink it first") from None
    except Exception as error:  # damaged files make the decoders raise errors of every kind
        cut = "truncated" in str(error).lower() or (is_jpeg and not jpeg.ends(data))
        why = "truncated" if cut else f"damaged ({one_line(error)})"
        raise DataError(f"{name}: a {why} {'JPEG' if is_jpeg else 'picture'}; copy or download it again") from None


def of_pil(image: Image.Image) -> Picture:
    """A picture that Pillow has opened, its EXIF rotation applied; see `decode`.

    Raises:
        DataError: it cannot be decoded, or holds numbers that are no colours.
    """
    try:
        return _finish(image, "the picture", [], 1, image.size)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"the picture cannot be decoded ({one_line(error)})") from None


def _jpeg(data: bytes, name: str) -> Picture:
    """A JPEG, with or without its end marker."""
    notes = []
    if not jpeg.ends(data):
        first, *others = (_open_jpeg(data + fill + jpeg.END, name)[0].tobytes() for fill in jpeg.FILLS)
        if any(other != first for other in others) or jpeg.lacks_scans(data):
            raise DataError(f"{name}: a truncated JPEG, whose last pixels are missing; copy or download it again")
        data, notes = data + jpeg.END, ["the JPEG has no end marker; every pixel is there"]
    image, size, scale = _open_jpeg(data, name)
    return _finish(image, name, notes, scale, size)


def _open_jpeg(data: bytes, name: str) -> tuple[Image.Image, tuple[int, int], int]:
    """A decoded JPEG, its (width, height), and by how much its decoder shrank it.

    Its class is taken without `Image.open`, which would refuse 200 million pixels.
    """
    image, scale = JpegImagePlugin.JpegImageFile(io.BytesIO(data)), 1
    width, height = image.size
    if width * height > MAX_SHRUNK:
        raise DataError(f"{name}: {width}x{height} pixels are too many; shrink it first")
    if width * height > MAX_PIXELS:
        scale = 2
        image.draft(None, (width // scale, height // scale))
    image.load()
    return image, (width, height), scale


def _other(data: bytes, name: str) -> Picture:
    """Any other kind."""
    image = Image.open(io.BytesIO(data), formats=[kind for kind in KINDS if kind != "HEIF" or kind in Image.OPEN])
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"{name}: {image.width}x{image.height} pixels are too many; shrink it first")
    further = getattr(image, "n_frames", 1) - 1
    deep = ";16" in str(image.tile)  # colours of 16 bits, of which Pillow keeps the upper 8
    image.load()
    return _finish(image, name, [], 1, image.size, further, deep)


def _finish(
    image: Image.Image, name: str, notes: list[str], scale: int, size: tuple[int, int], further: int = 0,
    deep: bool = False,
) -> Picture:  # fmt: skip
    """Turn it upright and lay it on white; `size` is the photograph's (width, height) as it lies."""
    try:
        orientation = image.getexif().get(0x0112, 1)
        image = ImageOps.exif_transpose(image) if orientation != 1 else image
    except Exception:  # as in `decode`
        orientation, notes = 1, [*notes, "its EXIF data are damaged, so it may lie on its side"]
    upright = size[::-1] if orientation in (5, 6, 7, 8) else size
    pixels = _rgb(image, name)
    if (deep or image.mode[0] == "I") and (brightest := pixels.max()) <= DARK:
        notes = [*notes, f"a 16-bit picture whose largest value is {brightest / 255:.0%} of what 16 bits hold, so it "
                         "is dark; scale its values up to 65535"]  # fmt: skip
    return Picture(pixels, upright, scale, tuple(notes), further)


def _rgb(image: Image.Image, name: str) -> np.ndarray:
    """(H, W, 3) uint8 of any mode."""
    if image.mode[0] in "IF":
        values = np.asarray(image)
        if image.mode == "F" or values.min() < 0 or values.max() > 65535:
            raise DataError(f"{name}: a picture of 32-bit numbers; save it with 8 or 16 bits a channel")
        grey = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
        grey[values == image.info.get("transparency", -1)] = 255
        return np.repeat(grey[..., None], 3, 2)
    if image.has_transparency_data:
        colours = np.asarray(image.convert("RGBA"))
        alpha = colours[..., 3:].astype(np.float32) / 255
        return np.rint(colours[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _brands(start: bytes) -> set[bytes]:
    """What a file of the MP4 family, which AVIF and HEIC belong to, says it is; empty for other files."""
    if start[4:8] != b"ftyp":
        return set()
    known = start[8 : min(int.from_bytes(start[:4], "big"), 64)]
    return {known[i : i + 4] for i in range(0, len(known), 4) if i != 4}  # the second is a version


def _is_heic(brands: set[bytes]) -> bool:
    return bool(brands & {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}) and not (
        brands & {b"avif", b"avis"}
    )


def _know_heic(name: str) -> None:
    """Make Pillow read HEIC. Raises DataError where the package for that is missing."""
    try:
        import pillow_heif
    except ImportError:
        raise DataError(f"{name}: HEIC pictures need one package more, pip install pillow-heif; or save it as JPEG") \
            from None  # fmt: skip
    pillow_heif.register_heif_opener()
