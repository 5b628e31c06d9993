"""The probe: its truth by listing, its statistics on estimates whose moments are known."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from enumeration import (
    PrefixReward,
    SentenceReward,
    assert_same_vector,
    batches_of,
    gradient,
    log_probs,
    make_generator,
    mask_of,
    rollout_of,
    sentences,
)
from tiny_runs import assert_same_run, train, write_config
from torch import Tensor

from seqgan.cli import run
from seqgan.core.types import Batch, Rollout, SampleRequest, Scores, SequenceSpace
from seqgan.estimators.base import Surrogate
from seqgan.probe import gradients
from seqgan.probe.critic_signal import critic_signal
from seqgan.probe.gradients import Probed, listed_gradient, listed_sentences, probe_gradients

FIXED = SequenceSpace(vocab_size=3, length=2)
ENDING = SequenceSpace(vocab_size=3, length=3, end_id=1)
LOO = {"label": "loo", "estimator": {"name": "score_function"}}


@pytest.mark.parametrize("space", [FIXED, ENDING], ids=["fixed", "ending"])
def test_the_listed_gradient_is_that_of_the_expected_reward(space) -> None:
    generator, reward = make_generator("gru", space), SentenceReward(space)
    ids_RT = sentences(space)
    assert sorted(listed_sentences(space).tolist()) == sorted(ids_RT.tolist())
    value_R = reward(ids_RT, mask_of(ids_RT, space.end_id))
    logp_R = log_probs(generator, ids_RT, space.end_id).sum(1)
    expected = gradient(-(logp_R.exp() * value_R).sum(), generator)
    assert_same_vector(listed_gradient(generator, space, reward, False), expected)


class Noisy:
    """Estimates `scale` times the true gradient with noise of known size in every coordinate."""

    def __init__(self, space: SequenceSpace, reward: Any, scale: float, noise: float) -> None:
        self._space, self._reward, self._scale, self._noise = space, reward, scale, noise
        self._true: list[Tensor] = []

    def sample(self, generator: Any, request: SampleRequest) -> Rollout:
        ids_BT = torch.zeros(request.rows, self._space.length, dtype=torch.long)
        return Rollout(ids_BT, ids_BT, torch.ones_like(ids_BT, dtype=torch.bool))

    def loss(self, generator: Any, rollout: Rollout, reward: Any) -> Surrogate:
        parameters = [p for p in generator.parameters() if p.requires_grad]
        if not self._true:  # always the same: nobody moves
            ids_RT = sentences(self._space)
            logp_R = log_probs(generator, ids_RT, self._space.end_id).sum(1)
            exact = -(logp_R.exp() * self._reward(ids_RT, mask_of(ids_RT, None))).sum()
            self._true = list(torch.autograd.grad(exact, parameters))
        drawn = [
            self._scale * true + self._noise * torch.randn_like(p)
            for p, true in zip(parameters, self._true, strict=True)
        ]
        return Surrogate(sum((p * one).sum() for p, one in zip(parameters, drawn, strict=True)))


def test_bias_spread_and_cosine_are_those_that_were_put_in() -> None:
    generator, reward = make_generator("gru", FIXED), SentenceReward(FIXED)
    true_P = listed_gradient(generator, FIXED, reward, False)
    size, count = float(true_P.norm()), len(true_P)
    noise = 0.5 * size / count**0.5
    probed = [
        Probed("right", Noisy(FIXED, reward, 1.0, noise), False),
        Probed("short", Noisy(FIXED, reward, 0.7, noise), False),
        Probed("exact", Noisy(FIXED, reward, 1.0, 0.0), False),
    ]
    rows = probe_gradients(generator, FIXED, probed, SampleRequest(4), reward, samples=4_000)
    right, short, exact = rows
    assert right["bias"] < 4 * right["bias_error"] + 1e-9
    assert short["bias"] == pytest.approx(0.3, abs=4 * short["bias_error"])
    assert 0 < short["bias_error"] < 0.02
    assert right["variance"] == pytest.approx(0.25, rel=0.05)
    assert right["snr"] == pytest.approx(2.0, rel=0.05)
    assert short["snr"] == pytest.approx(1.4, rel=0.05)
    assert right["cosine"] == pytest.approx(1 / 1.25**0.5, rel=0.03)
    assert short["cosine_mean"] > 0.999
    assert exact["bias"] < 1e-5
    assert exact["snr"] == float("inf")


def test_the_variance_of_few_estimates_is_unbiased() -> None:
    reference_P = torch.tensor([3.0, 4.0], dtype=torch.float64)
    torch.manual_seed(0)
    estimates_NP = reference_P + torch.randn(gradients.GROUPS, 2, dtype=torch.float64)
    moments = gradients._Moments(reference_P, len(estimates_NP))
    for estimate_P in estimates_NP:
        moments.add(estimate_P)
    assert moments.variance() == pytest.approx(float(estimates_NP.var(0).sum()) / 25)


def test_without_listing_the_reference_is_sampled_and_says_how_well() -> None:
    space = SequenceSpace(vocab_size=60, length=3)
    generator = make_generator("gru", space)

    def reward(x: Tensor, mask: Tensor, shared: object = None) -> Tensor:
        return (x == 0).float().sum(1)

    class Twice(Noisy):
        def loss(self, generator: Any, rollout: Rollout, reward: Any) -> Surrogate:
            return Surrogate(sum(p.sum() * 0 for p in generator.parameters()))

    probed = [Probed("nothing", Twice(space, reward, 1.0, 0.0), False)]
    batches = {"samples": 40, "reference_batches": 400}
    (row,) = probe_gradients(generator, space, probed, SampleRequest(64), reward, **batches)
    assert row["bias"] == pytest.approx(1.0, abs=1e-3), "nothing misses all of the gradient"
    assert 0 < row["reference_error"] < 0.5


def test_the_sampled_reference_has_the_mean_that_listing_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over all batches of two: without B/(B − 1) it would be half of the truth."""
    generator, reward = make_generator("gru", FIXED), SentenceReward(FIXED)
    ids_RT = sentences(FIXED)
    prob_R = log_probs(generator, ids_RT).sum(1).exp().detach()
    total_P = torch.zeros(())
    for rows in batches_of(ids_RT, 2):
        batch = rollout_of(ids_RT[list(rows)], FIXED)
        monkeypatch.setattr(gradients, "hard_samples", lambda *_, batch=batch: batch)
        found_P = gradients._leave_one_out(generator, FIXED, SampleRequest(2), reward, False)
        total_P = total_P + prob_R[list(rows)].prod() * found_P
    assert_same_vector(total_P, listed_gradient(generator, FIXED, reward, False))


@pytest.mark.parametrize("summed", [False, True])
def test_a_causal_critics_values_are_summed_or_averaged_until_the_end(summed: bool) -> None:
    generator, reward = make_generator("gru", ENDING), PrefixReward(ENDING, on_pads=50.0)
    ids_RT = sentences(ENDING)
    mask_RT = mask_of(ids_RT, ENDING.end_id)
    value_R = (reward(ids_RT, mask_RT) * mask_RT).sum(1)
    if not summed:
        value_R = value_R / mask_RT.sum(1)
    logp_R = log_probs(generator, ids_RT, ENDING.end_id).sum(1)
    expected = gradient(-(logp_R.exp() * value_R).sum(), generator)
    assert_same_vector(listed_gradient(generator, ENDING, reward, summed), expected)


def test_the_sampled_reference_is_of_other_samples_than_the_estimates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else their errors would be the same, and the bias too small."""
    generator, reward = make_generator("gru", FIXED), SentenceReward(FIXED)
    seeds: dict[str, set[int]] = {"reference": set(), "estimate": set()}
    rollout = rollout_of(sentences(FIXED)[[0, 4]], FIXED)

    class Listening(Noisy):
        def sample(self, generator: Any, request: SampleRequest) -> Rollout:
            seeds["estimate"].add(torch.initial_seed())
            return rollout

    def samples(*_: Any) -> Rollout:
        seeds["reference"].add(torch.initial_seed())
        return rollout

    monkeypatch.setattr(gradients, "can_be_listed", lambda space: False)
    monkeypatch.setattr(gradients, "hard_samples", samples)
    batches = {"samples": 40, "reference_batches": 40}
    probed = [Probed("exact", Listening(FIXED, reward, 1.0, 0.0), False)]
    probe_gradients(generator, FIXED, probed, SampleRequest(2), reward, **batches)
    assert len(seeds["reference"]) == len(seeds["estimate"]) == 1
    assert seeds["reference"] != seeds["estimate"]


# ── The critic's signal ───────────────────────────────────────────────────────────────────────


class FirstToken(torch.nn.Module):
    def forward(self, x: Tensor, mask: Tensor, cond: Tensor | None = None) -> Scores:
        return Scores(x[:, 0].float() - 1.5)


def batch(*first: int) -> Batch:
    ids_BT = torch.tensor([[token, 0] for token in first])
    return Batch(ids_BT, torch.ones_like(ids_BT, dtype=torch.bool))


def test_the_signal_is_counted_by_hand() -> None:
    fake = batch(0, 1, 2, 3)
    rollout = Rollout(fake.x, fake.x, fake.mask)
    found = critic_signal(
        FirstToken(), batch(2, 3, 3, 3), batch(0, 2, 3, 1), rollout, lambda ids: -ids[:, 0].float()
    )
    assert found["rank_correlation"] == pytest.approx(-1.0)
    assert found["accuracy_train"] == pytest.approx(0.75)  # 4 of 4 real, 2 of 4 generated
    assert found["accuracy_held_out"] == pytest.approx(0.5)
    wins = sum((r > f) + 0.5 * (r == f) for r in (0, 2, 3, 1) for f in (0, 1, 2, 3))
    assert found["auc_held_out"] == pytest.approx(wins / 16)


class EveryToken(torch.nn.Module):
    """A causal critic: the score of a step is its token's id less 2."""

    def forward(self, x: Tensor, mask: Tensor, cond: Tensor | None = None) -> Scores:
        return Scores(x.float() - 2, mask)


def test_the_signal_of_a_causal_critic_is_its_mean_until_the_end() -> None:
    """A score of exactly 0 is on no side."""

    def samples(*rows: list[int]) -> Batch:
        """Sentences of one, two, … tokens, filled with nines."""
        ids_BT = torch.tensor([row + [9] * (len(rows) - len(row)) for row in rows])
        lengths_B1 = torch.tensor([[len(row)] for row in rows])
        return Batch(ids_BT, torch.arange(ids_BT.shape[1]) < lengths_B1)

    seen = samples([3], [3, 0], [2, 2, 5])  # means 1, -1/2, 1
    held_out = samples([0], [0, 3], [4, 2, 3])  # -2, -1/2, 1
    fake = samples([2], [0, 1], [3, 0, 0])  # 0, -3/2, -1
    rollout = Rollout(fake.x, fake.x, fake.mask)
    found = critic_signal(EveryToken(), seen, held_out, rollout, None)
    assert found["rank_correlation"] is None
    assert found["accuracy_train"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert found["accuracy_held_out"] == pytest.approx((1 / 3 + 2 / 3) / 2)
    wins = sum(r > f for r in (-2, -0.5, 1) for f in (0, -1.5, -1))
    assert found["auc_held_out"] == pytest.approx(wins / 9)


# ── Runs ──────────────────────────────────────────────────────────────────────────────────────

PROBE = {
    "estimators": [
        LOO,
        {"label": "straight-through", "estimator": {"name": "straight_through"}},
        {"label": "relax", "estimator": {"name": "relax", "embed": 3, "hidden": 3}},
    ],
    "samples": 40,
    "fit": 2,
    "warm_up": 4,
}


def test_the_command_writes_a_table_a_file_and_a_figure(tmp_path: Path, capsys) -> None:
    config = write_config(tmp_path / "probe.yaml", {"probe": PROBE})
    assert run(["probe", str(config), "--dir", str(tmp_path / "out")]) == 0
    assert "straight-through" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "probe.json").read_text())
    assert [row["label"] for row in found["estimators"]] == ["loo", "straight-through", "relax"]
    assert found["reference"] == "listed"
    assert {row["critic_calls"] for row in found["estimators"]} == {8.0}
    assert {row["tokens"] for row in found["estimators"]} == {24.0}
    assert -1 <= found["critic"]["rank_correlation"] <= 1
    assert (tmp_path / "out" / "probe.png").stat().st_size > 5_000


def test_probing_on_the_way_changes_nothing(tmp_path: Path) -> None:
    plain = train(tmp_path / "plain")
    probed = train(tmp_path / "probed", {"probe": {**PROBE, "every": 3}})
    lines = [json.loads(line) for line in (probed / "metrics.jsonl").read_text().splitlines()]
    probes = [line for line in lines if line["kind"] == "probe"]
    assert [line["step"] for line in probes] == [3, 6, 9, 12]
    kept = [json.dumps(line) + "\n" for line in lines if line["kind"] != "probe"]
    (probed / "metrics.jsonl").write_text("".join(kept))
    assert_same_run(plain, probed)
    assert run(["probe", str(probed), "--json"]) == 0
    assert (probed / "probe" / "probe.json").exists()


def test_a_run_that_was_not_probed_can_be_given_its_estimators(
    finished_run: Path, tmp_path: Path, capsys
) -> None:
    asked = ["probe", str(finished_run), "--dir", str(tmp_path / "out")]
    assert run(asked) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "has no section probe; add one to its config.yaml, or give 'probe={est" in line
    given = line.partition("'")[2].partition("'")[0]
    assert run([*asked, given, "--samples", "40", "--json"]) == 0
    assert [row["label"] for row in json.loads(capsys.readouterr().out)["estimators"]] == ["mine"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({}, "probe.yaml: has no section probe; add one to the configuration"),
        (
            {"probe": {"estimators": [{**LOO, "estimator": {"name": "all_action"}}]}},
            "critic action",
        ),
        ({"probe": {"estimators": [LOO, LOO]}}, "used twice"),
        ({"probe": {"estimators": [LOO], "warm_up": 99}}, "schedule has 12 steps"),
        (
            {"probe": {"estimators": [{**LOO, "estimator": {"name": "pathwise"}}]}},
            "does not fit",
        ),
    ],
    ids=["none", "does not fit the critic", "same label", "too long", "for pictures"],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, capsys, overrides, message) -> None:
    config = write_config(tmp_path / "probe.yaml", overrides)
    assert run(["probe", str(config), "--dir", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()
