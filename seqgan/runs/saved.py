"""An opened run: its configuration, its networks at the reported checkpoint, and what they do.

The run folder is all that sampling, transforming and scoring need; evaluation reads the data too.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqgan.assembly import build_device
from seqgan.core.device import autocast
from seqgan.core.errors import UserError, as_path, note, refuse_string, warn
from seqgan.core.numbers import check_sampling
from seqgan.core.plain import JsonObject, StateDict
from seqgan.core.reported import ReportedCheckpoint
from seqgan.core.rng import isolated
from seqgan.core.saved_files import read_json_object
from seqgan.core.types import ArraySpace, SequenceSpace, Space, SpacePair
from seqgan.data.captions import Captions
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.data.tokenizers import load_tokenizer
from seqgan.decoding import generate
from seqgan.decoding.correction import Correction, Rule, generate_corrected
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.conditions import listed_conditions
from seqgan.evaluation.writer import Decoded
from seqgan.experiment import Experiment, check_direction, load_evaluated, load_run
from seqgan.metrics.certificate import Certificate
from seqgan.runs.correcting import (
    CorrectedWriter,
    read_calibration,
    read_certificate,
    read_rule,
    why_not_corrected,
)
from seqgan.runs.evaluate import evaluate_run
from seqgan.runs.folder import check_head, read_prompts, read_space
from seqgan.runs.outcome import open_reported
from seqgan.runs.sampling import SampledSequence, sample_sequences
from seqgan.runs.scoring import Scorer, SequenceScore
from seqgan.runs.transforming import ConditionalText, LineTranslator, SourceReader
from seqgan.runs.weights import load_critic, load_generator


def open_run(folder: Path | str, device: str | None = None) -> "SavedRun":
    """A run folder, for use in Python; `device` (cpu, cuda, …) defaults to the run's own.

    Raises `UserError` where the folder holds no run, or a damaged one.
    """
    folder = as_path(folder, "folder", "a run folder, as in seqgan.open_run('runs/mine')")
    return SavedRun(load_run(folder, [] if device is None else [f"device={device}"]), folder)


class SavedRun:
    """A run and its networks at the reported checkpoint (the selected one, else the last).

    >>> run = open_run("runs/mine")                       # doctest: +SKIP
    >>> run.sample(3, temperature=0.8)                    # doctest: +SKIP
    ['a man rides a horse', 'two dogs play', 'the sky is blue']
    >>> run.score(["two dogs play"])[0].log_likelihood    # doctest: +SKIP
    -11.3

    Files are read when they are first needed. A `UserError` says what is missing or damaged.
    """

    def __init__(self, experiment: Experiment, folder: Path) -> None:
        check_head(folder)
        self.experiment = experiment
        self.folder = folder
        self.device: torch.device = build_device(experiment)

    # ── What there is ─────────────────────────────────────────────────────────────────────────

    @cached_property
    def _reported(self) -> tuple[StateDict, ReportedCheckpoint]:
        return open_reported(self.experiment, self.folder)

    @property
    def checkpoint(self) -> ReportedCheckpoint:
        """Where in training the networks are from."""
        return self._reported[1]

    @cached_property
    def space(self) -> Space | SpacePair:
        """What samples look like: tokens and length, or the shape; of a cycle both sides."""
        return read_space(self.folder)

    @cached_property
    def tokenizers(self) -> dict[str, Tokenizer]:
        """Tokenizers of a run on text: `{"text": …}`, of two kinds of text `{"a": …, "b": …}`."""
        if isinstance(self.space, SpacePair):
            if not isinstance(self.space.a, SequenceSpace):
                return {}
            return {name: load_tokenizer(self.folder / name) for name in "ab"}
        return {"text": load_tokenizer(self.folder)} if self.experiment.data.is_text else {}

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The tokenizer of a run on one kind of text; None where there is none, or two."""
        return self.tokenizers.get("text")

    @cached_property
    def generator(self) -> Any:
        """The generator, averaged weights where there are any; of a cycle both, by direction.

        In evaluation mode and without gradients: call `.train().requires_grad_()` to go on.
        """
        return load_generator(self.experiment, self.space, self._reported[0], self.device)

    @cached_property
    def critic(self) -> Any:
        """The critic; of a cycle both, by side; None in games without one."""
        return load_critic(self.experiment, self.space, self._reported[0], self.device)

    @cached_property
    def prompts(self) -> Tensor | None:
        """`ids` [N, P]: the prompts that samples answer; None where there are none."""
        space = self.space
        conditional = isinstance(space, SequenceSpace) and space.conditional
        return read_prompts(self.folder) if conditional else None

    # ── What it does ──────────────────────────────────────────────────────────────────────────

    def sample(
        self,
        rows: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        correct: str | int | None = None,
        prompt: str | None = None,
    ) -> list[str] | list[list[int]] | Tensor:
        """`rows` samples, the same for the same seed.

        Of text: strings; of an oracle: ids, up to and including the end token. A run that answers
        prompts answers `prompts`, from the first on. Of pictures: float [rows, C, H, W] in [-1, 1],
        on the run's device; where they have labels every combination in turn, and where they have
        captions all under `prompt`, such as "long blue hair, glasses", or each under one of its
        own. Of points: [rows, 2].

        `correct` draws from the generator as its critic corrects it, once the run is evaluated:
        "exact", or a number of samples of which the critic keeps one.
        """
        if not isinstance(self.space, SequenceSpace):
            return self.sample_arrays(rows, temperature, top_p, seed, prompt, correct)
        self.refuse_prompt(prompt)
        sampled = self.sample_sequences(rows, temperature, top_p, seed, correct)
        if self.tokenizer is None:
            return [sequence.ids for sequence in sampled]
        return [self.tokenizer.decode(sequence.ids) for sequence in sampled]

    def sample_sequences(
        self,
        rows: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        correct: str | int | None = None,
    ) -> list[SampledSequence]:
        """Samples of a run on sequences as ids, with the prompts that they answer."""
        check_sampling(temperature, top_p, rows, seed)
        space = self._sampled_space()
        assert isinstance(space, SequenceSpace), "samples of arrays have a method of their own"
        prompts = None if self.prompts is None else self.prompts.to(self.device)
        if correct is None:
            decoded = Decoded(self.generator, space, DecodingSetting(temperature, top_p))
            with self._drawing(seed):
                return list(sample_sequences(decoded.sample, space, rows, prompts))
        writer = CorrectedWriter(
            self.generator, *self._corrected(correct, temperature, top_p), space
        )
        with self._drawing(seed):
            sampled = list(sample_sequences(writer.sample, space, rows, prompts))
        _note_kept(writer.acceptance)
        return sampled

    def _corrected(
        self, correct: str | int, temperature: float, top_p: float
    ) -> tuple[Correction, Rule]:
        if (temperature, top_p) != (1, 1):
            raise UserError(
                f"correct={correct}: corrects the generator as it was trained; leave temperature "
                "and top_p out"
            )
        rule, state = read_rule(correct), self._reported[0]
        if why_not_corrected(self.experiment, state) is not None:
            raise self._not_corrected()
        calibration = read_calibration(self.folder, state["step"])
        return Correction(self.critic, calibration), rule

    def _not_corrected(self) -> UserError:
        reason = why_not_corrected(self.experiment, self._reported[0])
        return UserError(f"{self.folder}: its samples cannot be corrected: {reason}")

    def certificate(self) -> Certificate:
        """By how many nats per sentence the critic lowers the held-out negative log-likelihood,
        over what a power of the generator's own probability does: `gain`, its 95 % interval `low`
        to `high`, `per_token`. Of pictures and points, KL(held-out ‖ generator). As the last
        evaluation has found it.

        Raises `UserError` for a run that was not evaluated, or has no such critic.
        """
        if why_not_corrected(self.experiment, self._reported[0]) is not None:
            raise self._not_corrected()
        path = self.folder / "evaluation.json"
        found = read_json_object(path, f"run 'seqgan evaluate {self.folder}'")
        return read_certificate(self.folder, found)

    def sample_arrays(
        self,
        rows: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 0,
        prompt: str | None = None,
        correct: str | int | None = None,
    ) -> Tensor:
        """Samples of a run on pictures or points."""
        check_sampling(temperature, top_p, rows, seed)
        if top_p != 1:
            raise UserError(f"top_p={top_p}: is for sequences; pictures have a temperature")
        conditions = self.conditions(rows, prompt)
        generator = self.generator
        if correct is None:
            with self._drawing(seed):
                return generate(generator, rows, temperature, conditions)
        correction, rule = self._corrected(correct, temperature, top_p)
        with self._drawing(seed):
            kept, acceptance = generate_corrected(generator, correction, rows, rule, conditions)
        _note_kept(acceptance)
        return kept

    def conditions(self, rows: int, prompt: str | None = None) -> Tensor | None:
        """What `rows` pictures are made under: `labels_NA`, or ids of captions; None without.

        Raises `UserError` for a prompt that this run cannot read.
        """
        space, captions = self._sampled_space(), self.captions
        if prompt is None:
            assert isinstance(space, ArraySpace), "samples of sequences have a method of their own"
            return listed_conditions(space, captions, rows)
        if captions is None:
            raise UserError(
                f"prompt={prompt!r}: this run was not trained on captions; train with "
                "game.name=conditional data.captions=true, or leave it out"
            )
        return captions.encode(prompt).expand(rows, -1)

    def refuse_prompt(self, prompt: str | None) -> None:
        """Raises `UserError` where a run on sequences is given one."""
        if prompt is not None:
            answers = self.prompts is not None
            raise UserError(
                f"prompt={prompt!r}: is for pictures with captions; "
                + ("'seqgan transform' answers prompts in words" if answers else "leave it out")
            )

    @property
    def captions(self) -> Captions | None:
        """How this run's captions are written and read; None where it has none."""
        space, data = self.space, self.experiment.data
        has_captions = isinstance(space, ArraySpace) and space.caption
        captions: Captions | None = data.build_captions() if has_captions else None
        return captions

    def _sampled_space(self) -> Space:
        if isinstance(self.space, SpacePair):
            raise UserError(
                f"{self.folder}: this run translates, so there is nothing to sample; use "
                f"'seqgan transform {self.folder} --input …'"
            )
        return self.space

    @contextmanager
    def _drawing(self, seed: int) -> Iterator[None]:
        """Networks are to be loaded before: initialising them draws, too."""
        with isolated(seed), torch.no_grad(), self._precise():
            yield

    def _precise(self) -> AbstractContextManager[object]:
        return autocast(self.device, self.experiment.train.precision)

    def transform(
        self,
        inputs: Sequence[str] | Tensor,
        direction: str | None = None,
        beam: int = 1,
        length: int | None = None,
    ) -> list[str] | Tensor:
        """Translations of lines, or responses to prompts, one for each; of pictures `x_NCHW` in
        [-1, 1] their translations.

        `direction` is a2b or b2a (default: what was trained, a2b first), None for prompts. `beam`
        hypotheses are kept (1: greedy); `length` is the number of tokens of every output. Lines
        that are longer than the run as trained are cut, with a warning.
        """
        if isinstance(inputs, Tensor):
            return self.transform_pictures(inputs, direction)
        refuse_string(inputs, "inputs")
        translator = self.translator(direction, beam, length)
        lines = translator.translate(list(inputs))
        if translator.counts.cut:
            warn(f"lines longer than this run reads: {translator.counts}")
        return lines

    def translator(
        self, direction: str | None = None, beam: int = 1, length: int | None = None
    ) -> LineTranslator:
        """What `transform` uses, for lines that come one after the other; it counts them."""
        model = self._conditional_text(direction)
        return LineTranslator(model, beam, length, self.experiment.train.precision)

    @torch.no_grad()
    def transform_pictures(self, x_NCHW: Tensor, direction: str | None = None) -> Tensor:
        """Translations of pictures in [-1, 1] of the size that the run was trained on."""
        direction = check_direction(self.experiment, self.folder, direction)
        if isinstance(self.space, SequenceSpace) or self.tokenizers:
            raise UserError(f"{self.folder}: this run translates text; give lines")
        x_NCHW = x_NCHW.to(self.device)
        return self.generator[direction].translate(x_NCHW)

    def _conditional_text(self, direction: str | None) -> ConditionalText:
        direction = check_direction(self.experiment, self.folder, direction)
        if isinstance(self.space, SequenceSpace):
            assert self.tokenizer is not None, "prompts are text"
            sources = SourceReader(self.tokenizer, self.space)
            return ConditionalText(self.generator, sources, self.space, self.tokenizer)
        if not self.tokenizers:
            raise UserError(f"{self.folder}: this run translates pictures; give a tensor of them")
        assert isinstance(self.space, SpacePair)
        assert direction is not None
        source, target = direction.split("2")
        source_space, space = getattr(self.space, source), getattr(self.space, target)
        sources = SourceReader(self.tokenizers[source], source_space)
        return ConditionalText(self.generator[direction], sources, space, self.tokenizers[target])

    def score(
        self,
        sequences: Sequence[str] | Sequence[Sequence[int]],
        sources: Sequence[str] | None = None,
        direction: str | None = None,
    ) -> list[SequenceScore]:
        """Log-likelihood in nats, token by token, and the critic's score, of each sequence.

        Sequences are lines, or ids with or without their end token. In a run that translates, or
        answers prompts, `sources` has the line (or the ids) that each of them is an answer to. The
        critic of game infill scores each as if all of it had been blank.
        """
        with self._precise():
            return self._scorer(direction).score(sequences, sources)

    def _scorer(self, direction: str | None) -> Scorer:
        space, tokenizer = self.space, self.tokenizer
        if isinstance(space, SpacePair) and self.tokenizers:
            model, critic = self._conditional_text(direction), self.critic
            side = (check_direction(self.experiment, self.folder, direction) or "")[-1]
            critic = None if critic is None else critic[side]
            return Scorer(model.generator, critic, model.space, model.tokenizer, model.sources)
        if not isinstance(space, SequenceSpace):
            raise UserError(f"{self.folder}: only sequences have a likelihood; call run.critic(x)")
        if direction is not None:
            raise UserError(f"direction={direction!r}: this run does not translate; leave it out")
        sources = SourceReader(tokenizer, space) if space.conditional else None
        if not self.generator.has_density:
            raise UserError(
                f"{self.folder}: generator {self.experiment.generator.name} finds sentences by "
                "search, which gives them no likelihood; call run.critic(ids, mask)"
            )
        blanks = self.experiment.game.fills_blanks
        return Scorer(self.generator, self.critic, space, tokenizer, sources, blanks)

    def evaluate(self, overrides: Sequence[str] = (), sweep: bool = False) -> JsonObject:
        """Evaluate on test data, which are read again, and write evaluation.json: its content.

        `overrides` such as `["evaluation.samples=10000"]` make it another evaluation than the
        configured one; `sweep` takes every configured temperature and top-p.
        """
        refuse_string(overrides, "overrides")
        asked = [*overrides, *(["evaluation.sweep=true"] if sweep else [])]
        device = f"device={self.experiment.device}"
        experiment = load_evaluated(self.folder, [*asked, device])
        return evaluate_run(experiment, self.folder, overrides=overrides)


def _note_kept(acceptance: float) -> None:
    note(f"{100 * acceptance:.3g} % of the generator's samples were kept")
