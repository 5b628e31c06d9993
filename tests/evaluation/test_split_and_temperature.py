"""Every evaluator measures the split and the temperature that it was asked for.

The generator of sequences draws every token from one distribution, so that likelihoods at any
temperature are sums that can be written down. Splits have nothing in common.
"""

from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqgan.core.config import validate
from seqgan.core.metric_names import base
from seqgan.core.pictures import to_unit
from seqgan.core.types import (
    ArraySpace,
    Batch,
    DirectGenerator,
    Generator,
    SequenceSpace,
    State,
    StepOut,
)
from seqgan.data.corpus_config import TextDataConfig
from seqgan.data.pictures import Pictures, PictureSet
from seqgan.data.points import TEST_STREAM, VALID_STREAM
from seqgan.data.points_config import PointsDataConfig
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.evaluation import oracle as oracle_module
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.cycle import CycleEvaluator, MeasuredPictures
from seqgan.evaluation.oracle import OracleEvaluator
from seqgan.evaluation.pictures import PictureEvaluator
from seqgan.evaluation.points import PointsEvaluator
from seqgan.evaluation.prompted import PromptedTextEvaluator, other_rows
from seqgan.evaluation.text import TextEvaluator

CPU = torch.device("cpu")
COLD = DecodingSetting(0.001)
TEMPERATURES = [1.0, 0.5]


class Unigram(Generator):
    """Every token from one distribution, whatever stands before it."""

    def __init__(self, probs: list[float]) -> None:
        super().__init__()
        self.vocab_size = len(probs)
        self._logits_V = torch.tensor(probs).log()

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return StepOut(self._logits_V.expand(batch, -1), ())

    def step(self, x: Tensor, state: State) -> StepOut:
        return self.start(len(x))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self._logits_V.expand(*tokens.shape, -1)


def tempered(probs: list[float], temperature: float) -> list[float]:
    powers = [p ** (1 / temperature) for p in probs]
    return [power / sum(powers) for power in powers]


# ── Text ──────────────────────────────────────────────────────────────────────────────────────

WORDS = [0.2, 0.1, 0.6, 0.1]  # end, unknown, b (the more frequent word), a


@pytest.fixture
def text_evaluator(tmp_path: Path) -> TextEvaluator:
    """Valid has sentences of three b, test of three a, and training is like test."""
    lines = {"train": "a a a\nb b\na a b\nb b b\n", "valid": "b b b\n" * 3, "test": "a a a\n" * 2}
    for name, content in lines.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    paths = {f"{name}_path": str(tmp_path / name) for name in ("valid", "test")}
    config = TextDataConfig(name="text", path=str(tmp_path / "train"), length=4, **paths)
    corpus = config.build_corpus()
    assert corpus.tokenizer.encode("b a") == [2, 3]
    return TextEvaluator(corpus, CPU, 0, 100)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_likelihood_of_text(text_evaluator: TextEvaluator, temperature: float) -> None:
    end, _, b, a = tempered(WORDS, temperature)
    for split, word in (("valid", b), ("test", a)):
        found = text_evaluator.generated(Unigram(WORDS), split, 4, DecodingSetting(temperature))
        assert found[f"nll_{split}"] == pytest.approx(-(3 * log(word) + log(end)) / 4, rel=1e-5)


def test_samples_of_text(text_evaluator: TextEvaluator) -> None:
    cold, warm = (
        text_evaluator.generated(Unigram(WORDS), "valid", 4, setting)
        for setting in (COLD, DecodingSetting())
    )
    assert cold["unique"] == 1 / 4
    assert warm["unique"] > 1 / 4
    assert cold["entropy"] == pytest.approx(0, abs=1e-6)
    assert warm["entropy"] > 0.5
    assert cold["length"] == 4
    assert text_evaluator.show(Unigram(WORDS), COLD).lines == ["b b b b"] * 16


def test_references_of_text(text_evaluator: TextEvaluator) -> None:
    valid, test = (
        text_evaluator.generated(Unigram(WORDS), split, 4, COLD)["bleu_2"]  # b b b b
        for split in ("valid", "test")
    )
    assert valid > 0.3 + test
    # Of every second training sentence, a a a and a a b, one is a test sentence word for word.
    valid, test = (text_evaluator.real(split, 2)["bleu_3"] for split in ("valid", "test"))
    assert test > 0.5 > valid


def test_references_are_of_the_whole_split_though_files_may_be_sorted(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        lines = [" ".join([word] * 3) for word in "ab" for _ in range(4)]
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    paths = {f"{name}_path": str(tmp_path / name) for name in ("valid", "test")}
    config = TextDataConfig(name="text", path=str(tmp_path / "train"), length=4, **paths)
    evaluator = TextEvaluator(config.build_corpus(), CPU, 0, references=2)
    assert evaluator.real("test", 2)["bleu_3"] == 1


# ── Oracles ───────────────────────────────────────────────────────────────────────────────────

SPACE = SequenceSpace(vocab_size=3, length=2)
TRUTH, MODEL = [0.5, 0.25, 0.25], [0.6, 0.3, 0.1]


class UnigramOracle:
    def log_prob(self, ids_BT: Tensor, cond: Tensor | None = None) -> Tensor:
        return torch.tensor(TRUTH).log()[ids_BT].sum(1)


def oracle_evaluator() -> OracleEvaluator:
    """Valid is (0, 0) and (0, 1), test is (2, 2)."""
    rows = {"valid": [[0, 0], [0, 1]], "test": [[2, 2]] * 3}
    real = {
        name: Batch(torch.tensor(ids), torch.ones(len(ids), 2, dtype=torch.bool))
        for name, ids in rows.items()
    }
    return OracleEvaluator(UnigramOracle(), SPACE, real, 0)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "sampled"])
def test_densities_beside_an_oracle(
    listed: bool, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not listed:
        monkeypatch.setattr(oracle_module, "MAX_ENUMERATED", 1)
    evaluator, setting = oracle_evaluator(), DecodingSetting(temperature)
    q = tempered(MODEL, temperature)
    nll = {"valid": -(3 * log(q[0]) + log(q[1])) / 4, "test": -log(q[2])}
    truth = {"valid": -(3 * log(TRUTH[0]) + log(TRUTH[1])) / 4, "test": -log(TRUTH[2])}
    exact = {
        "kl_forward": sum(p * log(p / r) for p, r in zip(TRUTH, q, strict=True)),
        "kl_reverse": sum(r * log(r / p) for p, r in zip(TRUTH, q, strict=True)),
        "entropy": -sum(r * log(r) for r in q),
        "nll_oracle": -sum(r * log(p) for p, r in zip(TRUTH, q, strict=True)),
    }
    for split in ("valid", "test"):
        found = evaluator.generated(Unigram(MODEL), split, 4_000, setting)
        real = evaluator.real(split, 2)
        assert found[f"nll_{split}"] == pytest.approx(nll[split], rel=1e-5)
        assert real[f"nll_{split}"] == pytest.approx(truth[split], rel=1e-5)
        if listed:
            assert {name: found[name] for name in exact} == pytest.approx(exact, rel=1e-5)
            continue
        assert found["kl_forward"] == pytest.approx(nll[split] - truth[split], rel=1e-4)
        for name in ("kl_reverse", "entropy", "nll_oracle"):
            assert found[name] == pytest.approx(exact[name], rel=0.1), name


def test_samples_beside_an_oracle() -> None:
    evaluator = oracle_evaluator()
    cold, warm = (
        evaluator.generated(Unigram(MODEL), "valid", 400, setting)["unique"]
        for setting in (COLD, DecodingSetting())
    )
    assert (cold, warm) == (1 / 400, 9 / 400)
    assert evaluator.show(Unigram(MODEL), COLD).lines == ["0 0"] * 16
    assert evaluator.real("valid", 2)["unique"] == 1
    assert evaluator.real("test", 2)["unique"] == 1 / 2


# ── Prompts ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def prompted() -> tuple[PromptedTextEvaluator, Any]:
    tree = {
        "name": "prompted_text",
        "source": {"name": "small_talk", "pairs": 200},
        "prompt_length": 8,
        "length": 10,
        "test_fraction": 0.2,
    }
    text = validate(PromptedTextConfig, tree, "data").build_text()
    return PromptedTextEvaluator(text, CPU, seed=0, scorer=None), text


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_likelihood_of_responses(prompted: Any, temperature: float) -> None:
    evaluator, text = prompted
    probs = torch.rand(text.space.vocab_size, generator=torch.Generator().manual_seed(0))
    logp_V = (probs.log() / temperature).log_softmax(0)
    expected = {}
    for split in ("valid", "test"):
        batch = getattr(text, split).batch
        expected[split] = -float(logp_V[batch.x[batch.mask]].mean())
        found = evaluator.generated(Unigram(probs.tolist()), split, 5, DecodingSetting(temperature))
        assert found[f"nll_{split}"] == pytest.approx(expected[split], rel=1e-4)
        assert found["nll_shuffled"] == pytest.approx(expected[split], rel=1e-4)
    assert abs(expected["valid"] - expected["test"]) > 1e-3


def test_samples_of_responses(prompted: Any) -> None:
    evaluator, text = prompted
    rows = len(text.valid.prompts)
    probs = torch.rand(text.space.vocab_size, generator=torch.Generator().manual_seed(0))
    generator = Unigram(probs.tolist())
    cold, warm = (
        evaluator.generated(generator, "valid", 1000, setting)
        for setting in (COLD, DecodingSetting())
    )
    assert cold["unique"] == 1 / rows < warm["unique"]
    assert cold["entropy"] == pytest.approx(0, abs=1e-6)
    assert len({line.split("  →  ")[1] for line in evaluator.show(generator, COLD).lines}) == 1


def test_true_responses_are_those_of_the_split(prompted: Any) -> None:
    evaluator, text = prompted
    for split in ("valid", "test"):
        part = getattr(text, split)
        words = sum(len(response.split()) for response in part.responses)
        assert evaluator.real(split, 1000)["length"] == pytest.approx(words / len(part.responses))
        other = evaluator.baselines(split, 1000)["response to another"]
        pairs = evaluator._splits[split]
        others = [pairs.responses[row] for row in other_rows(pairs.prompts).tolist()]
        fits = [text.fits(*pair) for pair in zip(pairs.prompts, others, strict=True)]
        assert other["fitting"] == pytest.approx(sum(fits) / len(fits))


# ── Points and pictures ───────────────────────────────────────────────────────────────────────


class Listening(DirectGenerator):
    """Gives what it was made with, and remembers its noise and its labels."""

    latent = 2

    def __init__(self, give_N: Tensor) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))
        self._give_N = give_N
        self.noises: list[Tensor] = []
        self.conds: list[Tensor] = []

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        self.noises.append(z_BL)
        if cond is not None:
            self.conds.append(cond)
        return self._give_N[: len(z_BL)]


def assert_noise_has(evaluator: Any, rows: int, give_N: Tensor) -> None:
    """Metrics and shown samples of two temperatures come from noise that differs by that factor."""
    for ask in (
        lambda generator, setting: evaluator.generated(generator, "valid", rows, setting),
        lambda generator, setting: evaluator.show(generator, setting),
    ):
        noises = []
        for temperature in (1.0, 0.25):
            generator = Listening(give_N)
            ask(generator, DecodingSetting(temperature))
            noises.append(torch.cat(generator.noises))
        torch.testing.assert_close(0.25 * noises[0], noises[1])
        assert float(noises[0].std()) > 0.7


POINTS = PointsDataConfig(name="points", layout="grid", std=0.05, valid=60, test=60)


def test_points() -> None:
    evaluator = PointsEvaluator(
        POINTS.build_mixture(), {"valid": POINTS.valid, "test": POINTS.test}, 0
    )
    splits = {"valid": VALID_STREAM, "test": TEST_STREAM}
    for made, stream in splits.items():
        points = POINTS.build_mixture().draw(stream, 60)
        for split in splits:
            found = evaluator.generated(Listening(points), split, 60, DecodingSetting())
            assert (found["frechet"] < 1e-6) == (made == split)
    assert evaluator.real("valid", 60)["frechet"] != evaluator.real("test", 60)["frechet"]
    assert_noise_has(evaluator, 60, torch.zeros(2_000, 2))


SHAPE = (1, 4, 4)


class BrightnessExtractor:
    """Its features are the pixels; the class of a picture is whether it is bright."""

    name = "stub"
    reads_labels = True

    def features(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW.flatten(1).float()

    def labels(self, x_NCHW: Tensor) -> Tensor:
        return (x_NCHW.flatten(1).float().mean(1) > 127).long()[:, None]

    def log_probs(self, x_NCHW: Tensor) -> list[Tensor]:
        certain_N2 = torch.nn.functional.one_hot(self.labels(x_NCHW)[:, 0], 2).float()
        return [(0.98 * certain_N2 + 0.01).log()]

    def accuracy(self, x_NCHW: Tensor, labels_NA: Tensor) -> list[float]:
        return [float((self.labels(x_NCHW) == labels_NA).float().mean())]


def shades(low: int, high: int, rows: int, label: int) -> PictureSet:
    stream = torch.Generator().manual_seed(low)
    x_NCHW = torch.randint(low, high, (rows, *SHAPE), generator=stream).byte()
    return PictureSet(x_NCHW, torch.full((rows, 1), label))


def two_shades(flip: bool = False) -> Pictures:
    """Valid is dark and class 0, test is bright and class 1; training is dark."""
    dark, bright = (100, 140), (200, 240)
    valid, test = (bright, dark) if flip else (dark, bright)
    return Pictures(
        SHAPE,
        ("class",),
        (2,),
        extractor=shades(*dark, 8, 0),
        train=shades(90, 130, 20, 0),
        valid=shades(*valid, 20, int(flip)),
        test=shades(*test, 20, 1 - int(flip)),
        report={},
    )


@pytest.mark.parametrize("conditional", [False, True], ids=["plain", "conditional"])
def test_pictures(conditional: bool) -> None:
    pictures = two_shades()
    extractor: Any = BrightnessExtractor()
    space = ArraySpace(SHAPE, (2,) if conditional else ())
    evaluator = PictureEvaluator(pictures, space, extractor, None, CPU, 0)
    for made in ("valid", "test"):
        for split in ("valid", "test"):
            generator = Listening(to_unit(getattr(pictures, made).x_NCHW))
            metrics = evaluator.generated(generator, split, 20, DecodingSetting())
            found = {base(name): value for name, value in metrics.items()}
            same = made == split
            assert (found["fid"] < 1) == (found["coverage"] == 1) == same
            if conditional:
                asked_NA = torch.cat(generator.conds)
                assert torch.equal(asked_NA, getattr(pictures, split).labels_NA)
                assert found["label_accuracy"] == float(same)
                assert found["label_distance"] == float(not same)
    near, far = (evaluator.real(split, 20)["fid@stub"] for split in ("valid", "test"))
    assert near < far / 10
    assert_noise_has(evaluator, 20, torch.zeros(64, *SHAPE))


class Way(DirectGenerator):
    """A translator: one picture per row of what it was made with, or a constant."""

    latent = 0

    def __init__(self, give: Tensor | float) -> None:
        super().__init__()
        self._give = give

    def forward(self, z_BL: Tensor, cond: Tensor) -> Tensor:
        if isinstance(self._give, float):
            return torch.full_like(cond, self._give)
        return self._give[: len(cond)]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_translated_pictures(split: str) -> None:
    """Valid is dark on side a and bright on side b; in the test splits it is the converse."""
    kinds = {"a": two_shades(), "b": two_shades(flip=True)}
    extractor: Any = BrightnessExtractor()
    evaluator = CycleEvaluator(
        *(MeasuredPictures(name, pictures, extractor, None) for name, pictures in kinds.items()),
        CPU,
        0,
    )
    a, b = (getattr(pictures, split) for pictures in kinds.values())
    ways = nn.ModuleDict({"a2b": Way(to_unit(b.x_NCHW)), "b2a": Way(0.0)})
    metrics = evaluator.generated(ways, split, 20, DecodingSetting())
    found = {base(name): value for name, value in metrics.items()}
    assert found["fid_a2b"] == pytest.approx(0, abs=1e-3)
    assert found["label_preservation_a2b"] == 0  # it writes b's shade, whatever it reads
    assert found["fid_b2a"] > 100
    assert found["label_preservation_b2a"] == float(split == "valid")  # 0.0 is byte 128: bright
    assert found["cycle_a"] == pytest.approx(float(to_unit(a.x_NCHW).abs().mean()), rel=1e-5)
    assert found["identity_a"] == pytest.approx(found["cycle_a"])
    assert found["cycle_b"] == 0  # the backward translator returns the sources themselves
    real = {base(name): value for name, value in evaluator.real(split, 20).items()}
    assert real["label_preservation_a2b"] == real["label_preservation_b2a"] == 1
    near, far = ("fid_b2a", "fid_a2b") if split == "valid" else ("fid_a2b", "fid_b2a")
    assert real[near] < real[far] / 10  # the training pictures of both are dark
