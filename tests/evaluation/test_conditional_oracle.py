"""A conditional oracle: its prompts, its density, its samples, and what is measured against it."""

from math import log
from typing import Any

import pytest
import torch
from enumeration import chi_square_is_plausible, index_of
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_generating_module, build_task
from seqgan.core.enumeration import all_sequences
from seqgan.core.errors import UserError
from seqgan.core.types import Batch, Generator, StepOut
from seqgan.data.oracle_config import ConditionalOracleConfig
from seqgan.evaluation import oracle as oracle_module
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.oracle import OracleEvaluator
from seqgan.evaluation.writer import Decoded
from seqgan.models.oracles import ConditionalOracle

CPU = torch.device("cpu")
V, T, P = 3, 2, 2
ORACLE = {"name": "random_gru", "vocab_size": V, "length": T, "embed": 4, "hidden": 8, "seed": 3}
SAMPLES = 4000


def config_of(**options: Any) -> ConditionalOracleConfig:
    tree = {"name": "conditional_oracle", "oracle": ORACLE, "prompt": P, "valid": 60, "test": 90}
    return ConditionalOracleConfig.model_validate(tree | options)


def oracle_of(**options: Any) -> ConditionalOracle:
    return config_of(**options).build_oracle(CPU)


def answers_behind(prompt: Tensor) -> tuple[Tensor, Tensor]:
    """(all answers, p(x | c)) from the network's logits over the joint row."""
    ids_RT = all_sequences(V, T)
    network = config_of().oracle.build_network().eval()
    joint = torch.cat([prompt.expand(len(ids_RT), -1), ids_RT], 1)
    logp_RTV = network(joint).detach().log_softmax(-1)
    logp_RT = logp_RTV.gather(2, joint[..., None])[..., 0]
    return ids_RT, logp_RT[:, len(prompt) :].sum(1).double()


# ── The oracle ────────────────────────────────────────────────────────────────────────────────


def test_the_density_is_that_of_the_network_behind_the_prompt() -> None:
    oracle = oracle_of()
    for prompt in all_sequences(V, P):
        ids_RT, expected_R = answers_behind(prompt)
        logp_R = oracle.log_prob(ids_RT, prompt.expand(len(ids_RT), -1))
        torch.testing.assert_close(logp_R.double(), expected_R, atol=1e-5, rtol=1e-5)
        assert float(logp_R.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_answers_are_drawn_from_it() -> None:
    oracle = oracle_of()
    torch.manual_seed(0)
    for prompt in torch.tensor([[0, 1], [2, 2]]):
        drawn = oracle.answers(prompt.expand(5000, -1))
        counts = index_of(drawn, V).bincount(minlength=V**T)
        assert chi_square_is_plausible(counts, answers_behind(prompt)[1].exp())


def test_uniform_prompts_are_uniform() -> None:
    torch.manual_seed(0)
    counts = index_of(oracle_of().prompts(9000), V).bincount(minlength=V**P)
    assert chi_square_is_plausible(counts, torch.full((V**P,), 1 / V**P))


def test_labels_are_the_first_tokens() -> None:
    torch.manual_seed(0)
    counts = oracle_of(prompt=1, labels=2).prompts(5000)[:, 0].bincount(minlength=V)
    assert chi_square_is_plausible(counts, torch.tensor([0.5, 0.5, 0.0]))


def test_prompts_of_the_network_are_its_own_first_tokens() -> None:
    torch.manual_seed(0)
    network = config_of().oracle.build_network().eval()
    rows = all_sequences(V, P)
    logp = network(rows).detach().log_softmax(-1).gather(2, rows[..., None])[..., 0].sum(1)
    counts = index_of(oracle_of(prompts="network").prompts(9000), V).bincount(minlength=V**P)
    assert chi_square_is_plausible(counts, logp.exp())


def test_a_wrong_hash_stops_it() -> None:
    with pytest.raises(UserError, match="sha256"):
        oracle_of(oracle={**ORACLE, "sha256": "00"})


def test_splits_are_the_same_at_every_call_and_independent() -> None:
    config = config_of(train=50)
    one, two = config.build_samples(), config.build_samples()
    for name in ("train", "valid", "test"):
        assert torch.equal(getattr(one, name).x, getattr(two, name).x)
        assert torch.equal(getattr(one, name).cond, getattr(two, name).cond)
    assert torch.equal(one.block(0).cond, one.train.cond)
    assert not torch.equal(one.block(1).cond, one.train.cond)
    assert not torch.equal(one.valid.cond[:50], one.train.cond)
    other = config_of(train=50, seed=1).build_samples()
    assert not torch.equal(other.train.cond, one.train.cond)


# ── What is measured ──────────────────────────────────────────────────────────────────────────

DATA = {
    "name": "conditional_oracle",
    "oracle": ORACLE,
    "prompt": P,
    "train": 20,
    "valid": 60,
    "test": 90,
}


def experiment_of(**overrides: Any) -> Any:
    return tiny_experiment({"data": DATA, "game": {"name": "conditional"}, **overrides})


def evaluator_and_generator(seed: int = 7) -> tuple[OracleEvaluator, Any]:
    experiment = experiment_of()
    side = build_task(experiment, CPU, None)
    torch.manual_seed(seed)
    generator = build_generating_module(experiment, side.space).eval()
    for parameter in generator.parameters():
        parameter.data.mul_(2)
    assert isinstance(side.evaluator, OracleEvaluator)
    return side.evaluator, generator


def by_hand(
    evaluator: OracleEvaluator, generator: Any, split: str, temperature: float
) -> dict[str, float]:
    """Sums over all answers, prompt by prompt, as often as each stands in the split."""
    cond = evaluator._real[split].cond
    found = dict.fromkeys(("kl_forward", "kl_reverse", "jsd", "entropy", "nll_oracle"), 0.0)
    for prompt in cond:
        ids_RT, logp_R = answers_behind(prompt)
        joint = torch.cat([prompt.expand(len(ids_RT), -1), ids_RT], 1)
        logits = generator.inner(joint)[:, P:].detach() / temperature
        logq_R = logits.log_softmax(-1).gather(2, ids_RT[..., None])[..., 0].sum(1).double()
        p_R, q_R = logp_R.exp(), logq_R.exp()
        m_R = (p_R + q_R) / 2
        found["kl_forward"] += float((p_R * (logp_R - logq_R)).sum()) / T
        found["kl_reverse"] += float((q_R * (logq_R - logp_R)).sum()) / T
        found["jsd"] += float(
            (p_R * (p_R / m_R).log()).sum() / 2 + (q_R * (q_R / m_R).log()).sum() / 2
        )
        found["entropy"] += float(-(q_R * logq_R).sum()) / T
        found["nll_oracle"] += float(-(q_R * logp_R).sum()) / T
    return {name: value / len(cond) for name, value in found.items()}


@pytest.mark.parametrize("split", ["valid", "test"])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_divergences_are_means_over_the_held_out_prompts(split: str, temperature: float) -> None:
    evaluator, generator = evaluator_and_generator()
    found = evaluator.generated(generator, split, 10, DecodingSetting(temperature))
    for name, value in by_hand(evaluator, generator, split, temperature).items():
        assert found[name] == pytest.approx(value, rel=1e-4), name
    assert evaluator.notes["divergences"] == "exact"


def test_held_out_likelihood_is_that_of_the_pairs() -> None:
    evaluator, generator = evaluator_and_generator()
    found = evaluator.generated(generator, "test", 10, DecodingSetting())
    real = evaluator._real["test"]
    total = 0.0
    for ids_T, prompt in zip(real.x, real.cond, strict=True):
        logits = generator.inner(torch.cat([prompt, ids_T])[None])[0, P:].log_softmax(-1)
        total -= float(logits[torch.arange(T), ids_T].sum().detach())
    assert found["nll_test"] == pytest.approx(total / len(real.x) / T, rel=1e-4)


def test_sampled_divergences_agree_with_the_exact_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator, generator = evaluator_and_generator()
    real = config_of(test=SAMPLES).build_samples().test
    exact = OracleEvaluator(oracle_of(), evaluator.space, {"test": real}, seed=0)
    monkeypatch.setattr(oracle_module, "MAX_ENUMERATED", 80)  # 81 = 9 prompts × 9 answers
    sampled = OracleEvaluator(oracle_of(), evaluator.space, {"test": real}, seed=0)
    assert sampled.notes["divergences"] == "Monte Carlo"
    setting = DecodingSetting()
    right = exact.generated(generator, "test", SAMPLES, setting)
    found = sampled.generated(generator, "test", SAMPLES, setting)
    for name in ("kl_forward", "kl_reverse", "jsd", "entropy", "nll_oracle"):
        assert found[name] == pytest.approx(right[name], rel=0.1, abs=0.01), name
    assert found["nll_test"] == right["nll_test"]


def test_the_oracle_itself_is_at_no_distance() -> None:
    evaluator, generator = evaluator_and_generator()
    generator.inner = config_of().oracle.build_network().eval()
    found = evaluator.generated(generator, "test", 500, DecodingSetting())
    real = evaluator.real("test", 500)
    for name in ("kl_forward", "kl_reverse", "jsd"):
        assert found[name] == pytest.approx(0, abs=1e-5)
        assert real[name] == 0
    for name in ("nll_oracle", "entropy", "nll_test"):
        assert found[name] == pytest.approx(real[name], rel=1e-4)


class Blind(Generator):
    """Knows the mixture over prompts, and not the prompt."""

    def __init__(self, mixture_R: Tensor) -> None:
        super().__init__()
        self.vocab_size = V
        self._logp_R = mixture_R.log()

    def start(self, batch: int, cond: Tensor | None = None) -> Any:
        return StepOut(self._logp_R.view(V, V).logsumexp(1).expand(batch, -1).float(), ())

    def step(self, x: Tensor, state: Any) -> Any:
        return StepOut(self._logp_R.view(V, V)[x].float(), ())

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        first = self._logp_R.view(V, V).logsumexp(1).expand(len(tokens), -1)
        return torch.stack([first, self._logp_R.view(V, V)[tokens[:, 0]]], 1).float()


def test_who_ignores_the_prompt_pays_the_mutual_information() -> None:
    """The best blind generator, the mixture, has KL(oracle‖G) = I(x; c) exactly."""
    evaluator, _ = evaluator_and_generator()
    densities = [answers_behind(prompt)[1].exp() for prompt in evaluator._real["test"].cond]
    mixture_R = torch.stack(densities).mean(0)
    information = sum(float((p * (p / mixture_R).log()).sum()) for p in densities)
    found = evaluator.generated(Blind(mixture_R), "test", 10, DecodingSetting())
    assert found["kl_forward"] == pytest.approx(information / len(densities) / T, rel=1e-4)
    assert found["kl_forward"] > 0.1
    assert 0 < found["jsd"] < log(2)


def test_samples_answer_the_prompts_of_the_split_in_turn() -> None:
    evaluator, generator = evaluator_and_generator()
    writer = Decoded(generator, evaluator.space, DecodingSetting())
    fake = evaluator.draw(writer, "valid", 70).fake
    cond = evaluator._real["valid"].cond
    assert fake is not None
    assert fake.cond is not None
    assert torch.equal(fake.cond[:60], cond)
    assert torch.equal(fake.cond[60:], cond[:10])
    before = torch.get_rng_state()
    again = evaluator.draw(writer, "valid", 70).fake
    assert again is not None
    assert torch.equal(fake.x, again.x)
    assert torch.equal(torch.get_rng_state(), before)


def test_shown_lines_have_prompt_and_answer() -> None:
    evaluator, generator = evaluator_and_generator()
    lines = evaluator.show(generator, DecodingSetting()).lines
    prompts = [" ".join(map(str, row)) for row in evaluator._real["valid"].cond[:16].tolist()]
    assert [line.split("  →  ")[0] for line in lines] == prompts
    assert all(len(line.split("  →  ")[1].split()) == T for line in lines)


def test_oracles_without_prompts_are_measured_as_before() -> None:
    """The same numbers as one conditional oracle whose only prompt says nothing new."""
    experiment = tiny_experiment({"data.oracle": {**ORACLE, "vocab_size": V, "length": T}})
    side = build_task(experiment, CPU, None)
    evaluator = side.evaluator
    assert isinstance(evaluator, OracleEvaluator)
    assert evaluator._real["valid"].cond is None
    generator = build_generating_module(experiment, side.space).eval()
    found = evaluator.generated(generator, "valid", 32, DecodingSetting())
    ids_RT = all_sequences(V, T)
    logp_R = evaluator._oracle.log_prob(ids_RT).double()
    logits = generator(ids_RT).detach().log_softmax(-1)
    logq_R = logits.gather(2, ids_RT[..., None])[..., 0].sum(1).double()
    expected = float((logp_R.exp() * (logp_R - logq_R)).sum()) / T
    assert found["kl_forward"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": 4}, ["labels=4", "only 3 tokens"]),
        ({"labels": 2, "prompts": "network"}, ["labels=2", "prompts to uniform"]),
    ],
)
def test_labels_that_cannot_be(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        tiny_experiment({"data": DATA | options, "game": {"name": "conditional"}})
    for word in words:
        assert word in str(error.value)


def test_a_real_batch_has_prompts() -> None:
    side = build_task(experiment_of(), CPU, None)
    batch = side.stream.next()
    assert isinstance(batch, Batch)
    assert batch.cond.shape == (8, P)
    assert side.prompts.shown[0] == side.evaluator._real["valid"].cond[0].tolist()
