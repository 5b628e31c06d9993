"""Copied words that the vocabulary lacks show as the source's own, to people and to scores."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import tiny_experiment, train, unpaired_text
from torch import Tensor

from seqgan.assembly import build_task
from seqgan.core.types import Generator, SequenceSpace, State, StepOut
from seqgan.data.tokenizer_config import (
    CharTokenizerConfig,
    SentencePieceConfig,
    WordTokenizerConfig,
)
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.config import EvaluationConfig
from seqgan.evaluation.translation import TranslationEvaluator
from seqgan.evaluation.written import written_lines
from seqgan.runs.saved import open_run

CPU = torch.device("cpu")
LINES = ["the cat sees the dog", "a dog sees the cat", "the dog sees a cat"] * 3


class Copier(Generator):
    """Writes its source again, and says so."""

    def __init__(self, space: SequenceSpace) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        assert cond is not None
        return self._out(cond, 0)

    def step(self, x: Tensor, state: State) -> StepOut:
        cond, column = state
        return self._out(cond, column + 1)

    def _out(self, cond: Tensor, column: int) -> StepOut:
        logits_BV = 50.0 * torch.nn.functional.one_hot(cond[:, column], self.vocab_size)
        return StepOut(logits_BV + self.anchor, (cond, column))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        assert cond is not None
        width = tokens.shape[1]
        return 50.0 * torch.nn.functional.one_hot(cond[:, :width], self.vocab_size) + self.anchor

    def copied_columns(self, ids_BT: Tensor, cond: Tensor, unk_id: int) -> Tensor:
        columns_T = torch.arange(ids_BT.shape[1])
        return torch.where(ids_BT == unk_id, columns_T, -1)


TOKENIZERS: dict[str, Any] = {
    "word": WordTokenizerConfig(name="word"),
    "char": CharTokenizerConfig(name="char"),
    "sentencepiece": SentencePieceConfig(name="sentencepiece", vocab_size=30),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_unknown_token_shows_what_stood_there(name: str) -> None:
    tokenizer = TOKENIZERS[name].build(LINES)
    lines = ["the Ʊʊ sees the dog ʬ", "the cat"]
    assert tokenizer.unk_id in tokenizer.encode(lines[0])
    rows = [[*tokenizer.encode(line), tokenizer.end_id] for line in lines]
    width = max(map(len, rows))
    cond = torch.tensor([row + [tokenizer.end_id] * (width - len(row)) for row in rows])
    copier = Copier(SequenceSpace(tokenizer.vocab_size, width, tokenizer.end_id))
    shown = written_lines(copier, tokenizer, tokenizer, lines, cond, cond)
    assert shown == [line.lower() if name == "word" else line for line in lines]


def test_what_was_generated_stays_unknown() -> None:
    tokenizer: Tokenizer = TOKENIZERS["word"].build(LINES)
    unknown = tokenizer.unk_id
    ids = torch.tensor([[unknown, *tokenizer.encode("sees"), unknown, tokenizer.end_id]])

    class Half(Copier):
        def copied_columns(self, ids_BT: Tensor, cond: Tensor, unk_id: int) -> Tensor:
            return torch.tensor([[-1, -1, 1, -1]])

    half = Half(SequenceSpace(tokenizer.vocab_size, 4, tokenizer.end_id))
    assert written_lines(half, tokenizer, tokenizer, ["the yak"], ids, ids) == ["<unk> sees yak"]


def pointer_overrides(folder: Path) -> dict[str, Any]:
    """Names that stand in held-out text only."""
    tree = unpaired_text(folder)
    for split in ("valid", "test"):
        for side in "ab":
            path = folder / f"{split}.{side}"
            path.write_text(path.read_text().replace("ann", "zoe").replace("bob", "yan"))
    tree["generator"] = {"name": "pointer", "embed": 4, "hidden": 6}
    tree["data"]["score"] = ["rouge"]
    return tree


def test_scores_are_of_what_people_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = tiny_experiment(pointer_overrides(tmp_path / "text"))
    text = build_task(experiment, CPU, None).evaluator._text
    evaluator = TranslationEvaluator(text, ("a2b",), False, CPU, 2)
    copier = {"a2b": Copier(text.b.space)}
    setting = DecodingSetting(EvaluationConfig().temperature)
    shown = evaluator.generated(copier, "test", 30, setting)
    assert shown["copied_a2b"] == 1
    monkeypatch.setattr(Copier, "copied_columns", lambda *_: None)
    hidden = evaluator.generated(copier, "test", 30, setting)
    assert hidden["copied_a2b"] < 1
    assert shown["rouge1_a2b"] > hidden["rouge1_a2b"] + 1
    assert shown["lm_nll_a2b"] == hidden["lm_nll_a2b"], "scores without truth are of tokens"


def test_a_copy_is_one_whatever_letters_its_source_has(tmp_path: Path) -> None:
    """Word tokenizers read small letters, and set commas apart."""
    experiment = tiny_experiment(pointer_overrides(tmp_path))
    for side in "ab":
        path = tmp_path / f"test.{side}"
        path.write_text(path.read_text().title().replace(" ", ", ", 1))
    text = build_task(experiment, CPU, None).evaluator._text
    assert any("," in line and not line.islower() for line in text.a.test.lines)
    evaluator = TranslationEvaluator(text, ("a2b",), False, CPU, 2)
    setting = DecodingSetting(EvaluationConfig().temperature)
    found = evaluator.generated({"a2b": Copier(text.b.space)}, "test", 30, setting)
    assert found["copied_a2b"] == 1


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pointer")
    return train(folder / "run", pointer_overrides(folder / "text"))


@pytest.mark.parametrize("beam", [1, 3])
def test_transform_shows_the_sources_words(
    finished: Path, beam: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copiers(experiment: Any, pair: Any, *rest: Any) -> dict[str, Copier]:
        return {"a2b": Copier(pair.b)}

    monkeypatch.setattr("seqgan.runs.saved.load_generator", copiers)
    lines = ["zoe sees cid", "cid hears quaggas", ""]
    assert open_run(finished).transform(lines, "a2b", beam) == lines
