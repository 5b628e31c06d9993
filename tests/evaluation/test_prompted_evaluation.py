"""What is measured of responses, for generators whose worth is known."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.config import validate
from seqgan.core.types import Generator, State, StepOut
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.data.prompted_text import PromptedText
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.prompted import PromptedTextEvaluator, other_rows
from seqgan.models.config import RnnGeneratorConfig

CPU = torch.device("cpu")
CONFIG = validate(
    PromptedTextConfig,
    {
        "name": "prompted_text",
        "source": {"name": "small_talk", "pairs": 400},
        "prompt_length": 8,
        "length": 10,
        "test_fraction": 0.2,
    },
    "data",
)


@pytest.fixture(scope="module")
def text() -> PromptedText:
    return CONFIG.build_text()


def evaluator_of(text: PromptedText) -> PromptedTextEvaluator:
    return PromptedTextEvaluator(text, CPU, seed=0, scorer=CONFIG.build_scores())


class Memory(Generator):
    """Knows one response by heart for each prompt it has met, and is certain of it."""

    def __init__(self, text: PromptedText, cond_NP: Tensor, ids_NT: Tensor) -> None:
        super().__init__()
        self.vocab_size = text.space.vocab_size
        self._known = {
            tuple(prompt.tolist()): ids for prompt, ids in zip(cond_NP, ids_NT, strict=True)
        }

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        rows = torch.stack([self._known[tuple(prompt)] for prompt in cond.tolist()])
        return 50.0 * F.one_hot(rows, self.vocab_size).float()

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        logits_BTV = self(cond, cond)
        return StepOut(logits_BTV[:, 0], (logits_BTV, 0))

    def step(self, x: Tensor, state: State) -> StepOut:
        logits_BTV, column = state
        return StepOut(logits_BTV[:, column + 1], (logits_BTV, column + 1))


def first_responses(text: PromptedText, split: str = "test") -> Memory:
    """By heart, the first true response to every prompt of a split."""
    batch = getattr(text, split).batch
    return Memory(text, batch.cond.flip(0), batch.x.flip(0))


def test_a_true_response_fits_though_it_is_not_always_the_reference(text: PromptedText) -> None:
    evaluator = evaluator_of(text)
    found = evaluator.generated(first_responses(text), "test", 1000, DecodingSetting())
    assert found["fitting"] == 1
    assert found["entropy"] == pytest.approx(0, abs=1e-6)
    by_prompt: dict[str, str] = {}
    for prompt, response in zip(text.test.prompts, text.test.responses, strict=True):
        by_prompt.setdefault(prompt, response)
    answers = [by_prompt[prompt] for prompt in text.test.prompts]
    scores = CONFIG.build_scores()("a2b", text.test.prompts, answers, text.test.responses)
    assert found["bleu"] == pytest.approx(scores["bleu"])
    assert found["rougeL"] == pytest.approx(scores["rougeL"])
    assert found["unique"] == len(set(answers)) / len(answers)
    assert found["length"] == pytest.approx(sum(len(a.split()) for a in answers) / len(answers))
    words = [(set(p.split()), a.split()) for p, a in zip(text.test.prompts, answers, strict=True)]
    copied = sum(word in prompt for prompt, answer in words for word in answer)
    assert found["copied"] == pytest.approx(copied / sum(len(a) for _, a in words), abs=0.02)


def test_who_answers_other_rows_is_found_out(text: PromptedText) -> None:
    batch = text.test.batch
    others = Memory(text, batch.cond, batch.x.roll(len(batch.x) // 2, 0))
    evaluator = evaluator_of(text)
    right = evaluator.generated(first_responses(text), "test", 1000, DecodingSetting())
    wrong = evaluator.generated(others, "test", 1000, DecodingSetting())
    assert wrong["fitting"] < 0.4
    assert wrong["bleu"] < 0.5 * right["bleu"]
    assert wrong["nll_test"] > right["nll_test"]


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_likelihoods_are_nats_per_token_of_the_responses(
    text: PromptedText, temperature: float
) -> None:
    torch.manual_seed(0)
    config = RnnGeneratorConfig(name="gru", embed=4, hidden=6)
    generator: Any = config.build(text.space).eval()
    evaluator = evaluator_of(text)
    found = evaluator.generated(generator, "test", 5, DecodingSetting(temperature))
    pairs = evaluator._splits["test"]
    batch = pairs.batch
    assert sorted(pairs.prompts) == sorted(text.test.prompts)

    def nats(cond: Tensor) -> float:
        logits = []
        for prompt, ids_T in zip(cond, batch.x, strict=True):
            asked = prompt[prompt != text.space.end_id]
            logits.append(generator.inner(torch.cat([asked, ids_T])[None])[:, len(asked) :])
        logp_NTV = (torch.cat(logits) / temperature).log_softmax(-1)
        logp_NT = logp_NTV.gather(2, batch.x[..., None])[..., 0]
        return -float(logp_NT[batch.mask].mean().detach())

    assert found["nll_test"] == pytest.approx(nats(batch.cond), rel=1e-4)
    prompts = [tuple(prompt) for prompt in batch.cond.tolist()]
    other_N = other_rows(pairs.prompts)
    assert all(prompts[row] != prompts[other] for row, other in enumerate(other_N.tolist()))
    assert found["nll_shuffled"] == pytest.approx(nats(batch.cond[other_N]), rel=1e-4)


def test_known_tokens_have_a_likelihood_of_their_own() -> None:
    tree = CONFIG.model_dump() | {"tokenizer": {"name": "word", "max_size": 40}}
    few = validate(PromptedTextConfig, tree, "data").build_text()
    torch.manual_seed(0)
    config = RnnGeneratorConfig(name="gru", embed=4, hidden=6)
    generator: Any = config.build(few.space).eval()
    evaluator = evaluator_of(few)
    found = evaluator.generated(generator, "test", 50, DecodingSetting(0.5))
    batch = few.test.batch
    logits_NTV = generator(batch.x, batch.cond).detach() / 0.5
    logp_NT = logits_NTV.log_softmax(-1).gather(2, batch.x[..., None])[..., 0]
    known_NT = batch.mask & (batch.x != few.tokenizer.unk_id)
    assert known_NT.sum() < batch.mask.sum()
    assert found["nll_test"] == pytest.approx(-float(logp_NT[batch.mask].mean()), rel=1e-4)
    assert found["nll_known_test"] == pytest.approx(-float(logp_NT[known_NT].mean()), rel=1e-4)
    words = evaluator.real("test", 1000)["unknown"]
    assert words == pytest.approx(
        float((batch.x == few.tokenizer.unk_id).sum() / (batch.x != few.space.end_id).sum())
    )
    assert evaluator.notes["unk_rate"]["test"] == few.report["test"]["unk_rate"] > 0


def test_below_top_p_1_there_is_no_density(text: PromptedText) -> None:
    found = evaluator_of(text).generated(
        first_responses(text), "test", 20, DecodingSetting(1.0, top_p=0.8)
    )
    assert "nll_test" not in found
    assert "entropy" not in found
    assert found["fitting"] == 1


def test_rows_of_true_responses_and_of_simple_rules(text: PromptedText) -> None:
    evaluator = evaluator_of(text)
    real, rules = evaluator.real("test", 1000), evaluator.baselines("test", 1000)
    assert real["fitting"] == 1
    assert "bleu" not in real
    assert rules["the prompt"]["copied"] == 1
    assert rules["response to another"]["fitting"] < 0.4
    assert evaluator.notes["pairs"] == {
        "valid": len(text.valid.prompts),
        "test": len(text.test.prompts),
    }


def test_few_samples_are_of_all_prompts_though_files_may_be_sorted(text: PromptedText) -> None:
    made = evaluator_of(text).plain(first_responses(text), DecodingSetting())
    asked = evaluator_of(text).draw(made, "test", 10).fake.cond
    prompts = [tuple(prompt) for prompt in text.test.batch.cond.tolist()]
    rows = [prompts.index(tuple(prompt)) for prompt in asked.tolist()]
    assert len({row * 4 // len(prompts) for row in rows}) == 4, "some in each quarter"


def test_nothing_of_it_disturbs_training(text: PromptedText) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    evaluator = evaluator_of(text)
    config = RnnGeneratorConfig(name="gru", embed=4, hidden=6)
    generator = config.build(text.space).eval()
    torch.set_rng_state(before)
    first = evaluator.show(generator, DecodingSetting()).lines
    evaluator.generated(generator, "valid", 10, DecodingSetting())
    assert torch.equal(torch.get_rng_state(), before)
    assert evaluator.show(generator, DecodingSetting()).lines == first


def test_a_shown_response_is_that_to_the_prompt_beside_it(text: PromptedText) -> None:
    true: dict[str, set[str]] = {}
    for prompt, ids in zip(text.valid.prompts, text.valid.batch.x.tolist(), strict=True):
        true.setdefault(prompt, set()).add(text.tokenizer.decode(ids))
    shown = evaluator_of(text).show(first_responses(text, "valid"), DecodingSetting()).lines
    assert len(shown) == 16
    for line in shown:
        prompt, response = line.split("  →  ")
        assert response in true[prompt]


def test_the_other_prompt_is_another_one_in_a_file_of_two_prompts() -> None:
    for prompts in (["a"] * 5 + ["b"] * 5, ["b", "a"] * 4, ["a", "b", "a", "c", "b", "c", "d"]):
        other_N = other_rows(prompts).tolist()
        assert sorted(other_N) == list(range(len(prompts)))
        assert all(prompts[row] != prompts[other] for row, other in enumerate(other_N))


def test_a_copy_is_one_whatever_letters_its_prompt_has(tmp_path: Path) -> None:
    lines = [f"{' '.join(words)}!" for words in permutations(["Red", "Green", "Blue", "White"])]
    pairs = "".join(json.dumps({"prompt": line, "response": line}) + "\n" for line in lines)
    (tmp_path / "pairs.jsonl").write_text(pairs)
    source = {"name": "jsonl", "path": str(tmp_path / "pairs.jsonl")}
    tree = {"name": "prompted_text", "source": source, "prompt_length": 8, "length": 10}
    config = validate(PromptedTextConfig, tree | {"test_fraction": 0.3}, "data")
    evaluator = evaluator_of(config.build_text())
    assert evaluator.real("test", 24)["copied"] == 1
