"""The benchmark compares like with like and reports in a stable shape. No timing is tested."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from benchmarks import cycle, naive, sampling, sizes
from load_script import load_script

from seqgan.core.types import SequenceSpace
from seqgan.decoding import Ancestral, sample
from seqgan.estimators.credit import RewardedRollout
from seqgan.estimators.rollout import Rollout
from seqgan.models.config import CnnCriticConfig

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    return load_script("bench")


@pytest.fixture(scope="module")
def tiny() -> Any:
    critic = CnnCriticConfig(name="cnn", embed=4, widths=[1, 2, 5], filters=[3, 4, 5])
    return sizes.Sizes(
        batch=8, length=5, vocab=20, copies=2, samples=200, captions=50, repeats=2,
        step_repeats=1, likelihood_steps=2, picture_rounds=2, picture_width=4, features=200,
        beside_rounds=1, beside_spinning=False,
        cached_length=6, cached_width=8, cached_layers=1,
        articles=50, cycle_batch=8, cycle_repeats=2, critic=critic,
    )  # fmt: skip


@pytest.fixture(scope="module")
def result(bench: ModuleType, tiny: Any) -> Any:
    return bench.run_all(tiny, CPU)


def test_the_naive_critic_gives_our_scores(tiny: Any) -> None:
    critic = tiny.critic.build(tiny.space).eval()
    ids_RT = torch.randint(tiny.vocab, (30, tiny.length))
    assert naive.score_difference(critic, ids_RT) <= 1e-5


def test_the_naive_generator_reads_its_prefix_as_ours_does() -> None:
    # With a generator this peaked the most likely token is nearly certain, so a wrong state or
    # a missing start token changes what is written.
    torch.manual_seed(0)
    space = SequenceSpace(naive.CHECK_VOCAB, 6)
    generator = naive.build_lstm(space, CPU, std=1.0)
    generator.readout.weight.data *= 1000
    with torch.no_grad():
        ids_BT = sample(generator, space, 40, Ancestral()).ids_BT
        for given in range(6):
            finished_BT = naive.NaiveGenerator(generator).finish(ids_BT[:, :given], 6)
            assert torch.equal(finished_BT[:, :given], ids_BT[:, :given])
            assert (finished_BT == ids_BT).float().mean() > 0.95


def test_naive_and_packed_returns_agree(tiny: Any) -> None:
    torch.manual_seed(0)
    generator = naive.build_lstm(tiny.space, CPU)
    critic = tiny.critic.build(tiny.space).eval()
    with torch.no_grad():
        rollout = sample(generator, tiny.space, 16, Ancestral())
        naive_BT = naive.naive_returns(
            naive.NaiveGenerator(generator), naive.NaiveCritic(critic), rollout.ids_BT, 100
        )
        ours_BT = Rollout(100)(
            RewardedRollout(rollout, naive.prob_reward(critic), generator, tiny.space)
        )
    # The last column has no randomness; the others have Monte-Carlo error.
    torch.testing.assert_close(ours_BT[:, -1], naive_BT[:, -1])
    torch.testing.assert_close(ours_BT, naive_BT, atol=0.1, rtol=0)
    assert abs(naive.reward_z(ours_BT, naive_BT)) < 4


def test_the_chi_square_check_can_fail() -> None:
    torch.manual_seed(0)
    even, other = torch.randint(10, (2, 5000))
    assert naive.same_tokens(even, other, 10) > 1e-3
    assert naive.same_tokens(even, other.clamp(max=8), 10) < 1e-6


def test_the_result_is_json_of_the_documented_shape(result: Any) -> None:
    tree = json.loads(json.dumps(result))
    parts = {"reward", "sampling", "self_bleu", "steps", "picture", "prdc", "translate"}
    parts |= {"likelihood", "beside", "kv_cache", "estimators", "cycle"}
    assert set(tree) == {"machine", "sizes", "targets", *parts}
    assert tree["sizes"]["quick"] is False
    assert {"device", "processor", "threads", "torch", "python"} == set(tree["machine"])
    for name in ("reward", "sampling"):
        assert len(tree[name]["ratio_of_each_pair"]) == 2
        assert tree[name]["ratio"] > 0
        assert all(len(tree[name][side]["runs_s"]) == 2 for side in ("naive", "ours"))
    assert tree["self_bleu"]["captions"] == 50
    assert set(tree["steps"]) == {
        "mle",
        "critic",
        "score_function_sequence",
        "score_function_per_step",
        "score_function_rollout",
        "soft_gumbel",
        "straight_through_gumbel",
    }


def test_both_sides_of_a_likelihood_have_one_loss(result: Any) -> None:
    assert set(result["likelihood"]) == {"full", "padded", "policy_gradient"}
    for measured in result["likelihood"].values():
        assert measured["checks"]["loss_difference"] < 1e-5
        assert measured["ratio"] > 0
    cases = [result["likelihood"][name]["ratio"] for name in ("full", "policy_gradient")]
    assert result["targets"]["likelihood_ratio_at_least_1.5"] == min(cases)


def test_one_process_is_measured_and_two_at_once(result: Any) -> None:
    beside = result["beside"]
    assert set(beside) == {"alone", "two", "ratios"}
    assert all(len(beside[name]["runs_s"]) == 2 for name in ("alone", "two"))
    ratio = beside["two"]["median_s"] / beside["alone"]["median_s"]
    assert result["targets"]["beside_ratio_at_most_2.2"] == pytest.approx(ratio)


def test_samples_with_a_cache_are_those_without_it(result: Any) -> None:
    assert set(result["kv_cache"]) == {"transformer", "hf"}
    for measured in result["kv_cache"].values():
        assert measured["checks"]["same_samples"] == 1
        assert len(measured["ratio_of_each_pair"]) == 2
    ratios = [measured["ratio"] for measured in result["kv_cache"].values()]
    assert result["targets"]["kv_cache_ratio_at_least_3"] == min(ratios)


def test_the_cycle_game_has_costs_for_every_estimator(result: Any) -> None:
    relaxed = {"softmax", "soft_gumbel", "straight_through_gumbel", "straight_through"}
    hard = {"score_function_leave_one_out", "score_function_self_critical", "detached"}
    measured = result["cycle"]
    assert set(measured) == {"batch", "generator", "critic", "checks"}
    assert measured["batch"] == 8
    for phase in ("generator", "critic"):
        assert set(measured[phase]) == relaxed | hard
        base = measured[phase]["detached"]["median_ms"]
        for cost in measured[phase].values():
            first, second = cost["runs_ms"]
            assert cost["median_ms"] == pytest.approx((first + second) / 2)
            assert cost["ratio"] == pytest.approx(cost["median_ms"] / base)
            assert min(cost["runs_ms"]) > 0
    tokens = measured["checks"]["tokens"]
    assert set(tokens) == relaxed | hard
    assert all(8 < count <= 10 for count in tokens.values())  # the network that nothing has moved


def test_the_estimators_of_the_cycle_game_are_those_that_their_names_say(tiny: Any) -> None:
    for name in cycle.CYCLE_ESTIMATORS:
        experiment = cycle.cycle_experiment(tiny, name)
        estimator = experiment.estimator
        baseline = getattr(estimator, "baseline", None)
        assert name == estimator.name + (f"_{baseline.name}" if baseline is not None else "")
        assert experiment.generator.name == "encoder_decoder"
        assert experiment.data.name == "events"
        assert experiment.data.train == 50


def test_a_step_of_the_cycle_game_updates_the_player_of_its_phase(tiny: Any) -> None:
    experiment = cycle.cycle_experiment(tiny, "straight_through")
    data = cycle.build_task(experiment, CPU, None)
    game = cycle.build_game(experiment, data, CPU)
    cycle._play(game, "generator")
    assert {name: player.updates for name, player in game.players.items()} == {
        "generator": 1,
        "critic": 0,
    }
    cycle._play(game, "critic")
    assert game.players["critic"].updates == 1


def test_the_checks_of_the_result_hold(result: Any) -> None:
    checks = result["reward"]["checks"]
    assert checks["score_difference"] <= 1e-5
    assert abs(checks["mean_return_z"]) < 5
    assert checks["sample_p_value"] > 1e-4
    assert checks["continuation_p_value"] > 1e-4
    assert set(checks["mean_return"]) == {"ours", "naive"}


def test_captions_come_from_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_text("A man rides\na dog\n\na MAN rides\n", encoding="utf-8")
    corpus = sampling.read_captions(path, 10)
    assert [row.tolist() for row in corpus.rows()] == [[0, 1, 2], [0, 3], [0, 1, 2]]
