"""Files that the tiny runs read, all made here: text, pictures, arrays, data sets, networks."""

import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_NAMES = ("ann", "bob", "cid", "dee", "eve", "fay", "gus", "hal")
_VERBS = {"a": ("sees", "hears", "likes", "knows"), "b": ("seen", "heard", "liked", "known")}


def write_inputs(folder: Path, networks: bool = True) -> None:
    """Fill `folder` with every file that bases.yaml and runs.yaml name; networks and data sets,
    which need further libraries, are left out where they are not asked for."""
    folder.mkdir(parents=True)
    _write_text(folder)
    _write_two_texts(folder)
    _write_pictures(folder)
    _write_oracle(folder)
    if networks:
        _write_datasets(folder)
        _write_networks(folder)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _sentences() -> list[str]:
    """Sixty different ones, of three to five words."""
    words = ("a", "dog", "cat", "bird", "sees", "hears", "the", "moon", "sun")
    return [
        " ".join([words[i % 3], words[1 + i % 5], words[i // 9], *words[7 : 7 + i % 3]])
        for i in range(60)
    ]


def _pairs() -> list[tuple[str, str]]:
    return [
        (f"who is {name} ?", f"{name} {verb} a cat .") for name in _NAMES for verb in _VERBS["a"]
    ]


def _write_text(folder: Path) -> None:
    lines = _sentences()
    _write_lines(folder / "text.txt", lines)
    words = sorted({word for line in lines for word in line.split()})
    _write_lines(folder / "vocabulary.txt", ["<eos>", "<unk>", *words[:6]])
    _write_lines(folder / "letters.txt", ["abc defgh", "xyz"])
    _write_lines(folder / "questions.txt", [prompt for prompt, _ in _pairs()[::4]])
    _write_lines(
        folder / "articles.txt", ["the king went to the old town on monday .", "a bird sang ."]
    )
    rows = [json.dumps({"prompt": prompt, "response": response}) for prompt, response in _pairs()]
    _write_lines(folder / "pairs.jsonl", rows)


def _write_two_texts(folder: Path) -> None:
    """Two kinds of sentences; held-out line i of one translates line i of the other."""
    rows = [(x, v, y) for x in _NAMES for v in range(4) for y in _NAMES if x != y]
    rows = [rows[i * 37 % len(rows)] for i in range(len(rows))]
    say = {
        "a": lambda x, v, y: f"{x} {_VERBS['a'][v]} {y}",
        "b": lambda x, v, y: f"by {x} {y} is {_VERBS['b'][v]}",
    }
    first = {"a": 0, "b": 40}
    for side in "ab":
        splits = {"train": rows[first[side] :][:40], "valid": rows[80:96], "test": rows[96:112]}
        for split, chosen in splits.items():
            _write_lines(folder / f"{split}.{side}", [say[side](*row) for row in chosen])


def _drawings(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8), dtype=np.uint8)


def _write_pictures(folder: Path) -> None:
    parts = {"train": (64, 0), "test": (16, 1)}
    pictures = {name: _drawings(count, seed) for name, (count, seed) in parts.items()}
    labels = {name: np.arange(count, dtype=np.uint8) % 3 for name, (count, _) in parts.items()}
    arrays = {f"x_{name}": value for name, value in pictures.items()}
    np.savez(folder / "digits.npz", **arrays, **{f"y_{name}": y for name, y in labels.items()})
    (folder / "idx").mkdir()
    for name, prefix in (("train", "train"), ("test", "t10k")):
        for array, kind in ((pictures[name], "images-idx3"), (labels[name], "labels-idx1")):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / "idx" / f"{prefix}-{kind}-ubyte").write_bytes(head + array.tobytes())
    for number, drawing in enumerate(pictures["train"]):
        place = folder / "folder" / f"kind{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawing).resize((16, 16)).convert("RGB").save(place / f"{number:02}.png")


def _write_oracle(folder: Path) -> None:
    """Parameters in the form of the SeqGAN paper's, of a small network."""
    draw, vocab, embed, hidden = np.random.default_rng(2), 5, 4, 6
    shapes: dict[str, tuple[int, ...]] = {"embeddings": (vocab, embed)}
    for gate in ("i", "f", "c", "og"):
        shapes |= {f"W{gate}": (embed, hidden), f"U{gate}": (hidden, hidden), f"b{gate}": (hidden,)}
    shapes |= {"Wo": (hidden, vocab), "bo": (vocab,)}
    arrays = {name: draw.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    np.savez(folder / "paper.npz", **arrays)


def _write_datasets(folder: Path) -> None:
    from datasets import Dataset, DatasetDict, Features, Value, disable_progress_bars
    from datasets import Image as PictureColumn

    disable_progress_bars()

    def save(name: str, columns: dict[str, Any], features: Any = None) -> None:
        table = Dataset.from_dict(columns, features=features)
        DatasetDict({"train": table, "test": table.select(range(12))}).save_to_disk(folder / name)

    save("sentences", {"line": _sentences()})
    save("pairs", {"prompt": [p for p, _ in _pairs()], "response": [r for _, r in _pairs()]})
    drawings = [Image.fromarray(drawing) for drawing in _drawings(64, 0)]
    columns = {"image": drawings, "label": [number % 3 for number in range(64)]}
    save("drawings", columns, Features({"image": PictureColumn(), "label": Value("int64")}))


def _write_networks(folder: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tiny_networks import write_byte_tokenizer, write_network

    write_byte_tokenizer(folder / "network")
    write_network("gpt2", folder / "network", vocab_size=270, n_positions=31)
    write_network("bert", folder / "bert")
