"""What a finished run makes for people: sequences, points, pictures, translations, responses.

Needs the run folder only, not the data it was trained on.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import dropwhile, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from seqgan.build.game import build_device
from seqgan.core.device import autocast
from seqgan.core.errors import UserError, warn
from seqgan.core.picture_files import Bytes, list_pictures, read_picture, save_picture
from seqgan.core.pictures import to_bytes, to_unit
from seqgan.core.progress import progress_bar
from seqgan.core.rng import isolated
from seqgan.core.saved_files import check_output, read_json_object, write_text
from seqgan.core.types import ArraySpace, SequenceSpace, SpacePair
from seqgan.data.config import ConditionalOracleConfig, OracleDataConfig
from seqgan.data.prompted_text import fill_in_front
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.data.tokenizers import load_tokenizer
from seqgan.decoding import Ancestral, generate, sample
from seqgan.evaluation.pictures import listed_labels
from seqgan.evaluation.sheets import grid
from seqgan.evaluation.written import written_lines
from seqgan.experiment import Experiment
from seqgan.run import load_generator, read_prompts, read_space, told_state
from seqgan.run_folder import FROM_A_COPY
from seqgan.translate import check_beam, check_length, translate

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """What `seqgan sample` asks for."""

    rows: int
    temperature: float
    top_p: float
    seed: int
    format: str
    output: Path | None
    """Where they go; None: a sheet of pictures into the run folder, all else is returned."""


def sample_run(experiment: Experiment, folder: Path, request: SampleOptions) -> list[str]:
    """Lines for stdout: samples, or the path of the file that was written."""
    if request.output is not None:
        check_output(request.output)
    device = build_device(experiment)
    state = told_state(experiment, folder)
    space = read_space(folder)
    if isinstance(space, SpacePair):
        raise UserError(
            f"{folder}: this run translates, so there is nothing to sample; use "
            f"'seqgan transform {folder} --input …'"
        )
    _check_format(experiment, space, request)
    generator = load_generator(experiment, space, state, device)
    with isolated(request.seed), torch.no_grad(), autocast(device, experiment.train.precision):
        if isinstance(space, SequenceSpace):
            lines = _sequences(experiment, folder, generator, space, request)
            return _lines_or_file(lines, request.output)
        sizes = space.label_sizes
        labels_NA = listed_labels(sizes, request.rows) if sizes else None
        x = generate(generator, request.rows, request.temperature, labels_NA)
    if not space.bounded:
        lines = [_format_point(request.format, point) for point in x.tolist()]
        return _lines_or_file(lines, request.output)
    columns = sizes[0] if len(sizes) == 1 else max(1, round(request.rows**0.5))
    output = request.output or folder / f"samples-{request.rows}-seed-{request.seed}.png"
    save_picture(grid(to_bytes(x), columns), output)
    return [str(output)]


def _lines_or_file(lines: list[str], output: Path | None) -> list[str]:
    """The lines, or the name of the file that they are in now."""
    if output is None:
        return lines
    write_text(output, "".join(f"{line}\n" for line in lines))
    return [str(output)]


def _check_format(experiment: Experiment, space: Any, request: SampleOptions) -> None:
    pictures = isinstance(space, ArraySpace) and space.bounded
    lines = ["text", "ids", "jsonl"] if isinstance(space, SequenceSpace) else ["text", "jsonl"]
    known = ["png"] if pictures else lines
    if request.format not in known:
        raise UserError(
            f"--format={request.format!r}: this run writes {', '.join(known)}; choose one of them"
        )
    if request.top_p != 1 and isinstance(space, ArraySpace):
        raise UserError(f"--top-p={request.top_p}: is for sequences; pictures have --temperature")
    if request.output is None:
        return
    if not pictures and request.output.suffix.lower() == ".png":
        raise UserError(f"--output={str(request.output)!r}: this run writes text; name it .txt")
    if pictures and request.output.suffix.lower() != ".png":
        raise UserError(f"--output={str(request.output)!r}: sheets are PNG; let it end in .png")


def _sequences(
    experiment: Experiment,
    folder: Path,
    generator: Any,
    space: SequenceSpace,
    request: SampleOptions,
) -> list[str]:
    of_oracle = isinstance(experiment.data, OracleDataConfig | ConditionalOracleConfig)
    tokenizer = None if of_oracle else load_tokenizer(folder)
    prompts = read_prompts(folder) if space.conditional else None
    device = next(generator.parameters()).device
    draw = Ancestral(request.temperature, top_p=request.top_p)
    lines: list[str] = []
    with progress_bar() as bar:
        task = bar.add_task("sampling", total=request.rows, note="")
        while len(lines) < request.rows:
            rows = min(_AT_ONCE, request.rows - len(lines))
            cond = None if prompts is None else _rows_from(prompts, len(lines), rows)
            rollout = sample(
                generator, space, rows, draw, None if cond is None else cond.to(device)
            )
            for row, (ids, kept) in enumerate(
                zip(rollout.ids_BT.tolist(), rollout.mask_BT.tolist(), strict=True)
            ):
                written = _Written(ids[: sum(kept)], tokenizer)
                prompt = None
                if cond is not None:
                    prompt = _Written(_without_fill(cond[row].tolist(), space.end_id), tokenizer)
                lines.append(_format(request.format, written, prompt))
            bar.update(task, completed=len(lines))
    return lines


def _rows_from(prompts: torch.Tensor, first: int, rows: int) -> torch.Tensor:
    """So many of a run's prompts, again from the start behind the last."""
    return prompts[torch.arange(first, first + rows) % len(prompts)]


def _without_fill(prompt: list[int], fill: int | None) -> list[int]:
    """A prompt without what it was filled up with in front."""
    return list(dropwhile(lambda index: index == fill, prompt))


@dataclass(frozen=True, slots=True)
class _Written:
    """Tokens that a generator wrote or read."""

    ids: list[int]
    tokenizer: Tokenizer | None

    @property
    def text(self) -> str:
        """Words where there are any, else the numbers of the tokens."""
        if self.tokenizer is None:
            return self.numbers
        return self.tokenizer.decode(self.ids)

    @property
    def numbers(self) -> str:
        return " ".join(map(str, self.ids))


def _format(kind: str, written: _Written, prompt: _Written | None) -> str:
    if kind == "jsonl":
        asked = {} if prompt is None else {"prompt": prompt.text, "prompt_ids": prompt.ids}
        row = {**asked, "text": written.text, "ids": written.ids}
        return json.dumps(row, ensure_ascii=False)
    parts = [written] if prompt is None else [prompt, written]
    return "  →  ".join(part.text if kind == "text" else part.numbers for part in parts)


def _format_point(kind: str, point: list[float]) -> str:
    if kind == "text":
        return " ".join(f"{value:.6f}" for value in point)
    return json.dumps({"point": point})


# ── Translation of text ───────────────────────────────────────────────────────────────────────

_LINES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class TransformOptions:
    """What `seqgan transform` asks of a run on text."""

    direction: str | None
    """a2b or b2a; None for runs that answer prompts."""
    beam: int
    length: int | None
    """Tokens of every output line; None: the translator decides."""


@dataclass(slots=True)
class LineCounts:
    """What happened to the lines."""

    translated: int = 0
    empty: int = 0
    cut: int = 0
    first_cut: int | None = None
    """Number of the first line that was cut, from 1."""

    def __str__(self) -> str:
        where = "" if self.first_cut is None else f" (the first is line {self.first_cut})"
        return f"{self.translated} lines translated, {self.empty} empty, {self.cut} cut{where}"


class LineTranslator:
    """Lines in, as many lines out, in the same order: translations, or responses to prompts.

    An empty line gives an empty line. A line that is longer than the translator as trained is cut
    (translators without an end token, such as a lexicon, translate it in pieces instead). Both
    are counted in `counts`.
    """

    def __init__(self, experiment: Experiment, folder: Path, request: TransformOptions) -> None:
        self.counts = LineCounts()
        self._request = request
        self._device = build_device(experiment)
        self._precision = experiment.train.precision
        state = told_state(experiment, folder)
        space = read_space(folder)
        generator = load_generator(experiment, space, state, self._device)
        if isinstance(space, SequenceSpace):
            self._answers_prompts(folder, space, generator)
        else:
            assert isinstance(space, SpacePair)
            assert request.direction is not None
            self._translates(folder, space, generator, request.direction)
        check_beam(self._generator, request.beam)
        if request.length is not None:
            check_length(self._generator, self._space, request.length)

    def _answers_prompts(self, folder: Path, space: SequenceSpace, generator: Any) -> None:
        self._source = self._target = load_tokenizer(folder)
        self._space, self._generator = space, generator
        self._end, self._columns = space.end_id, space.prompt

        def sources(rows: list[list[int]]) -> torch.Tensor:
            assert space.end_id is not None, "text has one"
            return fill_in_front(rows, space.prompt, space.end_id)

        self._sources = sources

    def _translates(self, folder: Path, pair: SpacePair, generators: Any, way: str) -> None:
        names = way.split("2")
        self._source, self._target = (load_tokenizer(folder / name) for name in names)
        source, self._space = (getattr(pair, name) for name in names)
        self._generator = generators[way]
        self._end = source.end_id
        self._columns = source.length - (source.end_id is not None)

        def sources(rows: list[list[int]]) -> torch.Tensor:
            ids_BS = torch.full((len(rows), source.length), source.end_id or 0)
            for row, ids in enumerate(rows):
                ids_BS[row, : len(ids)] = torch.tensor(ids)
            return ids_BS

        self._sources = sources

    def translate(self, lines: list[str]) -> list[str]:
        """One line out for each line in."""
        read = self.counts.translated + self.counts.empty
        pieces = [self._pieces(line, number) for number, line in enumerate(lines, read + 1)]
        flat = [ids for piece in pieces for ids in piece]
        read_from = [line for line, piece in zip(lines, pieces, strict=True) for _ in piece]
        made = iter(self._outputs(flat, read_from))
        self.counts.translated += sum(bool(piece) for piece in pieces)
        self.counts.empty += sum(not piece for piece in pieces)
        # Without an end token the pieces of a line are letters that follow each other.
        return ["".join(next(made) for _ in piece) for piece in pieces]

    def _pieces(self, line: str, number: int) -> list[list[int]]:
        """The ids of a line, in as many rows as it takes."""
        ids, length = self._source.encode(line), self._columns
        if self._end is None:
            return [ids[first : first + length] for first in range(0, len(ids), length)]
        if len(ids) > length:
            self.counts.cut += 1
            self.counts.first_cut = self.counts.first_cut or number
        return [ids[:length]] if ids else []

    def _outputs(self, rows: list[list[int]], lines: list[str]) -> list[str]:
        """What is made of rows of ids, each of them the beginning of its line."""
        outputs: list[str] = []
        for first in range(0, len(rows), _LINES_AT_ONCE):
            block = rows[first : first + _LINES_AT_ONCE]
            cond = self._sources(block).to(self._device)
            with autocast(self._device, self._precision):
                rollout = translate(
                    self._generator, self._space, cond, self._request.beam, self._request.length
                )
                if self._space.end_id is not None:
                    asked = lines[first : first + len(block)]
                    outputs += written_lines(
                        self._generator, self._target, self._source, asked, cond, rollout.ids_BT
                    )
                    continue
            for ids, made in zip(block, rollout.ids_BT.tolist(), strict=True):
                outputs.append(self._target.decode(made[: len(ids)]))
        return outputs


def transform_lines(
    experiment: Experiment,
    folder: Path,
    lines: Iterable[str],
    request: TransformOptions,
    at_once: int = _LINES_AT_ONCE,
) -> Iterator[tuple[str, LineCounts]]:
    """Translations of `lines`, or responses, one by one as they come, with what happened so far.

    `at_once` lines are read before any is written: 1 answers every line of a terminal.
    The run has to be one that translates text or answers prompts; the command line sees to that.
    """
    translator = LineTranslator(experiment, folder, request)
    source = iter(lines)
    while block := [line.rstrip("\r\n") for line in islice(source, at_once)]:
        for made in translator.translate(block):
            yield made, translator.counts


# ── Translation of pictures ───────────────────────────────────────────────────────────────────


def transform_run(
    experiment: Experiment, folder: Path, source: Path, output: Path, direction: str
) -> int:
    """Translate every picture of a folder; returns how many. File names stay, endings become .png.

    Pictures are scaled to the size and converted to the colours that the run was trained on; those
    of 16 bits by the bits that its training pictures used, or more where these need more.
    The run has to be one that translates pictures. Raises `UserError` for files that cannot be
    read; nothing is written before every file has been read.
    """
    if output.is_file():
        raise UserError(f"--output={str(output)!r}: is a file; name a folder")
    device = build_device(experiment)
    state = told_state(experiment, folder)
    pair = read_space(folder)
    assert isinstance(pair, SpacePair)
    space = pair.a
    assert isinstance(space, ArraySpace)
    paths = list_pictures(source)
    targets = [output / path.relative_to(source).with_suffix(".png") for path in paths]
    _check_targets(paths, targets)
    trained = _bits_of_training(folder, direction[0])
    as_bytes = Bytes(lambda: map(read_picture, paths), trained)
    x_NCHW = torch.stack([_fit(as_bytes(read_picture(path)), space) for path in paths])
    if trained and as_bytes.bits > trained:
        warn(
            f"--input={str(source)!r}: pictures use {as_bytes.bits} bits, the run was trained on "
            f"{trained}; all are scaled by {as_bytes.bits}, so they are darker than in training"
        )
    generator = load_generator(experiment, pair, state, device)[direction]
    with torch.no_grad(), progress_bar() as bar:
        task = bar.add_task("translating", total=len(paths), note="")
        for first, made in _translated(generator, x_NCHW, device):
            for target, picture in zip(targets[first:], made, strict=False):
                target.parent.mkdir(parents=True, exist_ok=True)
                save_picture(Image.fromarray(_as_array(picture)), target)
                bar.advance(task)
    return len(paths)


def _bits_of_training(folder: Path, side: str) -> int:
    """How many bits the training pictures of 16 used; 0: there were none, or nobody noted it."""
    path = folder / "data.json"
    if not path.exists():
        return 0
    report = read_json_object(path, FROM_A_COPY).get(side)
    bits = report.get("bits") if isinstance(report, dict) else None
    return bits if isinstance(bits, int) and 8 <= bits <= 16 else 0


def _check_targets(paths: list[Path], targets: list[Path]) -> None:
    first_of: dict[Path, Path] = {}
    for path, target in zip(paths, targets, strict=True):
        if target in first_of:
            raise UserError(
                f"{path}: would overwrite the translation of {first_of[target]} (both become "
                f"{target.name}); rename one"
            )
        first_of[target] = path


def _fit(picture: np.ndarray, space: ArraySpace) -> torch.Tensor:
    channels, height, width = space.shape
    image = Image.fromarray(picture).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    array = np.asarray(image)
    return torch.from_numpy(array.reshape(height, width, channels).transpose(2, 0, 1).copy())


def _translated(
    generator: Any, x_NCHW: torch.Tensor, device: torch.device
) -> Iterator[tuple[int, torch.Tensor]]:
    for first in range(0, len(x_NCHW), _AT_ONCE):
        x = to_unit(x_NCHW[first : first + _AT_ONCE]).to(device)
        yield first, to_bytes(generator(x.new_zeros(len(x), 0), x))


def _as_array(picture_CHW: torch.Tensor) -> np.ndarray:
    array = picture_CHW.permute(1, 2, 0).numpy()
    return array[..., 0] if array.shape[2] == 1 else array
