"""The one decoder: turned, transparent, deep, large, cut off; all pictures are made here."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from handpose.data import DataError, SyntheticHands, common, pictures


@pytest.fixture(scope="module")
def hand():
    return SyntheticHands(split="test")[3].image[:200]  # (200, 256, 3)


def encoded(image, form, **options):
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, form, **options)
    return stream.getvalue()


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return {"exif": exif.tobytes()}


def lying(image, value):
    """How a camera stores `image` with this EXIF orientation."""
    turned = {5: image.transpose(1, 0, 2), 6: np.rot90(image), 7: np.rot90(image, 2).transpose(1, 0, 2),
              8: np.rot90(image, -1), 2: image[:, ::-1], 3: np.rot90(image, 2), 4: image[::-1], 1: image}  # fmt: skip
    return np.ascontiguousarray(turned[value])


@pytest.mark.parametrize("value", range(1, 9))
def test_every_orientation_with_and_without_transparency(hand, value):
    alpha = np.zeros((*hand.shape[:2], 1), np.uint8)
    alpha[20:120, 30:230] = 255
    alpha[120:150] = 100
    cut = np.concatenate([hand, alpha], 2)
    share = alpha / np.float32(255)
    on_white = np.rint(hand * share + 255 * (1 - share))
    for form, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})):
        for image, right in ((hand, hand), (cut, on_white)):
            found = pictures.decode(encoded(lying(image, value), form, **options, **orientation(value)), "a")
            assert found.size == (256, 200) and not found.notes and np.array_equal(found.image, right)
    jpeg = pictures.decode(encoded(lying(hand, value), "JPEG", quality=95, **orientation(value)), "a").image
    assert jpeg.shape == hand.shape and np.abs(jpeg.astype(int) - hand).mean() < 3


@pytest.mark.parametrize("kind", [".png", ".tif"])
def test_sixteen_bits_that_are_hardly_used_are_noted(hand, kind):
    """Numbers of 12 bits saved as 16: nearly black, and no hand is found."""
    for image in (hand, hand[..., 0]):
        for largest, words in ((4080, "largest value is 6% of what 16 bits hold"), (255, "is 0% of"), (65535, None)):
            deep = (image / image.max() * largest).round().astype(np.uint16)
            data = cv2.imencode(kind, deep)[1].tobytes()
            if kind == ".tif" and image.ndim == 3:
                continue  # Pillow reads no such file
            notes = pictures.decode(data, "a").notes
            assert not notes if words is None else words in notes[0] and "scale its values up to 65535" in notes[0]
    assert not pictures.decode(encoded(hand // 16, "PNG"), "a").notes  # of 8 bits: a dark photograph is one
    deep = Image.fromarray(hand[..., 0].astype(np.uint16) * 16)
    assert "dark" in pictures.of_pil(deep).notes[0]


@pytest.mark.parametrize("value", range(1, 9))
def test_avif_is_turned_by_the_boxes_in_the_file(hand, value):
    if not pytest.importorskip("PIL.features").check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    data = encoded(lying(hand, value), "AVIF", quality=95, **orientation(value))
    assert value in (1, 3) or b"irot" in data or b"imir" in data  # not EXIF: a file has both where it comes from Pillow
    found = pictures.decode(data, "a.avif")
    assert found.size == (256, 200) and np.abs(found.image.astype(int) - hand).mean() < 4
    assert pictures.kind(data[:64]) == "picture"


def test_heic(hand, monkeypatch):
    """Read where the package is there, else a line that says what is missing."""
    start = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    assert pictures.kind(start) == "picture"
    with monkeypatch.context() as without:
        without.setitem(__import__("sys").modules, "pillow_heif", None)
        with pytest.raises(DataError, match=r"^a\.heic: HEIC pictures need one package more, pip install pillow-heif"):
            pictures.decode(start + bytes(99), "a.heic")
    pytest.importorskip("pillow_heif").register_heif_opener()
    for value in (1, 6):
        data = encoded(hand, "HEIF", quality=90, **orientation(value))
        found = pictures.decode(data, "a.heic").image
        assert np.abs(found.astype(int) - (hand if value == 1 else np.rot90(hand, -1))).mean() < 4
        with pytest.raises(DataError, match=r"^a\.heic: a HEIC picture that is damaged"):
            pictures.decode(data[: len(data) // 2], "a.heic")


@pytest.mark.parametrize("kind", [".png", ".tif", ".pgm"])
def test_sixteen_bits_grey(kind):
    values = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    data = cv2.imencode(kind, values)[1].tobytes()
    assert np.array_equal(pictures.decode(data, "a").image, np.repeat(np.rint(values / 257)[..., None], 3, 2))
    assert pictures.decode(cv2.imencode(kind, np.full((9, 9), 65535, np.uint16))[1].tobytes(), "a").image.min() == 255


def test_palette_cmyk_grey_and_one_bit(hand):
    palette = Image.fromarray(hand).quantize(32)
    assert np.array_equal(pictures.decode(encoded(palette, "PNG"), "a").image, np.array(palette.convert("RGB")))
    colour = palette.getpixel((0, 0))
    transparent = pictures.decode(encoded(palette, "PNG", transparency=colour), "a").image
    assert (transparent[np.array(palette) == colour] == 255).all()
    rgb = np.array(palette.convert("RGB"))
    assert np.array_equal(transparent[np.array(palette) != colour], rgb[np.array(palette) != colour])
    cmyk = pictures.decode(encoded(Image.fromarray(hand).convert("CMYK"), "JPEG", quality=98), "a").image
    assert np.abs(cmyk.astype(int) - hand).mean() < 2
    grey = pictures.decode(encoded(Image.fromarray(hand).convert("L"), "JPEG"), "a").image
    assert grey.shape == hand.shape and (grey[..., 0] == grey[..., 2]).all()
    assert set(np.unique(pictures.decode(encoded(Image.fromarray(hand).convert("1"), "PNG"), "a").image)) == {0, 255}
    with pytest.raises(DataError, match="32-bit numbers"):
        pictures.decode(encoded(Image.fromarray(np.full((9, 9), 0.5, np.float32)), "TIFF"), "a")


@pytest.mark.parametrize(
    "options",
    [{"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2, "quality": 40}, {"progressive": True}, {"quality": 95}],
)
def test_ordinary_jpegs_have_the_pixels_that_opencv_gives(hand, options):
    """The bundled weights and the records were made with those."""
    for image in (hand, hand[:121, :57]):
        data = encoded(np.ascontiguousarray(image), "JPEG", **options)
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.array_equal(pictures.decode(data, "a").image, expected)


@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"progressive": True}, {"restart_marker_blocks": 4}, {"optimize": True}]
)
def test_a_jpeg_cut_anywhere_is_refused_or_every_pixel_is_there(hand, options):
    data = encoded(cv2.resize(hand, (72, 56)), "JPEG", **options)
    complete, accepted = pictures.decode(data, "a").image, []
    for length in [*range(1, len(data) - 40, 3), *range(len(data) - 40, len(data))]:
        try:
            found = pictures.decode(data[:length], "a.jpg")
        except DataError as error:
            assert str(error).startswith("a.jpg: ") and "\n" not in str(error)
            continue
        assert np.array_equal(found.image, complete) and found.notes
        accepted.append(length)
    assert len(data) - 2 in accepted  # the end marker alone is missing


def test_no_end_marker_warns_and_fill_bytes_do_not(hand):
    data = encoded(hand, "JPEG")
    complete = pictures.decode(data, "a").image
    for padded in (data[:2] + b"\xff\xff" + data[2:], data[:-2] + b"\xff\xff\xff" + data[-2:]):
        found = pictures.decode(padded, "a")
        assert np.array_equal(found.image, complete) and not found.notes
    for endless in (data[:-2], data[:-2] + bytes(500), data[:2] + b"\xff" + data[2:-2]):
        with pytest.warns(UserWarning, match=r"a\.jpg: the JPEG has no end marker; every pixel is there"):
            assert np.array_equal(common.decode_image(endless, "a.jpg"), complete)
    with pytest.raises(DataError, match="truncated"):
        pictures.decode(data[: len(data) // 2] + bytes(500), "a")


def test_a_photograph_of_a_hundred_million_pixels_is_shrunk(hand, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 40_000)
    found = pictures.decode(encoded(lying(hand, 6), "JPEG", quality=95, **orientation(6)), "a")
    assert (found.size, found.scale, found.image.shape) == ((256, 200), 2, (100, 128, 3))
    small = cv2.resize(hand, (128, 100), interpolation=cv2.INTER_AREA)
    assert np.abs(found.image.astype(int) - small).mean() < 3
    with pytest.raises(DataError, match=r"a\.jpg: 256x200 pixels are too many"):  # labels are in the photograph's own
        common.decode_image(encoded(hand, "JPEG"), "a.jpg")
    with pytest.raises(DataError, match=r"a\.png: 256x200 pixels are too many"):
        pictures.decode(encoded(hand, "PNG"), "a.png")
    monkeypatch.setattr(pictures, "MAX_SHRUNK", 50_000)
    with pytest.raises(DataError, match=r"a\.jpg: 256x200 pixels are too many"):
        pictures.decode(encoded(hand, "JPEG"), "a.jpg")


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (12_000, 9000), (2_000_000, 200)])
def test_small_files_that_would_become_huge(width, height):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    with pytest.raises(DataError, match=r"^bomb\.png: .* pixels are too many; shrink it first$"):
        pictures.decode(bomb, "bomb.png")
    jpeg = encoded(np.zeros((16, 16, 3), np.uint8), "JPEG")
    jpeg = jpeg.replace(struct.pack(">HH", 16, 16), struct.pack(">HH", 65_000, 65_000), 1)
    with pytest.raises(DataError, match=r"^bomb\.jpg: 65000x65000 pixels are too many; shrink it first$"):
        pictures.decode(jpeg, "bomb.jpg")


@pytest.mark.parametrize("form", ["PNG", "GIF", "TIFF", "BMP", "WEBP", "AVIF", "JPEG2000", "PPM", "JPEG"])
def test_damage_is_one_line(hand, form):
    data, random = encoded(hand, form), np.random.default_rng(0)
    assert pictures.kind(data[:64]) == "picture"
    assert pictures.decode(data, "a").image.shape == hand.shape
    for _ in range(20):
        noisy = np.frombuffer(data, np.uint8).copy()
        noisy[random.integers(0, min(len(data), 400), 6)] = random.integers(0, 256, 6)
        for broken in (noisy.tobytes(), data[: random.integers(1, len(data) // 2)]):
            try:
                assert pictures.decode(broken, "a.x").image.dtype == np.uint8
            except DataError as error:
                assert str(error).startswith("a.x: ") and "\n" not in str(error)


def test_pages_and_frames_behind_the_first_are_counted(hand):
    pages = [Image.fromarray(np.roll(hand, 9 * k, 1)) for k in range(3)]
    for form in ("GIF", "TIFF", "PNG"):
        found = pictures.decode(encoded(pages[0], form, save_all=True, append_images=pages[1:]), "a")
        assert found.further == 2 and found.image.shape == hand.shape


def test_damaged_exif_is_said(hand):
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n 8\nno numbers")
    with pytest.warns(UserWarning, match=r"a\.png: its EXIF data are damaged, so it may lie on its side"):
        assert np.array_equal(common.decode_image(encoded(hand, "PNG", pnginfo=text), "a.png"), hand)


def test_what_a_file_is_shows_in_its_first_bytes(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48))
    if writer.isOpened():
        writer.write(np.zeros((48, 64, 3), np.uint8))
        writer.release()
        assert pictures.kind((tmp_path / "a.avi").read_bytes()[:64]) == "video"
    for start, right in (
        (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", "video"), (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video"),
        (b"\x1a\x45\xdf\xa3\x93", "video"), (b"P6\n3 3\n255\n", "picture"), (b"Photographs of", None), (b"", None),
        (b"\0\x05\x16\x07\0\x02\0\0Mac OS X", None), (b'{"images": []}', None), (b"RIFF\0\0\0\0WAVEfmt ", None),
    ):  # fmt: skip
        assert pictures.kind(start) == right
