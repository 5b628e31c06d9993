"""Lines in, as many lines out: translations, or responses to prompts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from seqgan.core.device import autocast
from seqgan.core.errors import UserError
from seqgan.core.types import Generator, SequenceSpace
from seqgan.data.prompted_text import fill_in_front
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.evaluation.written import written_lines
from seqgan.translate import check_beam, check_length, translate

AT_ONCE = 100
"""Lines of a block."""


@dataclass(frozen=True, slots=True)
class SourceReader:
    """Lines as what a generator reads: prompts, or sentences of the other side."""

    tokenizer: Tokenizer | None
    """None where they are ids."""
    space: SequenceSpace
    """Of the sentences to translate; where they are prompts, of the responses."""

    @property
    def columns(self) -> int:
        """Tokens of a line that are read at most."""
        if self.space.conditional:
            return self.space.prompt
        return self.space.length - (self.space.end_id is not None)

    @property
    def splits(self) -> bool:
        """Whether a longer line is read in pieces: without an end token they just follow each
        other."""
        return self.space.end_id is None

    def batch(self, rows: list[list[int]]) -> Tensor:
        """`ids_BS` of rows of at most `columns` ids."""
        if self.space.conditional:
            assert self.space.end_id is not None, "text has one"
            return fill_in_front(rows, self.space.prompt, self.space.end_id)
        ids_BS = torch.full((len(rows), self.space.length), self.space.end_id or 0)
        for row, ids in enumerate(rows):
            ids_BS[row, : len(ids)] = torch.tensor(ids)
        return ids_BS


@dataclass(frozen=True, slots=True)
class ConditionalText:
    """A generator that writes a line for a line."""

    generator: Generator
    sources: SourceReader
    space: SequenceSpace
    """Of what it writes."""
    tokenizer: Tokenizer
    """Of what it writes."""


@dataclass(slots=True)
class LineCounts:
    """What happened to the lines."""

    verb: str = "translated"
    """Prompts are answered."""
    translated: int = 0
    empty: int = 0
    cut: int = 0
    first_cut: int | None = None
    """Number of the first line that was cut, from 1."""

    def __str__(self) -> str:
        lines = "line" if self.translated == 1 else "lines"
        where = "" if self.first_cut is None else f" (the first is line {self.first_cut})"
        done = f"{self.translated} {lines} {self.verb}"
        return f"{done}, {self.empty} empty, {self.cut} cut{where}"


class LineTranslator:
    """Lines in, as many lines out, in the same order.

    `beam` hypotheses are kept for each line (1: greedy); `length` is the number of tokens of every
    output line (None: the translator decides). Raises `UserError` where these cannot be had.
    An empty line gives an empty line. A line that is longer than the translator as trained is cut
    (translators without an end token, such as a lexicon, translate it in pieces instead). Both
    are counted in `counts`.
    """

    def __init__(
        self,
        model: ConditionalText,
        beam: int = 1,
        length: int | None = None,
        precision: str = "float32",
    ) -> None:
        self.counts = LineCounts("answered" if model.space.conditional else "translated")
        self._model = model
        self._beam, self._length = beam, length
        self._precision = precision
        self._device = next(model.generator.parameters()).device
        check_beam(model.generator, beam)
        if length is not None:
            check_length(model.generator, model.space, length)

    def translate(self, lines: list[str]) -> list[str]:
        """One line out for each line in."""
        for line in lines:
            if not isinstance(line, str):
                raise UserError(f"inputs: {line!r} is no line of text; give a list of strings")
        read = self.counts.translated + self.counts.empty
        pieces = [self._pieces(line, number) for number, line in enumerate(lines, read + 1)]
        flat = [ids for piece in pieces for ids in piece]
        read_from = [line for line, piece in zip(lines, pieces, strict=True) for _ in piece]
        made = iter(self._outputs(flat, read_from))
        self.counts.translated += sum(bool(piece) for piece in pieces)
        self.counts.empty += sum(not piece for piece in pieces)
        # Without an end token the pieces of a line are letters that follow each other.
        return ["".join(next(made) for _ in piece) for piece in pieces]

    def stream(self, lines: Iterable[str], at_once: int = AT_ONCE) -> Iterator[str]:
        """The same for lines with their ends, one by one as they come.

        `at_once` lines are read before any is written: 1 answers every line of a terminal.
        """
        source = iter(lines)
        while block := [line.rstrip("\r\n") for line in islice(source, at_once)]:
            yield from self.translate(block)

    def _pieces(self, line: str, number: int) -> list[list[int]]:
        """The ids of a line, in as many rows as it takes."""
        sources = self._model.sources
        assert sources.tokenizer is not None, "lines have words"
        ids, columns = sources.tokenizer.encode(line), sources.columns
        if sources.splits:
            return [ids[first : first + columns] for first in range(0, len(ids), columns)]
        if len(ids) > columns:
            self.counts.cut += 1
            self.counts.first_cut = self.counts.first_cut or number
        return [ids[:columns]] if ids else []

    def _outputs(self, rows: list[list[int]], lines: list[str]) -> list[str]:
        """What is made of rows of ids, each of them the beginning of its line."""
        blocks = [slice(first, first + AT_ONCE) for first in range(0, len(rows), AT_ONCE)]
        with autocast(self._device, self._precision):
            return [made for block in blocks for made in self._block(rows[block], lines[block])]

    def _block(self, rows: list[list[int]], lines: list[str]) -> list[str]:
        model = self._model
        cond = model.sources.batch(rows).to(self._device)
        ids_BT = translate(model.generator, model.space, cond, self._beam, self._length).ids_BT
        if model.space.end_id is None:
            pairs = zip(rows, ids_BT.tolist(), strict=True)
            return [model.tokenizer.decode(made[: len(ids)]) for ids, made in pairs]
        source = model.sources.tokenizer
        assert source is not None, "lines have words"
        return written_lines(model.generator, model.tokenizer, source, lines, cond, ids_BT)
