"""Hostile bytes from a seed: valid files that were damaged, and files that nobody wrote in earnest.

Everything follows from the random stream that is handed in, so an input can be made again.
"""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from random import Random

Grammar = Callable[[Random], bytes]

_NUMBERS = ["0", "-1", "1e999", "-.inf", ".nan", "NaN", "1" * 5_000, "9" * 400, "0x" + "f" * 300]
_NUMBERS += ["1e-400", "99999999999999999999", "007", "1_0_", "1:30", "0.1.2", "-0", "+", "1e", "٣"]
_WORDS = [
    "null",
    "~",
    "yes",
    "on",
    "maybe",
    "???",
    "<<",
    "*",
    "&a",
    "*a",
    "!!int abc",
    "<eos>",
    "<unk>",
]
_WORDS += [
    "!!timestamp 2020-99-99",
    "!!bool maybe",
    "!!binary x",
    "!x",
    "${seed}",
    "${",
    "${oc.env:NO}",
]
_WORDS += [
    "é",
    "日本",
    "\u202e",
    "\ufeff",
    "\ud800",
    "\x00",
    "\x85",
    "\u2028",
    "\r",
    "\x1b[31m",
    "a" * 3_000,
]
_SIGNS = [
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    '"',
    "'",
    "\\",
    "#",
    "|",
    ">",
    "%",
    "@",
    "`",
    "=",
    ".",
    "-",
    "\n",
]
TOKENS = [text.encode("utf-8", "surrogatepass") for text in _NUMBERS + _WORDS + _SIGNS]
TOKENS += [b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\x1f\x8b\x08\x00", b"PK\x03\x04", b"\x93NUMPY"]
TOKENS += [struct.pack(form, n) for form in ("<I", ">I", "<q") for n in (0, 1, 2**31 - 1, 2**31)]


def damaged(random: Random, seeds: Sequence[bytes]) -> bytes:
    """A valid file after one to four accidents."""
    data = bytearray(random.choice(seeds))
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        _ACCIDENTS[random.randrange(len(_ACCIDENTS))](random, data, seeds)
    return bytes(data)


def _place(random: Random, data: bytes) -> int:
    """Headers are short, and most of what can go wrong goes wrong there."""
    return random.randrange(min(len(data), random.choice([16, 200, len(data)])) + 1)


def _flip(random: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[min(_place(random, data), len(data) - 1)] ^= 1 << random.randrange(8)


def _overwrite(random: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    token, place = random.choice(TOKENS), _place(random, data)
    data[place : place + len(token)] = token


def _insert(random: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    place = _place(random, data)
    data[place:place] = random.choice(TOKENS)


def _cut(random: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    del data[_place(random, data) :]


def _take_out(random: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    place = _place(random, data)
    del data[place : place + random.choice([1, 4, 40])]


def _splice(random: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = random.choice(seeds)
    data[_place(random, data) :] = other[_place(random, other) :]


def _repeat(random: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    first = _place(random, data)
    part = bytes(data[first : first + random.choice([1, 10, 100])])
    data[first:first] = part * random.choice([1, 3, 200])


def _replace_value(random: Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """What stands behind a colon or an equals sign becomes something else."""
    places = [place for place, byte in enumerate(data) if byte in b":="]
    if places:
        first = random.choice(places) + 1
        ends = [end for end in (data.find(sign, first) for sign in (b"\n", b",", b"}")) if end > 0]
        data[first : min(ends, default=len(data))] = b" " + random.choice(TOKENS)


_ACCIDENTS = [_flip, _overwrite, _insert, _cut, _take_out, _splice, _repeat, _replace_value]


# ── Grammars ──────────────────────────────────────────────────────────────────────────────────


def yaml(random: Random) -> bytes:
    """Deep, wide, aliased, tagged, of several documents."""
    depth = random.choice([1, 30, 150, 3_000])
    word = random.choice(_NUMBERS + _WORDS)
    forms = [
        f"name: {'[' * depth}{word}{']' * depth}\n",
        "".join(f"{'  ' * level}a:\n" for level in range(min(depth, 200))),
        f"name: {word}\nseed: {random.choice(_NUMBERS)}\n",
        "a: &a [x, x]\n" + "".join(f"a{i}: &a{i} [*a, *a]\n" for i in range(random.randrange(20))),
        "".join(f"k{i}: &k{i} [{', '.join([f'*k{max(i - 1, 0)}'] * 9)}]\n" for i in range(1, 12)),
        f"? {{a: {word}}}\n: b\n",
        f"- {word}\n---\n- {word}\n",
        f"data: {{name: {word}, path: {word}}}\ngame: {word}\ngenerator: [{word}]\n",
        f'name: "{word}\\0\\ud83d\\x41"\n',
    ]
    return random.choice(forms).encode("utf-8", "surrogatepass")


def override(random: Random) -> bytes:
    keys = [
        "seed",
        "name",
        "data.oracle.length",
        "schedule.0.repeat",
        "schedule[0]",
        "[",
        "a.b",
        "",
    ]
    keys += ["players.generator.lr", "train.tensorboard", "run.dir", "penalties", "critic", "."]
    keys += [
        "schedule.-1",
        "evaluation.select.metric",
        "[]",
        "a[",
        "]",
        "schedule[0].phases.mle",
        "..",
    ]
    value = random.choice(["", random.choice(_NUMBERS), random.choice(_WORDS), "[" * 150, "{a: [1"])
    return f"{random.choice(keys)}={value}".encode("utf-8", "surrogatepass")


def json_value(random: Random, level: int = 0) -> str:
    """JSON as Python reads it, strict and not: any shape where another was meant."""
    deep = random.choice([10, 5_000])
    leaves = [
        *_NUMBERS[:10],
        '"a"',
        '"\\ud800"',
        '"\\u0000"',
        "null",
        "true",
        "[]",
        "{}",
        "NaN",
        "",
    ]
    leaves += [f"{'[' * deep}{']' * deep}", '{"a": ' * deep + "1" + "}" * deep]
    if level > 2 or random.random() < 0.5:
        return random.choice(leaves)
    inner = [json_value(random, level + 1) for _ in range(random.randrange(4))]
    names = [
        "prompt",
        "response",
        "name",
        "step",
        "kind",
        "metrics",
        "rows",
        "shape",
        "a",
        "__dict__",
    ]
    if random.random() < 0.5:
        return f"[{', '.join(inner)}]"
    return "{" + ", ".join(f'"{random.choice(names)}": {value}' for value in inner) + "}"


def json_lines(random: Random) -> bytes:
    lines = [json_value(random) for _ in range(random.randrange(1, 5))]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def text(random: Random) -> bytes:
    words = [random.choice(TOKENS) for _ in range(random.randrange(40))]
    return random.choice([b" ", b"\n", b"\r", b"\r\n", b""]).join(words)


def noise(random: Random) -> bytes:
    """Random bytes behind a magic number."""
    magics = [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"\xff\xd8\xff",
        b"BM",
        b"DDS ",
        b"BLP2",
        b"II*\0",
    ]
    magics += [
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"\0\0\0\x20ftypavif",
        b"P6 9 9 255 ",
        b"PK\3\4",
        b"\x1f\x8b\x08",
    ]
    magics += [
        b"\0\0\x08\x03",
        b"\0\0\x08\x01",
        b"\x93NUMPY\1\0",
        b"qoif",
        b"8BPS\0\1",
        b"\x0a\5\1\x08",
    ]
    return random.choice(magics) + random.randbytes(random.choice([0, 3, 50, 900]))


def numpy_header(random: Random) -> bytes:
    """A .npy member whose header says something odd."""
    descriptions = [
        "'|u1'",
        "'<f8'",
        "'|O'",
        "'<U9'",
        "'|V3'",
        "'<c16'",
        "'<M8[s]'",
        "[('a', '<i4')]",
        "5",
    ]
    shapes = [
        "(3,)",
        "(2, 2)",
        "(-1,)",
        "(10**12,)",
        "()",
        "(0, 5)",
        "'a'",
        "(2, 2, 2, 2)",
        "(1.5,)",
    ]
    header = (
        f"{{'descr': {random.choice(descriptions)}, 'fortran_order': "
        f"{random.choice(['False', 'True', '7'])}, 'shape': {random.choice(shapes)}, }}"
    )
    data = header.encode() + random.choice([b"\n", b"", b"\0"])
    version = random.choice([b"\1\0", b"\1\0", b"\2\0", b"\x09\0"])
    return b"\x93NUMPY" + version + struct.pack("<H", len(data)) + data + random.randbytes(24)


def archive(random: Random, names: Sequence[str]) -> bytes:
    """A zip of members that are arrays, or not."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", random.choice([0, zipfile.ZIP_DEFLATED])) as made:
        for name in names:
            member = random.choice([numpy_header(random), numpy_header(random), b"", noise(random)])
            made.writestr(random.choice([f"{name}.npy", f"{name}.npy", name]), member)
    data = bytearray(file.getvalue())
    if random.random() < 0.3:  # encrypted, or compressed in an unknown way
        place = data.find(b"PK\1\2")
        data[place + random.choice([8, 10])] |= random.choice([1, 9, 99])
    return bytes(data)


def state(random: Random) -> bytes:
    """The skeleton of a checkpoint, with odd bones."""
    node = json_value(random)
    bones = [
        '{"__tensor__": "t00000"}',
        '{"__tensor__": []}',
        '{"__tuple__": 5}',
        '{"__dict__": [[1]]}',
    ]
    return random.choice([node, random.choice(bones), json.dumps({"__dict__": [["a", 1]]})]).encode(
        "utf-8", "surrogatepass"
    )
