import codecs
import gzip
import os
import unicodedata
from pathlib import Path

import pytest

from seqgan.core.errors import UserError
from seqgan.core.text_files import read_lines


def write(folder: Path, data: bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_plain_and_gzip_read_alike(tmp_path: Path) -> None:
    data = "ein Hund\nzwei Bälle\n".encode()
    plain, packed = write(tmp_path, data), write(tmp_path, gzip.compress(data, mtime=0), "a.txt.gz")
    assert read_lines(plain) == read_lines(packed) == ["ein Hund", "zwei Bälle"]


def test_the_content_and_not_the_ending_tells_gzip(tmp_path: Path) -> None:
    assert read_lines(write(tmp_path, gzip.compress(b"a b\n", mtime=0))) == ["a b"]
    assert read_lines(write(tmp_path, b"a b\n", "a.txt.gz")) == ["a b"]


def test_whitespace_and_blank_lines_go(tmp_path: Path) -> None:
    path = write(tmp_path, b" a  b \r\n\r\n\t\nc")
    assert read_lines(path) == ["a  b", "c"]
    assert read_lines(path, keep_blank=True) == ["a  b", "", "", "c"]


def test_the_last_line_end_opens_no_further_line(tmp_path: Path) -> None:
    assert read_lines(write(tmp_path, b"a\n\nb\n"), keep_blank=True) == ["a", "", "b"]


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    assert read_lines(write(tmp_path, "a\u2028b\x0cc\x85d\n".encode())) == ["a\u2028b\x0cc\x85d"]


def test_byte_order_mark_is_no_part_of_the_first_word(tmp_path: Path) -> None:
    assert read_lines(write(tmp_path, codecs.BOM_UTF8 + b"a b\n")) == ["a b"]


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"a\nb\nc\xff d\n", "a.txt", "line 3: byte 0xff is not UTF-8"),
        (gzip.compress(b"a\n\xe9\n", mtime=0), "a.gz", "line 2: byte 0xe9 is not UTF-8"),
        (b"a\nb\nc\0b\n", "a.txt", "line 3: a NUL byte, as in a binary file"),
        ("text".encode("utf-16"), "a.txt", "binary"),
        (gzip.compress(b"a\0b\n", mtime=0), "a.gz", "binary"),
        (b"", "a.txt", "empty"),
        (b" \n\t\n", "a.txt", "empty"),
        (gzip.compress(b"", mtime=0), "a.gz", "empty"),
        (gzip.compress(b"a long enough text\n", mtime=0)[:-6], "a.gz", "not a complete gzip file"),
        (gzip.compress(b"text\n", mtime=0)[:10] + b"\xff" * 20, "a.gz", "not a complete gzip file"),
    ],
)
@pytest.mark.parametrize("keep_blank", [False, True])
def test_unusable_content_is_named_on_one_line(
    tmp_path: Path, data: bytes, name: str, message: str, keep_blank: bool
) -> None:
    path = write(tmp_path, data, name)
    with pytest.raises(UserError) as caught:
        read_lines(path, keep_blank=keep_blank)
    text = str(caught.value)
    assert message in text
    assert str(path) in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "data",
    [b"a b\rc\rd\r", b"a\rb\rc\n", b"a\r\r\r\nb\rc\r", b"a\rb\r" + b"c\n" * 9],
)
def test_line_ends_of_old_macs_are_told(tmp_path: Path, data: bytes) -> None:
    message = r"a\.txt: lines end in a carriage return alone .*tr '\\r' '\\n'"
    with pytest.raises(UserError, match=message):
        read_lines(write(tmp_path, data))


def test_a_carriage_return_within_a_line_is_no_line_end(tmp_path: Path) -> None:
    assert read_lines(write(tmp_path, b"a\rb\nc\r\n" + b"d\r\n" * 9)) == ["a\rb", "c", *"d" * 9]


def test_text_has_one_spelling(tmp_path: Path) -> None:
    """Joiners make words and emoji, the rest is not seen."""
    line = "gro\u0308\u200b\u00dfe \ufeffnai\u0308\u00adve\u2060"
    kept = "می\u200cخواهم क्\u200dष 👨\u200d👩\u200d👧"
    path = write(tmp_path, f"{line}\n\u200b\n{kept}\n".encode())
    assert read_lines(path) == ["größe naïve", unicodedata.normalize("NFC", kept)]
    assert read_lines(path, keep_blank=True)[1] == ""


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.txt: no such file"):
        read_lines(tmp_path / "absent.txt")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        read_lines(tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "device", "circle"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.txt"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    message = "Too many levels" if kind == "circle" else "is a pipe or a device"
    with pytest.raises(UserError, match=message):
        read_lines(path)


def test_a_pipe_that_the_shell_has_opened_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a b\n")
    os.close(writing)
    try:
        assert read_lines(Path(f"/dev/fd/{reading}")) == ["a b"]
    finally:
        os.close(reading)


def test_a_path_that_cannot_be_one() -> None:
    for name in ("a\0b", "a\ud800b"):
        with pytest.raises(UserError, match="is no path"):
            read_lines(Path(name))


def test_path_through_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_lines(write(tmp_path, b"a\n") / "below.txt")
