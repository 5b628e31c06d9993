"""Likelihood over all tokens and over known ones, and `<unk>` in samples and references."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seqgan.core.types import Generator, State, StepOut
from seqgan.data.corpus import Corpus
from seqgan.data.corpus_config import TextDataConfig
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.known_tokens import held_out_nll, nats_per_token, unknown_share
from seqgan.evaluation.text import TextEvaluator

CPU = torch.device("cpu")
END, UNK, A, B = 0, 1, 2, 3


class Constant(Generator):
    """The same distribution in every column."""

    def __init__(self, probs_V: list[float]) -> None:
        super().__init__()
        self.vocab_size = len(probs_V)
        self._logits_V = torch.tensor(probs_V).log()

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self._logits_V.expand(*tokens.shape[:2], -1)

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return StepOut(self._logits_V.expand(batch, -1), ())

    def step(self, x: Tensor, state: State) -> StepOut:
        return StepOut(self._logits_V.expand(len(x), -1), ())


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """`<eos>`, `<unk>`, a, b; one word in ten of training is unknown, in validation one in four."""
    files = {"train": ["a a", "a b b", "a a b b", "c"], "valid": ["a e", "b a"], "test": ["a d b"]}
    for name, lines in files.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    fields: dict[str, Any] = {f"{name}_path": str(tmp_path / name) for name in ("valid", "test")}
    return TextDataConfig(
        name="text", path=str(tmp_path / "train"), length=6, **fields
    ).build_corpus()


def test_known_tokens_are_those_that_are_not_unk_and_the_end_is_one() -> None:
    ids_NT = torch.tensor([[A, UNK, END, END], [B, A, A, A]])
    mask_NT = torch.tensor([[True, True, True, False], [True, True, True, True]])
    logp_NT = -torch.tensor([[1.0, 50.0, 3.0, 0.0], [4.0, 5.0, 6.0, 7.0]])
    found = held_out_nll("valid", logp_NT, ids_NT, mask_NT, UNK)
    assert found == {"nll_valid": 76 / 7, "nll_known_valid": 26 / 6}
    without = held_out_nll("test", logp_NT, ids_NT, mask_NT, -1)  # a vocabulary that has no <unk>
    assert without["nll_known_test"] == without["nll_test"]
    assert unknown_share(ids_NT, mask_NT, END, UNK) == pytest.approx(1 / 6)
    assert nats_per_token(logp_NT, torch.zeros_like(mask_NT)) is None


def test_text_is_measured_over_all_and_over_known_tokens(corpus: Corpus) -> None:
    probs_V = [0.3, 0.001, 0.4, 0.299]
    nats = [-float(torch.tensor(p).log()) for p in probs_V]
    evaluator = TextEvaluator(corpus, CPU, seed=0, references=10)
    found = evaluator.generated(Constant(probs_V), "valid", 4, DecodingSetting())
    known = [nats[A], nats[END], nats[B], nats[A], nats[END]]
    assert found["nll_known_valid"] == pytest.approx(sum(known) / 5)
    assert found["nll_valid"] == pytest.approx((sum(known) + nats[UNK]) / 6)
    assert evaluator.notes["unk_rate"] == {
        "train": 0.1,
        "valid": 0.25,
        "test": pytest.approx(1 / 3),
    }


def test_unk_in_samples_is_a_word_of_references_and_of_the_real_row(corpus: Corpus) -> None:
    evaluator = TextEvaluator(corpus, CPU, seed=0, references=10)
    only_unk = Constant([1e-6, 1.0, 1e-6, 1e-6])
    found = evaluator.generated(only_unk, "test", 4, DecodingSetting())
    assert found["unknown"] == 1
    never = evaluator.generated(Constant([0.5, 1e-9, 0.25, 0.25]), "test", 4, DecodingSetting())
    assert never["unknown"] == 0
    assert evaluator.real("test", 4)["unknown"] == pytest.approx(0.1)
    # The reference "a <unk> b" has one <unk>: of six words that a sample repeats it matches one.
    assert 0 < (found["bleu_2"] or 0) < 0.2


def test_a_rule_may_select_by_known_tokens() -> None:
    assert "nll_known_valid" in TextDataConfig.metrics
    assert "nll_known_valid" in PromptedTextConfig.metrics
