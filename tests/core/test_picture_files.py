"""Opening picture files: what becomes of colours and frames, and what is refused."""

import os
import struct
import zlib
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from seqgan.core.errors import UserError
from seqgan.core.picture_files import bits_in_use, list_pictures, read_picture

GREY_HW = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
RGB_HWC = np.stack([GREY_HW, 255 - GREY_HW, GREY_HW // 2], 2)


def save(image: Image.Image, path: Path, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_bytes_come_back_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    colour = read_picture(save(Image.fromarray(RGB_HWC), tmp_path / f"c.{suffix}", **options))
    assert colour.dtype == np.uint8
    np.testing.assert_array_equal(colour, RGB_HWC)
    if suffix != "webp":  # which knows no grey
        grey = read_picture(save(Image.fromarray(GREY_HW), tmp_path / f"g.{suffix}"))
        np.testing.assert_array_equal(grey, GREY_HW)


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    path = save(Image.fromarray(RGB_HWC), tmp_path / "a.jpg", format="PNG")
    np.testing.assert_array_equal(read_picture(path), RGB_HWC)


def test_transparency_becomes_white(tmp_path: Path) -> None:
    """Opaque, half and fully transparent: colour · α + 255 · (1 − α)."""
    rgba = np.zeros((1, 3, 4), dtype=np.uint8)
    rgba[..., 0], rgba[..., 3] = 200, (255, 128, 0)
    found = read_picture(save(Image.fromarray(rgba), tmp_path / "a.png"))
    expected = [[200, 0, 0], [227, 127, 127], [255, 255, 255]]
    np.testing.assert_allclose(found[0].astype(int), expected, atol=1)
    grey_alpha = Image.fromarray(rgba[..., [0, 3]])
    assert grey_alpha.mode == "LA"
    found = read_picture(save(grey_alpha, tmp_path / "b.png"))
    np.testing.assert_allclose(found[0, :, 1].astype(int), [200, 227, 255], atol=1)


def test_palettes_become_colours_and_their_hole_white(tmp_path: Path) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 200, 0, 0, 1, 2, 3])
    image.putdata([0, 1, 2])
    plain = read_picture(save(image, tmp_path / "plain.png"))
    np.testing.assert_array_equal(plain[0], [[10, 20, 30], [200, 0, 0], [1, 2, 3]])
    holed = read_picture(save(image, tmp_path / "holed.png", transparency=1))
    np.testing.assert_array_equal(holed[0], [[10, 20, 30], [255, 255, 255], [1, 2, 3]])


@pytest.mark.parametrize(("mode", "shape"), [("1", (6, 8)), ("CMYK", (6, 8, 3))])
def test_other_modes(tmp_path: Path, mode: str, shape: tuple[int, ...]) -> None:
    image = Image.fromarray(RGB_HWC).convert(mode)
    found = read_picture(save(image, tmp_path / "a.tiff"))
    assert found.shape == shape
    np.testing.assert_array_equal(found, np.asarray(image.convert("L" if mode == "1" else "RGB")))


def test_sixteen_bits_stay(tmp_path: Path) -> None:
    deep = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    for name in ("a.png", "a.tiff"):
        found = read_picture(save(Image.fromarray(deep), tmp_path / name))
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, deep)
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 65535 " + deep[:, 2:].astype(">u2").tobytes())
    np.testing.assert_array_equal(read_picture(tmp_path / "a.pgm"), [[256, 65535]])


def png_of_sixteen_bits(x_HWC: np.ndarray) -> bytes:
    """Colours, which Pillow reads but does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    height, width, _ = x_HWC.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in x_HWC)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_colours_of_sixteen_bits_stay(tmp_path: Path) -> None:
    deep = np.arange(30).reshape(2, 5, 3).astype(np.uint16) * 141
    (tmp_path / "a.png").write_bytes(png_of_sixteen_bits(deep))
    found = read_picture(tmp_path / "a.png")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, deep)
    (tmp_path / "a.png").write_bytes(png_of_sixteen_bits(deep)[:60])
    with pytest.raises(UserError, match="cannot be read"):
        read_picture(tmp_path / "a.png")


def tiff_of_sixteen_bits(x_HWC: np.ndarray, order: str, planes: bool, packed: bool) -> bytes:
    """A little-endian ("<") or big-endian (">") TIFF of one strip, or of one a plane."""
    height, width, channels = x_HWC.shape
    parts = [x_HWC[..., c] for c in range(channels)] if planes else [x_HWC]
    strips = [part.astype(f"{order}u2").tobytes() for part in parts]
    strips = [zlib.compress(strip) for strip in strips] if packed else strips
    starts = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    body = b"".join(strips)
    entries = []

    def entry(tag: int, *values: int) -> None:
        """32-bit numbers; several of them lie in the body."""
        nonlocal body
        where = values[0] if len(values) == 1 else 8 + len(body)
        if len(values) > 1:
            body += struct.pack(f"{order}{len(values)}I", *values)
        entries.append(struct.pack(f"{order}HHII", tag, 4, len(values), where))

    entry(256, width)
    entry(257, height)
    entry(258, *[16] * channels)
    entry(259, 8 if packed else 1)
    entry(262, 2)
    entry(273, *starts)
    entry(277, channels)
    entry(278, height)
    entry(279, *map(len, strips))
    entry(284, 2 if planes else 1)
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(body))
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries)
    return head + body + directory + bytes(4)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_colours_of_sixteen_bits_stay_or_are_refused(
    tmp_path: Path, order: str, packed: bool
) -> None:
    deep = np.arange(30).reshape(2, 5, 3).astype(np.uint16) * 141
    path = tmp_path / "a.tiff"
    path.write_bytes(tiff_of_sixteen_bits(deep, order, planes=False, packed=packed))
    found = read_picture(path)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, deep)
    path.write_bytes(tiff_of_sixteen_bits(deep, order, planes=True, packed=packed))
    with pytest.raises(UserError, match=r"a\.tiff: .*a plane of 16 bits for each colour"):
        read_picture(path)


@pytest.mark.parametrize(
    ("values", "bits"),
    [([0], 8), ([255], 8), ([256], 10), ([1023], 10), ([1024], 12), ([4095, 7], 12), ([65535], 16)],
)
def test_the_largest_number_says_how_many_bits_are_in_use(values: list[int], bits: int) -> None:
    pictures = [np.full((1, 1), value, np.uint16) for value in values]
    assert bits_in_use([np.full((1, 1), 255, np.uint8), *pictures]) == bits


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_the_first_frame_counts(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    options = {"save_all": True, "append_images": frames[1:], "lossless": True}
    found = read_picture(save(frames[0], tmp_path / f"a.{suffix}", **options))
    np.testing.assert_array_equal(found, np.asarray(frames[0]))


def test_photos_are_turned_as_the_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    path = save(Image.fromarray(RGB_HWC), tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_picture(path), np.rot90(RGB_HWC, -1))


def test_unusable_files_are_named_on_one_line(tmp_path: Path) -> None:
    whole = save(Image.fromarray(RGB_HWC), tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:-40])
    png = save(Image.fromarray(RGB_HWC), tmp_path / "whole.png").read_bytes()
    (tmp_path / "flipped.png").write_bytes(png[:60] + bytes([png[60] ^ 255]) + png[61:])
    (tmp_path / "text.png").write_text("no picture at all\n")
    (tmp_path / "empty.png").touch()
    save(Image.fromarray(np.zeros((2, 2), dtype=np.float32)), tmp_path / "float.tiff")
    Image.fromarray(np.array([[0, 100_000]], dtype=np.int32)).save(tmp_path / "long.tiff")
    os.mkfifo(tmp_path / "pipe.png")
    dds = save(Image.fromarray(RGB_HWC), tmp_path / "whole.dds").read_bytes()
    (tmp_path / "odd.dds").write_bytes(dds[:80] + b"\x04\0\0\0DX99" + dds[88:])
    blp = save(Image.fromarray(RGB_HWC).convert("P"), tmp_path / "whole.blp").read_bytes()
    (tmp_path / "cut.blp").write_bytes(blp[:30])
    for name, message in {
        "cut.jpg": r"cannot be read \(.*(?i:truncated).*\); remove or replace",
        "flipped.png": "cannot be read .*; remove or replace",
        "text.png": "is no picture that Pillow can read; remove it",
        "empty.png": "is no picture that Pillow can read; remove it",
        "float.tiff": "numbers of mode F, not bytes 0–255",
        "long.tiff": "numbers from 0 to 100000, not of 8 or 16 bits",
        "pipe.png": "is a pipe or a device",
        "odd.dds": r"cannot be read \(it is damaged, or of a kind that is not supported\)",
        "cut.blp": r"cannot be read|is no picture",
        "missing.png": "no such file; check the path",
        ".": "is a folder; name a file in it",
    }.items():
        path = tmp_path / name
        with pytest.raises(UserError, match=message) as caught:
            read_picture(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    data = save(Image.fromarray(RGB_HWC), path).read_bytes()
    end = len(data) - 12  # what follows says only that the file ends
    for size in range(0, end - 4, 7):
        path.write_bytes(data[:size])
        with pytest.raises(UserError, match=r"a\.png"):
            read_picture(path)


# ── Folders ───────────────────────────────────────────────────────────────────────────────────


def test_folders_are_read_through_and_sorted(tmp_path: Path) -> None:
    names = ["b/2.png", "b/10.png", "a.png", "c/d/1.JPG", "b.png"]
    aside = [".DS_Store", "b/Thumbs.db", ".cache/x.png", "desktop.ini", "__MACOSX/b/2.png"]
    for name in names + aside:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_pictures(tmp_path)]
    assert found == ["a.png", "b/10.png", "b/2.png", "b.png", "c/d/1.JPG"]


def test_links_are_followed_and_broken_ones_not_lost(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").touch()
    (tmp_path / "set").mkdir()
    os.symlink(tmp_path / "real", tmp_path / "set" / "linked")
    os.symlink(tmp_path / "gone.png", tmp_path / "set" / "z.png")
    found = list_pictures(tmp_path / "set")
    assert [path.name for path in found] == ["a.png", "z.png"]
    with pytest.raises(UserError, match=r"z\.png: no such file"):
        read_picture(found[1])


@pytest.mark.parametrize("target", ["set", ".", "..", "set/b"])
def test_links_in_a_circle_are_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "set" / "b").mkdir()
    os.symlink(tmp_path / target, tmp_path / "set" / "a" / "link")
    os.symlink(tmp_path / "set" / "a", tmp_path / "set" / "b" / "link")
    with pytest.raises(UserError, match=r"link: is a link back to a folder that it lies in"):
        list_pictures(tmp_path / "set")


def test_two_links_to_one_folder_are_no_circle(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "1.png").touch()
    (tmp_path / "set").mkdir()
    for name in "ab":
        os.symlink(tmp_path / "real", tmp_path / "set" / name)
    found = [
        path.relative_to(tmp_path / "set").as_posix() for path in list_pictures(tmp_path / "set")
    ]
    assert found == ["a/1.png", "b/1.png"]


def test_a_folder_with_signs_of_patterns_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "[ab]*"
    folder.mkdir()
    (folder / "1.png").touch()
    assert list_pictures(folder) == [folder / "1.png"]


def test_useless_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    (tmp_path / "empty" / ".hidden").touch()
    (tmp_path / "file").touch()
    for name, message in {
        "empty": "holds no files; name a folder with pictures",
        "missing": "no such folder; check the path",
        "file": "is a file; name the folder",
    }.items():
        with pytest.raises(UserError, match=message) as caught:
            list_pictures(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
