"""Every reader of what people hand over, with valid files for it and a grammar of hostile ones."""

import gzip
import io
import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import hostile
import numpy as np
import torch
from omegaconf import OmegaConf
from PIL import Image
from tiny_runs import tiny_experiment, tiny_tree

from seqgan.core.config import apply_overrides, validate
from seqgan.core.picture_files import read_picture
from seqgan.core.text_files import read_lines
from seqgan.data.corpus_config import TextDataConfig
from seqgan.data.pair_sources import read_prompts
from seqgan.data.picture_config import IdxSourceConfig, NpzSourceConfig, PictureSetConfig
from seqgan.data.prompted_config import JsonlPairsConfig, PromptedTextConfig
from seqgan.data.tokenizer_config import SentencePieceConfig
from seqgan.data.tokenizers import SentencePieceTokenizer, WordTokenizer, load_tokenizer
from seqgan.experiment import Experiment, load_experiment
from seqgan.models.oracles import load_paper_oracle
from seqgan.reporting.runs import group_runs, read_run
from seqgan.runs.folder import read_prompts as read_kept_prompts
from seqgan.runs.folder import read_space
from seqgan.runs.outcome import open_reported
from seqgan.runs.weights import load_generator
from seqgan.study import load_study, plan

_TINY, _EXPERIMENT = OmegaConf.create(tiny_tree()), tiny_experiment()
CONFIGS = Path(__file__).parents[2] / "configs"
FORMATS = (
    "png",
    "jpeg",
    "gif",
    "bmp",
    "tiff",
    "webp",
    "avif",
    "jpeg2000",
    "dds",
    "blp",
    "ppm",
    "tga",
)
FORMATS += ("ico", "icns", "pcx", "sgi", "im", "msp", "xbm", "qoi", "spider", "mpo")


@dataclass(frozen=True)
class Target:
    """One reader. `read` gets an empty folder and the hostile bytes."""

    inputs: int
    """Of the short form; the reader's speed and trickiness decide."""
    seeds: Callable[[Path], list[bytes]]
    """Valid files; may use the folder of a finished run."""
    grammar: hostile.Grammar
    read: Callable[[Path, bytes], Any]


def bytes_for(target: Target, seeds: list[bytes], random: Random) -> bytes:
    if random.random() < 0.25:
        return target.grammar(random)
    return hostile.damaged(random, seeds)


def _written(name: str, read: Callable[[Path], Any]) -> Callable[[Path, bytes], Any]:
    """A reader of one file."""

    def write_and_read(folder: Path, data: bytes) -> Any:
        path = folder / name
        path.write_bytes(data)
        return read(path)

    return write_and_read


# ── Configurations ────────────────────────────────────────────────────────────────────────────


def _configurations(run: Path) -> list[bytes]:
    names = ("oracle/enumerable", "corpus/starter", "image/mnist", "families/leakgan")
    written = OmegaConf.to_yaml(_TINY).encode()
    return [written, *((CONFIGS / f"{name}.yaml").read_bytes() for name in names)]


_OVERRIDES = [
    "seed=1",
    "run.dir=a b",
    "players.generator.lr=1e-4",
    "schedule.0.repeat=9",
    "schedule[0].phases={mle: 1, critic: 2}",
    "estimator={name: soft_gumbel}",
    "train.tensorboard=off",
    "penalties=[{name: r1, weight: 2.0}]",
    "name='x: y'",
    "critic=null",
    "players.critic.betas=[0.5, 0.9]",
    "data={name: text, path: a.txt, tokenizer: {name: word}}",
]


def _override(folder: Path, data: bytes) -> None:
    word = data.decode("utf-8", "surrogateescape")
    validate(Experiment, apply_overrides(_TINY, [word]), "tiny")


def _study(folder: Path, data: bytes) -> None:
    (folder / "base.yaml").write_text(OmegaConf.to_yaml(_TINY))
    (folder / "study.yaml").write_bytes(data)
    plan(load_study(folder / "study.yaml"), folder / "study.yaml", folder / "runs", ["seed=3"])


def _studies(run: Path) -> list[bytes]:
    arms = [{"name": "a"}, {"name": "b", "set": {"estimator.baseline": {"name": "none"}}}]
    study = {"name": "s", "base": "base.yaml", "seeds": [0], "baseline": "a", "arms": arms}
    return [OmegaConf.to_yaml(OmegaConf.create(study)).encode()]


# ── Text ──────────────────────────────────────────────────────────────────────────────────────

_LINES = "a dog sees the moon\n\nün chat  noir ; 日本\r\nthe end .\n" * 4


def _texts(run: Path) -> list[bytes]:
    plain = _LINES.encode()
    return [plain, gzip.compress(plain, mtime=0), b"\xef\xbb\xbf" + plain, _LINES.encode("utf-16")]


def _corpus(path: Path) -> None:
    TextDataConfig(name="text", path=str(path), length=6, overlong="drop").build_corpus()


def _vocabularies(run: Path) -> list[bytes]:
    return [b"<eos>\n<unk>\na\ndog\n", b"<unk>\n" + "日\nün\n<eos>\n".encode()]


_PAIRS = [{"prompt": f"wer {i}", "response": "ein Hund\n"} for i in range(9)]
_PAIRS += [{"prompt": i, "response": "日"} for i in range(3)]


def _jsonl(run: Path) -> list[bytes]:
    plain = "".join(json.dumps(row) + "\n" for row in _PAIRS).encode()
    return [plain, gzip.compress(plain, mtime=0)]


def _pairs(path: Path) -> None:
    source = JsonlPairsConfig(name="jsonl", path=str(path))
    config = PromptedTextConfig(name="prompted_text", source=source)
    read_prompts(str(path), config.source.prompt_field)
    config.source.build()


# ── Tokenizers ────────────────────────────────────────────────────────────────────────────────


def _pieces(run: Path) -> list[bytes]:
    config = SentencePieceConfig(name="sentencepiece", vocab_size=20)
    tokenizer = config.build(_LINES.split("\n")[:3])
    return [tokenizer._model]


def _kept_tokenizer(folder: Path, data: bytes) -> None:
    (folder / "vocabulary.txt").write_bytes(b"<eos>\n<unk>\na\n")
    (folder / "tokenizer.json").write_bytes(data)
    load_tokenizer(folder)


def _settings(run: Path) -> list[bytes]:
    word = {"name": "word", "lowercase": True, "split_punctuation": False}
    return [json.dumps(tree).encode() for tree in (word, {"name": "letters"})]


# ── Arrays and pictures ───────────────────────────────────────────────────────────────────────


def _packed(save: Callable[..., None], **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


_NPZ = {"x_train": (40, 4, 4), "y_train": (40,), "x_test": (6, 4, 4), "y_test": (6,)}


def _npz_files(run: Path) -> list[bytes]:
    arrays = {name: np.arange(np.prod(shape)).reshape(shape) % 2 for name, shape in _NPZ.items()}
    small = {name: array.astype(np.uint8) for name, array in arrays.items()}
    return [_packed(save, **small) for save in (np.savez, np.savez_compressed)]


def _pictures_of(source: Any) -> None:
    PictureSetConfig(source=source, size=4).build_pictures()


_GATES = [f"{kind}{gate}" for kind in "WUb" for gate in ("i", "f", "c", "og")]
_ORACLE = {"embeddings": (3, 2), "Wo": (4, 3), "bo": (3,)}
_ORACLE |= {name: {"W": (2, 4), "U": (4, 4), "b": (4,)}[name[0]] for name in _GATES}


def _oracles(run: Path) -> list[bytes]:
    return [_packed(np.savez, **{name: np.ones(shape) for name, shape in _ORACLE.items()})]


def _idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def _idx_files(run: Path) -> list[bytes]:
    pictures = _idx_bytes(np.arange(640).reshape(40, 4, 4).astype(np.uint8))
    return [
        pictures,
        gzip.compress(pictures, mtime=0),
        _idx_bytes(np.arange(40).astype(np.uint8) % 2),
    ]


def _idx(folder: Path, data: bytes) -> None:
    whole, labels = _idx_files(folder)[1:]
    for split in ("train", "t10k"):
        (folder / f"{split}-images.idx").write_bytes(whole)
        (folder / f"{split}-labels.idx").write_bytes(labels)
    kind = "images" if len(data) % 2 else "labels"
    (folder / f"train-{kind}.idx").write_bytes(data)
    _pictures_of(IdxSourceConfig(name="idx", path=str(folder)))


def _picture_files(run: Path) -> list[bytes]:
    x = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    made = []
    for name in FORMATS:
        for mode in ("RGB", "L", "1", "P", "F", "I;16", "RGBA", "CMYK"):
            image = Image.fromarray(x).convert("L" if mode == "I;16" else mode)
            file = io.BytesIO()
            try:
                image.convert(mode).save(file, name.upper())
            except (OSError, ValueError, KeyError):  # a format without this mode
                continue
            made.append(file.getvalue())
    return made


# ── Run folders ───────────────────────────────────────────────────────────────────────────────


def _file_of_run(name: str) -> Callable[[Path], list[bytes]]:
    return lambda run: [(run / name).read_bytes()]


class RunReader:
    """Reads a copy of a run, as former versions left it, without checksums; one file is hostile."""

    def __init__(self, name: str, read: Callable[[Path], Any]) -> None:
        self._name = name
        self._read = read

    def __call__(self, folder: Path, data: bytes) -> None:
        run = folder.parent / "run"
        path = run / self._name
        whole = path.read_bytes() if path.exists() else None
        path.write_bytes(data)
        try:
            self._read(run)
        finally:
            path.unlink()
            if whole is not None:
                path.write_bytes(whole)


def copy_run(run: Path, folder: Path) -> Path:
    shutil.copytree(run, folder)
    for path in folder.rglob("SHA256SUMS"):
        path.unlink()
    return folder


def _report(run: Path) -> None:
    found = read_run(run)
    _ = (found.seed, found.last_line, found.selected_row, found.real_row, found.decoding_rows)
    for arm in group_runs([found]):
        for metric in ("nll_test", "seconds_total", "seconds_reported"):
            arm.values_by_seed(metric)


def _weights(run: Path) -> None:
    state, _ = open_reported(_EXPERIMENT, run)
    load_generator(_EXPERIMENT, read_space(run), state, torch.device("cpu"))


STEP = "checkpoints/step-00000012"

TARGETS = {
    "configuration": Target(
        110,
        _configurations,
        hostile.yaml,
        _written("c.yaml", lambda path: load_experiment(path, [])),
    ),
    "override": Target(
        190, lambda run: [word.encode() for word in _OVERRIDES], hostile.override, _override
    ),
    "study": Target(60, _studies, hostile.yaml, _study),
    "lines": Target(240, _texts, hostile.text, _written("a.txt", read_lines)),
    "corpus": Target(80, _texts, hostile.text, _written("a.txt", _corpus)),
    "vocabulary": Target(
        160, _vocabularies, hostile.text, _written("v.txt", WordTokenizer.from_file)
    ),
    "pairs": Target(200, _jsonl, hostile.json_lines, _written("a.jsonl", _pairs)),
    "pieces": Target(
        60, _pieces, hostile.noise, _written("a.model", SentencePieceTokenizer.from_file)
    ),
    "tokenizer": Target(60, _settings, hostile.json_lines, _kept_tokenizer),
    "npz": Target(
        150,
        _npz_files,
        partial(hostile.archive, names=list(_NPZ)),
        _written("a.npz", lambda path: _pictures_of(NpzSourceConfig(name="npz", path=str(path)))),
    ),
    "oracle": Target(
        100,
        _oracles,
        partial(hostile.archive, names=list(_ORACLE)),
        _written(
            "a.npz",
            load_paper_oracle,
        ),
    ),
    "idx": Target(100, _idx_files, hostile.noise, _idx),
    "picture": Target(300, _picture_files, hostile.noise, _written("a.png", read_picture)),
    "run.json": Target(
        20, _file_of_run("run.json"), hostile.json_lines, RunReader("run.json", _report)
    ),
    "config.yaml": Target(
        30, _file_of_run("config.yaml"), hostile.yaml, RunReader("config.yaml", _report)
    ),
    "metrics": Target(
        40, _file_of_run("metrics.jsonl"), hostile.json_lines, RunReader("metrics.jsonl", _report)
    ),
    "evaluation": Target(
        40,
        _file_of_run("evaluation.json"),
        hostile.json_lines,
        RunReader("evaluation.json", _report),
    ),
    "space": Target(
        30, _file_of_run("space.json"), hostile.json_lines, RunReader("space.json", read_space)
    ),
    "prompts": Target(
        20,
        lambda run: [b"[[1, 2], [3, 0]]"],
        hostile.json_lines,
        RunReader("prompts.json", read_kept_prompts),
    ),
    "best": Target(
        20,
        lambda run: [b'{"step": 12, "metric": "nll_valid", "value": 1.5}'],
        hostile.json_lines,
        RunReader("checkpoints/best.json", _weights),
    ),
    "tree": Target(
        60,
        _file_of_run(f"{STEP}/state.json"),
        hostile.state,
        RunReader(f"{STEP}/state.json", _weights),
    ),
    "tensors": Target(
        40,
        _file_of_run(f"{STEP}/tensors.safetensors"),
        hostile.noise,
        RunReader(f"{STEP}/tensors.safetensors", _weights),
    ),
}
