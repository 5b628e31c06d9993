"""Corrected generators of responses to prompts: against sums over all responses to two prompts."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from enumeration import ToldTable, index_of
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_task
from seqgan.core.config import validate
from seqgan.core.enumeration import all_sequences
from seqgan.core.masks import mask_until_end
from seqgan.core.types import Batch, Critic, Rollout, Scores
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.data.prompted_text import PromptedText
from seqgan.decoding import sequence_log_probs
from seqgan.evaluation import oracle as oracle_module
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.corrected import (
    Scored,
    Worth,
    corrected_rows,
    critic_progress,
    measure_worth,
)
from seqgan.evaluation.oracle import OracleEvaluator
from seqgan.evaluation.prompted import PromptedTextEvaluator
from seqgan.evaluation.writer import Decoded, Draws
from seqgan.models.config import RnnGeneratorConfig

CPU = torch.device("cpu")
V, T = 4, 3
CLIP = 10.0
PAIRS = 3_000


class Logits(Critic):
    """A number for each response to each prompt."""

    def __init__(self, logit_CR: Tensor) -> None:
        super().__init__()
        self.logit_CR = logit_CR.float()

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        assert cond is not None
        return Scores(self.logit_CR[cond[:, 0], index_of(x, V)])


class Lab:
    """An oracle that answers two prompts, and a generator, both listed."""

    def __init__(self) -> None:
        data = {
            "name": "conditional_oracle",
            "prompt": 1,
            "labels": 2,
            **{"train": 8, "valid": PAIRS, "test": PAIRS},
            "oracle": {"name": "random_gru", "vocab_size": V, "length": T, "embed": 4, "hidden": 8},
        }
        experiment = tiny_experiment({"data": data, "game": {"name": "conditional"}})
        task = build_task(experiment, CPU)
        assert isinstance(task.evaluator, OracleEvaluator)
        self.evaluator = task.evaluator
        self.generator = ToldTable(self.evaluator.space).eval()
        for parameter in self.generator.parameters():
            parameter.data.mul_(0.3)
        ids_RT = all_sequences(V, T)
        mask_RT = torch.ones_like(ids_RT, dtype=torch.bool)
        conds = [torch.full((len(ids_RT), 1), prompt) for prompt in (0, 1)]
        oracle = self.evaluator._oracle
        self.logp_CR = torch.stack([oracle.log_prob(ids_RT, cond) for cond in conds]).double()
        self.logg_CR = torch.stack(
            [sequence_log_probs(self.generator, ids_RT, mask_RT, cond=cond) for cond in conds]
        ).double()
        noise_CR = torch.randn(2, V**T, generator=torch.Generator().manual_seed(1)).double()
        half_known_CR = self.logp_CR - self.logg_CR + 0.7 * noise_CR
        # The same normaliser for both prompts.
        self.level_CR = half_known_CR - (self.logg_CR + half_known_CR).logsumexp(1, keepdim=True)

    def worth(self, logit_CR: Tensor) -> Worth:
        found = measure_worth(self.evaluator, self.generator, Logits(logit_CR), PAIRS, CLIP)
        assert found is not None
        return found

    def gains(self, worth: Worth, logit_CR: Tensor) -> tuple[float, float]:
        """The gain of the corrected generator, and the bound that knows the mean normaliser."""
        f_CR = worth.calibration.log_weight(logit_CR.flatten()).view(2, -1)
        cond = self.evaluator._real["test"].cond
        assert cond is not None
        share_C = cond[:, 0].bincount().double() / len(cond)
        mean_C = (self.logp_CR.exp() * f_CR).sum(1)
        log_z_C = (self.logg_CR + f_CR).logsumexp(1)
        mean, mean_log_z = float(share_C @ mean_C), float(share_C @ log_z_C)
        return mean - mean_log_z, mean - float((share_C.log() + log_z_C).logsumexp(0))


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab()


def uneven(lab: Lab) -> Tensor:
    """The same critic, which is too fond of all that answers the second prompt."""
    return lab.level_CR + torch.tensor([[-1.0], [1.0]])


# ── Certificates ──────────────────────────────────────────────────────────────────────────────


def test_with_one_normaliser_the_certificate_is_the_gain(lab: Lab) -> None:
    worth = lab.worth(lab.level_CR)
    exact, bound = lab.gains(worth, lab.level_CR)
    assert exact > 0.3
    assert exact - bound < 0.01
    assert worth.corrected.low < exact < worth.corrected.high
    assert worth.corrected.half_width < 0.1
    assert worth.corrected.bound is not None
    assert worth.corrected.bound < exact


def test_with_a_normaliser_for_each_prompt_it_is_a_lower_bound(lab: Lab) -> None:
    worth = lab.worth(uneven(lab))
    exact, bound = lab.gains(worth, uneven(lab))
    assert bound < exact - 0.05
    assert worth.corrected.low < bound < worth.corrected.high
    assert worth.corrected.gain < exact


def test_it_is_the_critics_alone(lab: Lab) -> None:
    """Without a power of the generator's probability, which differs from prompt to prompt."""
    worth = lab.worth(lab.level_CR)
    assert worth.calibration.beta == 0
    assert worth.critic.gain == pytest.approx(worth.corrected.gain)
    of_nothing = lab.worth(torch.zeros(2, V**T))
    assert of_nothing.critic.gain == pytest.approx(0, abs=1e-9)


def test_of_one_of_n_nothing_is_claimed(lab: Lab) -> None:
    assert lab.worth(lab.level_CR).resampled(16, seed=0) is None


def test_curves_in_training_are_those_of_the_same_prompts(lab: Lab) -> None:
    writer = Decoded(lab.generator, lab.evaluator.space, DecodingSetting())
    draws = lab.evaluator.draw(writer, "valid", 1_000)
    right = critic_progress(Logits(lab.logp_CR - lab.logg_CR), draws, CLIP)
    mixed_up = critic_progress(Logits((lab.logp_CR - lab.logg_CR).flip(0)), draws, CLIP)
    assert right["certificate"] is not None
    assert mixed_up["certificate"] is not None
    assert right["certificate"] > mixed_up["certificate"] + 0.1
    assert right["critic_calibration"] is not None
    assert right["critic_calibration"] < 0.1


# ── Which responses are compared ──────────────────────────────────────────────────────────────


class ReadsPrompts(Critic):
    """Its logit is the number of the prompt."""

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        assert cond is not None
        return Scores(cond[:, 0].float())


@pytest.mark.parametrize(
    ("samples", "most", "held_out", "rounds"),
    [(4, None, 4, 1), (9, None, 9, 1), (25, None, 9, 2), (25, 4, 4, 1), (30, 18, 9, 2)],
)
def test_samples_and_true_responses_have_the_same_prompts(
    lab: Lab, samples: int, most: int | None, held_out: int, rounds: int
) -> None:
    """A file may be sorted by prompts, of which only the first are answered."""
    cond = torch.arange(9)[:, None]
    rows = torch.arange(samples) % 9
    real, fake = (
        Batch(torch.zeros(len(c), T).long(), torch.ones(len(c), T).bool(), c)
        for c in (cond, cond[rows])
    )
    writer = Decoded(lab.generator, lab.evaluator.space, DecodingSetting())
    draws = Draws(writer, real, fake, torch.zeros(9, T), torch.zeros(samples, T))
    found = Scored.of(ReadsPrompts(), draws, most)
    for part in (found, found.half(0), found.half(1)):
        assert part.d_fake_M.tolist() == part.d_real_N.tolist() * rounds
    assert len(found.d_real_N) == held_out
    assert len(found.half(0).d_real_N) == (held_out + 1) // 2


def test_what_answers_an_impossible_pairs_prompt_is_left_out_with_it(lab: Lab) -> None:
    writer = Decoded(lab.generator, lab.evaluator.space, DecodingSetting())
    draws = lab.evaluator.draw(writer, "test", 50)
    assert draws.logp_real_NT is not None
    never_NT = draws.logp_real_NT.clone()
    never_NT[:10, 0] = -torch.inf
    found = Scored.of(ReadsPrompts(), replace(draws, logp_real_NT=never_NT))
    assert len(found.d_real_N) == len(found.d_fake_M) == 40
    assert torch.equal(found.d_real_N, found.d_fake_M)


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def test_each_prompt_has_its_own_normaliser_in_divergences(lab: Lab) -> None:
    logit_CR = uneven(lab)
    worth = lab.worth(logit_CR)
    plain = lab.evaluator.generated(lab.generator, "test", PAIRS, DecodingSetting())
    exact, one_of = corrected_rows(
        lab.evaluator, lab.generator, Logits(logit_CR), worth, 1_000, one_of=4
    )
    gain, _ = lab.gains(worth, logit_CR)
    assert T * exact.metrics["kl_forward"] == pytest.approx(
        T * plain["kl_forward"] - gain, rel=1e-4
    )
    # Drawn, not only weighted; the likelihood is a bound.
    assert exact.metrics["nll_oracle"] < plain["nll_oracle"] - 0.02
    assert exact.metrics["nll_test"] > plain["nll_test"] - gain / T + 0.01
    assert one_of.metrics["nll_oracle"] < plain["nll_oracle"] - 0.02
    assert set(one_of.metrics) == {"nll_oracle", "valid", "unique"}


def test_bounds_are_no_divergences(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = lab.evaluator
    monkeypatch.setattr(oracle_module, "MAX_ENUMERATED", 1)
    unlisted = OracleEvaluator(evaluator._oracle, evaluator.space, evaluator._real, seed=0)
    logit_CR = lab.level_CR.clamp(max=1)  # more samples are accepted
    worth = lab.worth(logit_CR)
    exact, _ = corrected_rows(unlisted, lab.generator, Logits(logit_CR), worth, 100, 16)
    assert set(exact.metrics) == {"nll_oracle", "nll_test", "valid", "unique"}


def test_a_prompt_whose_samples_are_all_refused_costs_the_exact_samples_only(lab: Lab) -> None:
    worth = lab.worth(uneven(lab))
    refused = lab.level_CR + torch.tensor([[-8.0], [0.0]])
    calibration = replace(worth.calibration, alpha=1.0, offset=0.0)
    exact, one_of = corrected_rows(
        lab.evaluator,
        lab.generator,
        Logits(refused),
        replace(worth, calibration=calibration),
        400,
        one_of=4,
    )
    assert list(exact.metrics) == ["nll_test"]
    assert exact.lines == []
    assert len(one_of.lines) == 4


# ── Text ──────────────────────────────────────────────────────────────────────────────────────

SMALL_TALK = validate(
    PromptedTextConfig,
    {
        "name": "prompted_text",
        "source": {"name": "small_talk", "pairs": 600},
        "prompt_length": 8,
        "length": 10,
        "test_fraction": 0.2,
        "valid_fraction": 0.2,
    },
    "data",
)


@pytest.fixture(scope="module")
def text() -> PromptedText:
    return SMALL_TALK.build_text()


class Fits(Critic):
    """Knows which response fits which prompt."""

    def __init__(self, text: PromptedText) -> None:
        super().__init__()
        self._text = text

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        assert cond is not None
        assert self._text.fits is not None
        decode = self._text.tokenizer.decode
        prompts = [[i for i in row if i != self._text.space.end_id] for row in cond.tolist()]
        pairs = zip(map(decode, prompts), map(decode, x.tolist()), strict=True)
        return Scores(torch.tensor([float(self._text.fits(*pair)) for pair in pairs]))


class TrueResponses:
    """Writes the true response to every prompt of a split, and gives all the same probability."""

    normalised = True

    def __init__(self, text: PromptedText) -> None:
        batch = text.test.batch
        assert batch.cond is not None
        pairs = zip(batch.cond.tolist(), batch.x, strict=True)
        self._known = {tuple(prompt): ids_T for prompt, ids_T in pairs}
        self._end_id = text.space.end_id

    def sample(self, rows: int, cond: Tensor | None = None) -> Rollout:
        assert cond is not None
        ids_BT = torch.stack([self._known[tuple(prompt)] for prompt in cond.tolist()])
        return Rollout(ids_BT, ids_BT, mask_until_end(ids_BT, self._end_id))

    def log_probs(self, batch: Batch) -> Tensor:
        return torch.zeros(batch.x.shape)

    def greedy(self, cond: Tensor) -> Rollout:
        return self.sample(len(cond), cond)


def test_responses_stand_behind_the_prompts_that_they_answer(text: PromptedText) -> None:
    evaluator = PromptedTextEvaluator(text, CPU, seed=0, scorer=None)
    draws = evaluator.draw(TrueResponses(text), "test", 1_000)
    assert draws.fake is not None
    assert len(draws.fake.x) == len(text.test.prompts)
    scored = Scored.of(Fits(text), draws)
    assert bool((scored.d_real_N == 1).all())
    assert bool((scored.d_fake_M == 1).all())


def test_rows_of_text_have_what_a_corrected_generator_has(text: PromptedText) -> None:
    evaluator = PromptedTextEvaluator(text, CPU, seed=0, scorer=lambda *lines: {"bleu": 0.5})
    torch.manual_seed(0)
    generator: Any = RnnGeneratorConfig(name="gru", embed=4, hidden=6).build(text.space).eval()

    class Short(Critic):
        """Prefers short responses."""

        def forward(
            self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None
        ) -> Scores:
            assert mask is not None
            return Scores(-mask.sum(1).float())

    worth = measure_worth(evaluator, generator, Short(), 1_000, CLIP)
    assert worth is not None
    plain = evaluator.generated(generator, "test", 50, DecodingSetting())
    exact, one_of = corrected_rows(evaluator, generator, Short(), worth, 50, 4)
    assert worth.corrected.gain > 0.1
    tokens = worth.corrected.tokens
    assert exact.metrics["nll_test"] == pytest.approx(
        plain["nll_test"] - worth.corrected.gain / tokens, rel=1e-4
    )
    of_samples = {"unique", "copied", "length", "unknown", "fitting", "distinct_2"}
    assert of_samples <= exact.metrics.keys() & one_of.metrics.keys()
    assert {"bleu", "nll_shuffled"} <= plain.keys()
    assert {"bleu", "nll_shuffled"}.isdisjoint(exact.metrics)
    assert {"nll_test", "entropy", "bleu"}.isdisjoint(one_of.metrics)
    assert exact.metrics["length"] != plain["length"]
    shown = evaluator.show(generator, DecodingSetting()).lines[:4]
    prompts = [line.split("  →  ")[0] for line in shown]
    assert set(prompts) <= set(text.valid.prompts)
    assert [line.split("  →  ")[0] for line in exact.lines] == prompts
