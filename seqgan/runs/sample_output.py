"""`seqgan sample`: samples of a run as lines, or pictures as one sheet."""

import json
from pathlib import Path

from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.picture_files import save_picture
from seqgan.core.pictures import to_bytes
from seqgan.core.saved_files import check_output, write_text
from seqgan.core.types import ArraySpace, SequenceSpace, Space, SpacePair
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.evaluation.sheets import grid
from seqgan.runs.sampling import SampledSequence
from seqgan.runs.saved import SavedRun


def write_samples(
    run: SavedRun,
    rows: int,
    temperature: float,
    top_p: float,
    seed: int,
    format: str,
    output: Path | None,
    correct: str | None = None,
    prompt: str | None = None,
) -> list[str]:
    """Lines for stdout: samples, or the path of the file that was written.

    `format` is text, ids or jsonl; png for pictures. Without `output` a sheet of pictures goes into
    the run folder, and all else is returned. For `correct` and `prompt` see `SavedRun.sample`.
    """
    space = run.space
    if not isinstance(space, SpacePair):
        _check_format(space, format, output)
    if isinstance(space, SequenceSpace):
        run.refuse_prompt(prompt)
        sampled = run.sample_sequences(rows, temperature, top_p, seed, correct)
        lines = [_format(format, sequence, run.tokenizer) for sequence in sampled]
        return _lines_or_file(lines, output)
    x = run.sample(rows, temperature, top_p, seed, correct, prompt)
    assert isinstance(x, Tensor), "samples of arrays"
    assert isinstance(space, ArraySpace), "a run that translates samples nothing"
    if not space.bounded:
        return _lines_or_file([_format_point(format, point) for point in x.tolist()], output)
    sizes = space.label_sizes
    columns = sizes[0] if len(sizes) == 1 else max(1, round(rows**0.5))
    how = "" if correct is None else f"-correct-{correct}"
    output = output or run.folder / f"samples-{rows}-seed-{seed}{how}.png"
    save_picture(grid(to_bytes(x), columns), output)
    return [str(output)]


def _lines_or_file(lines: list[str], output: Path | None) -> list[str]:
    """The lines, or the name of the file that they are in now."""
    if output is None:
        return lines
    write_text(output, "".join(f"{line}\n" for line in lines))
    return [str(output)]


def _check_format(space: Space, format: str, output: Path | None) -> None:
    pictures = isinstance(space, ArraySpace) and space.bounded
    lines = ["text", "ids", "jsonl"] if isinstance(space, SequenceSpace) else ["text", "jsonl"]
    known = ["png"] if pictures else lines
    if format not in known:
        raise UserError(
            f"--format={format!r}: this run writes {', '.join(known)}; choose one of them"
        )
    if output is None:
        return
    is_png = output.suffix.lower() == ".png"
    if is_png and not pictures:
        raise UserError(f"--output={str(output)!r}: this run writes text; name it .txt")
    if pictures and not is_png:
        raise UserError(f"--output={str(output)!r}: sheets are PNG; let it end in .png")
    check_output(output)


def _format(kind: str, sequence: SampledSequence, tokenizer: Tokenizer | None) -> str:
    ids, prompt = sequence.ids, sequence.prompt_ids
    if kind == "jsonl":
        asked = {} if prompt is None else {"prompt": _text(prompt, tokenizer), "prompt_ids": prompt}
        row = {**asked, "text": _text(ids, tokenizer), "ids": ids}
        return json.dumps(row, ensure_ascii=False)
    parts = [ids] if prompt is None else [prompt, ids]
    return "  →  ".join(_text(part, tokenizer if kind == "text" else None) for part in parts)


def _text(ids: list[int], tokenizer: Tokenizer | None) -> str:
    """Words where there are any, else the numbers of the tokens."""
    return " ".join(map(str, ids)) if tokenizer is None else tokenizer.decode(ids)


def _format_point(kind: str, point: list[float]) -> str:
    if kind == "text":
        return " ".join(f"{value:.6f}" for value in point)
    return json.dumps({"point": point})
