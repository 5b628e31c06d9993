"""Game ebft: prefixes and their true continuations, frozen whitened features, and who moves."""

from typing import Any

import pytest
import torch
from enumeration import (
    assert_same_vector,
    gradient,
    make_generator,
    mask_of,
    step_logits,
)
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.budget import Budget, counting
from seqgan.core.enumeration import all_sequences
from seqgan.core.errors import UserError
from seqgan.core.types import Batch, SequenceSpace
from seqgan.games.ebft import (
    Continuing,
    EbftGame,
    FrozenFeatures,
    MatchingReward,
    Prefixes,
    compare,
    layer_states,
    whitening,
)
from seqgan.games.mle import likelihood_loss
from seqgan.models.config import RnnGeneratorConfig, TransformerGeneratorConfig

CPU = torch.device("cpu")
END = 0
SPACE = SequenceSpace(vocab_size=5, length=7, end_id=END)
REAL_IDS = torch.tensor([[1, 2, 3, 4, 1, 2, 3], [4, 3, 2, 1, 0, 0, 0], [2, 2, 0, 0, 0, 0, 0]])
REAL = Batch(REAL_IDS, mask_of(REAL_IDS, END))


# ── The reward ────────────────────────────────────────────────────────────────────────────────


def test_alignment_and_similarity_by_hand() -> None:
    """Two prefixes, three samples each; lengths of vectors do not count."""
    sample_NRF = torch.tensor(
        [[[2.0, 0.0], [0.0, 1.0]], [[0.0, 5.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, -2.0]]]
    )
    true_RF = torch.tensor([[10.0, 0.0], [0.0, 0.1]])
    alignment_NR, similarity_NR = compare(sample_NRF, true_RF)
    torch.testing.assert_close(alignment_NR, torch.tensor([[1, 1], [0, 0.8], [1, -1]]))
    # Row 0: e1, e2, e1. Row 1: e2, (.6, .8), −e2.
    expected_NR = torch.tensor([[0.5, (0.8 - 1) / 2], [0.0, 0.0], [0.5, (-1 - 0.8) / 2]])
    torch.testing.assert_close(similarity_NR, expected_NR)


def test_a_sample_is_not_similar_to_itself() -> None:
    sample_NRF = torch.eye(4)[:, None]
    assert torch.equal(compare(sample_NRF, torch.ones(1, 4))[1], torch.zeros(4, 1))
    alone_NR = compare(torch.ones(1, 2, 3), torch.ones(2, 3))[1]
    assert torch.equal(alone_NR, torch.zeros(1, 2))


@pytest.mark.parametrize("diversity", [0.0, 0.7])
def test_rows_are_compared_with_the_truth_and_the_samples_of_their_own_prefix(
    diversity: float,
) -> None:
    """Blocks of prefixes; the reward by a loop over single rows."""
    features = FrozenFeatures(make_generator("gru", SPACE), whiten=False)
    cut = Prefixes(context=2, stride=1, continuation=2).cut(REAL, 2)
    prefix_RP, ids_NRT = cut.prefix_RP, torch.randint(5, (3, 3, 2))
    mask_NRT = mask_of(ids_NRT.flatten(0, 1), END).unflatten(0, (3, 3))
    reward = MatchingReward(features, cut, diversity)
    found_NR = reward(ids_NRT.flatten(0, 1), mask_NRT.flatten(0, 1)).view(3, 3)
    cosine = torch.nn.functional.cosine_similarity
    for row in range(3):
        one = slice(row, row + 1)
        assert cut.true.mask is not None
        true_1F = features(prefix_RP[one], cut.true.x[one], cut.true.mask[one])
        of = [features(prefix_RP[one], ids_NRT[n, one], mask_NRT[n, one]) for n in range(3)]
        for n in range(3):
            others = [cosine(of[n], of[k]) for k in range(3) if k != n]
            expected = cosine(of[n], true_1F) - diversity * sum(others) / 2
            torch.testing.assert_close(found_NR[n, row : row + 1], expected)
    assert set(reward.stats) == {"alignment", "similarity"}


# ── Features ──────────────────────────────────────────────────────────────────────────────────


def test_a_feature_is_the_mean_state_after_each_token_of_the_continuation() -> None:
    """By the step loop of the generator; columns behind the end do not count."""
    generator = make_generator("gru", SPACE)
    features = FrozenFeatures(generator, whiten=False)
    prefix_RP, ids_RT = torch.tensor([[1, 2], [3, 3]]), torch.tensor([[4, 1, 2], [2, END, END]])
    found_RF = features(prefix_RP, ids_RT, mask_of(ids_RT, END))
    for row, length in ((0, 3), (1, 2)):
        out, states = generator.start(1), []
        for token in [*prefix_RP[row].tolist(), *ids_RT[row, :length].tolist()]:
            out = generator.step(torch.tensor([token]), out.state)
            states.append(out.state[0][0])
        expected_F = torch.cat(states[2:]).mean(0)
        torch.testing.assert_close(found_RF[row], expected_F, rtol=1e-4, atol=1e-6)


def test_layers_at_quarters_of_the_depth() -> None:
    torch.manual_seed(0)
    deep = TransformerGeneratorConfig(name="transformer", width=8, heads=2, layers=5).build(SPACE)
    states = layer_states(deep, REAL_IDS)
    assert states.shape == (3, 7, 3 * 8)
    after = [
        deep.positions(
            torch.cat([deep.start_E.expand(3, 1, 8), deep.embedding(REAL_IDS)[:, :-1]], 1)
        )
    ]
    for block in deep.blocks:
        after.append(block(after[-1]))
    torch.testing.assert_close(states, torch.cat([after[2], after[3], after[4]], -1))
    stacked = RnnGeneratorConfig(name="lstm", embed=4, hidden=6, layers=2).build(SPACE)
    assert layer_states(stacked, REAL_IDS).shape == (3, 7, 12)
    assert layer_states(make_generator("relational", SPACE), REAL_IDS).shape == (3, 7, 12)
    assert not any(module._forward_hooks for module in deep.modules())


def test_whitened_features_have_mean_0_and_covariance_1() -> None:
    stream = torch.Generator().manual_seed(0)
    mixed_NF = torch.randn(500, 4, generator=stream) @ torch.randn(4, 4, generator=stream) + 3
    mean_F, map_FK = whitening(mixed_NF)
    white_NK = (mixed_NF - mean_F) @ map_FK
    torch.testing.assert_close(white_NK.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(white_NK.T @ white_NK / 500, torch.eye(4), atol=1e-3, rtol=0)
    assert map_FK.is_contiguous(), "as it is after a resume"


def test_directions_without_variance_are_left_out() -> None:
    flat_NF = torch.randn(100, 2) @ torch.tensor([[1.0, 0, 1], [0, 2, 0]])
    assert whitening(flat_NF)[1].shape == (3, 2)


def test_whitening_is_that_of_real_continuations() -> None:
    """Of the frozen network, over prefixes of all lengths."""
    ids_BT = torch.randint(1, 5, (80, 7))
    real = Batch(ids_BT, mask_of(ids_BT, END))
    prefixes = Prefixes(context=1, stride=2, continuation=3)
    cuts = [prefixes.cut(real, start) for start in prefixes.starts(7)]
    assert [cut.prefix_RP.shape[1] for cut in cuts] == [1, 3]
    features = FrozenFeatures(make_generator("gru", SPACE, seed=1), whiten=True)
    features.begin(make_generator("gru", SPACE), cuts)
    white_NK = torch.cat([features(cut.prefix_RP, cut.true.x, cut.true.mask) for cut in cuts])
    torch.testing.assert_close(white_NK.mean(0), torch.zeros(5), atol=1e-3, rtol=0)
    torch.testing.assert_close(white_NK.T @ white_NK / 160, torch.eye(5), atol=1e-2, rtol=0)


# ── Prefixes ──────────────────────────────────────────────────────────────────────────────────


def test_true_continuations_stand_behind_their_prefixes() -> None:
    cut = Prefixes(context=2, stride=2, continuation=3).cut(REAL, 4)
    assert cut.prefix_RP.tolist() == [[1, 2, 3, 4], [4, 3, 2, 1]]
    assert cut.true.x.tolist() == [[1, 2, 3], [0, 0, 0]]
    assert cut.true.mask is not None
    assert cut.true.mask.tolist() == [[True] * 3, [True, False, False]]


def test_the_state_after_the_last_token_has_a_column() -> None:
    """A transformer has no position behind the last column."""
    prefixes = Prefixes(context=1, stride=1, continuation=3)
    assert [*prefixes.starts(7)] == [1, 2, 3]
    features = FrozenFeatures(make_generator("transformer", SPACE), whiten=False)
    cut = prefixes.cut(REAL, 3)
    assert features(cut.prefix_RP, cut.true.x, cut.true.mask).shape == (2, 8)


def test_every_prefix_is_as_likely_as_any_other() -> None:
    """Three sentences go on in column 2, two in column 4: lengths are drawn 3 to 2."""
    prefixes = Prefixes(context=2, stride=2, continuation=2)
    assert [*prefixes.starts(7)] == [2, 4]
    torch.manual_seed(0)
    drawn = [prefixes.draw(REAL) for _ in range(2_000)]
    lengths = [cut.prefix_RP.shape[1] for cut in drawn if cut is not None]
    assert lengths.count(2) / 2_000 == pytest.approx(0.6, abs=0.05)
    assert lengths.count(2) + lengths.count(4) == 2_000
    assert (
        Prefixes(context=4, stride=1, continuation=1).draw(
            Batch(*[x[2:] for x in (REAL_IDS, mask_of(REAL_IDS, END))])
        )
        is None
    )


@pytest.mark.parametrize("name", ["lstm", "transformer", "relational"])
def test_continuations_are_those_of_the_generator(name: str) -> None:
    """Row n·R + r follows prefix r, in sampling and in likelihood."""
    generator = make_generator(name, SPACE)
    prefix_RP, ids_BT = torch.tensor([[1, 2], [3, 4]]), torch.randint(5, (6, 3))
    writer = Continuing(generator, prefix_RP)
    joined = torch.cat([prefix_RP.repeat(3, 1), ids_BT], 1)
    expected_BTV = step_logits(generator, joined)[:, 2:]
    found_BTV = writer(ids_BT, prefix_RP.repeat(3, 1))
    torch.testing.assert_close(found_BTV, expected_BTV, rtol=1e-4, atol=1e-5)
    out = writer.start(6, prefix_RP.repeat(3, 1))
    torch.testing.assert_close(out.logits_BV, expected_BTV[:, 0], rtol=1e-4, atol=1e-5)
    for time in (0, 1):
        out = writer.step(ids_BT[:, time], out.state)
        expected_BV = expected_BTV[:, time + 1]
        torch.testing.assert_close(out.logits_BV, expected_BV, rtol=1e-4, atol=1e-5)


# ── The game ──────────────────────────────────────────────────────────────────────────────────

GAME = {"name": "ebft", "context": 1, "stride": 1, "continuation": 1, "mle_weight": 0.0}
BASE: dict[str, Any] = {
    "critic": None,
    "objective": None,
    "game": GAME,
    "estimator": {"name": "score_function", "samples": 4},
    "schedule": [{"repeat": 4, "phases": {"mle": 1, "generator": 1}}],
}


def make_game(**overrides: Any) -> EbftGame:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    experiment = tiny_experiment({**BASE, **changes})
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, EbftGame)
    return game


def play(game: EbftGame, phase: str = "generator") -> list[dict[str, Tensor]]:
    found = []
    for player, loss, stats in game.updates(phase):
        player.update(loss)
        found.append(stats)
    return found


@torch.no_grad()
def expected_match(game: EbftGame, weight: float) -> float:
    """E ⟨u, u_true⟩ − weight/2 |E u|² over all continuations by one token of all real prefixes."""
    module = game.players["generator"].module
    cut = game._prefixes.cut(game._train, 1)
    ids_V1 = all_sequences(4, 1)
    total = 0.0
    for row in range(len(cut.prefix_RP)):
        prefix = cut.prefix_RP[row : row + 1]
        true = Batch(cut.true.x[row : row + 1], torch.ones(1, 1, dtype=torch.bool))
        logp_V = step_logits(module, torch.cat([prefix.repeat(4, 1), ids_V1], 1))[0, 1].log_softmax(
            -1
        )
        feature_VF = game.features(prefix.repeat(4, 1), ids_V1, torch.ones_like(ids_V1).bool())
        u_VF = torch.nn.functional.normalize(feature_VF, dim=-1)
        mean_F = logp_V.exp() @ u_VF
        true_F = u_VF[int(true.x)]
        total += float(mean_F @ true_F - weight / 2 * mean_F.square().sum())
    return total / len(cut.prefix_RP)


@pytest.mark.parametrize(
    "estimator",
    [
        {"name": "score_function"},
        {"name": "score_function", "credit": {"name": "gae"}, "baseline": {"name": "learned"}},
        {"name": "ppo"},
        {"name": "grpo"},
    ],
    ids=["score_function", "actor_critic", "ppo", "grpo"],
)
def test_the_match_gets_better(estimator: dict[str, Any]) -> None:
    torch.manual_seed(0)
    game = make_game(
        estimator={"samples": 8, **estimator},
        train__batch_size=64,
        players__generator={"optimizer": "sgd", "lr": 0.3, "clip_norm": 1.0},
    )
    play(game)
    values = [expected_match(game, 0.5)]
    for _ in range(3):
        for _ in range(5):
            play(game)
        values.append(expected_match(game, 0.5))
    assert values == sorted(values), values
    assert values[-1] > values[0] + 1e-2


def test_features_are_frozen_when_the_phase_begins() -> None:
    game = make_game()
    play(game, "mle")
    assert game.features.state_dict() == {}
    before = {k: v.clone() for k, v in game.players["generator"].module.state_dict().items()}
    play(game)
    play(game)
    kept = game.features.state_dict()
    assert all(torch.equal(kept["network"][name], before[name]) for name in before)
    assert kept["map"].shape[0] == 8
    now = game.players["generator"].module.state_dict()
    assert not all(torch.equal(now[name], before[name]) for name in before)


def test_the_evaluated_weights_are_frozen() -> None:
    game = make_game(players__generator={"ema": 0.5})
    for _ in range(3):
        play(game, "mle")
    averaged = game.players["generator"].state_dict()["averaged"]
    expected = {name: x.clone() for name, x in averaged.items()}
    play(game)
    kept = game.features.state_dict()["network"]
    assert all(torch.equal(kept[name], x) for name, x in expected.items())


def test_a_loaded_state_is_the_same_reward() -> None:
    game, other = make_game(), make_game(seed=1)
    play(game)
    other.features.load_state_dict(game.features.state_dict())
    given = torch.tensor([[1], [2]]), torch.tensor([[3], [0]]), torch.ones(2, 1).bool()
    torch.testing.assert_close(other.features(*given), game.features(*given), rtol=0, atol=0)
    assert make_game(game={**GAME, "whiten": False}).features.state_dict() == {}


def test_the_likelihood_of_real_sentences_is_added_with_its_weight() -> None:
    def first_gradient(weight: float) -> Tensor:
        game = make_game(game={**GAME, "mle_weight": weight})
        torch.manual_seed(0)
        ((player, loss, _),) = game.updates("generator")
        return gradient(loss, player.module)

    game = make_game()
    module = game.players["generator"].module
    likelihood = gradient(likelihood_loss(module, game._stream.next()), module)
    assert_same_vector(first_gradient(2.0) - first_gradient(0.0), 2 * likelihood)


def test_what_a_visit_costs_and_logs() -> None:
    game, budget = make_game(), Budget()
    with counting(budget):
        (stats,) = play(game)
    assert budget.critic_calls == 8 * 4
    assert budget.tokens == 8 * 4
    assert {"alignment", "similarity", "return"} <= set(stats)
    assert [player.name for player, _, _ in game.updates("mle")] == ["generator"]


def test_a_batch_of_short_sentences_is_no_update() -> None:
    game = make_game()
    short = torch.zeros(8, 3, dtype=torch.long)
    game._stream.next = lambda: Batch(short, mask_of(short, 0))  # type: ignore[method-assign]
    assert play(game) == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"estimator": {"name": "score_function"}}, "set estimator.samples to 2 or more"),
        ({"estimator": {"name": "rao_blackwell"}}, "use estimator score_function, ppo or grpo"),
        ({"estimator": {"name": "soft_gumbel"}}, "choose from: score_function"),
        (
            {"estimator": {**BASE["estimator"], "credit": {"name": "rollout"}}},
            "use sequence",
        ),
        (
            {"estimator": {**BASE["estimator"], "baseline": {"name": "self_critical"}}},
            "use leave_one_out",
        ),
        ({"critic": {"name": "mlp"}}, "no use for critic"),
        ({"game.context": 0}, "greater than 0"),
    ],
)
def test_what_does_not_fit_is_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny_experiment({**BASE, **overrides})


@pytest.mark.parametrize("field", ["context", "continuation"])
def test_sentences_that_are_too_short_are_named(field: str) -> None:
    with pytest.raises(UserError, match=r"no training sentence has such a prefix .*lower them$"):
        make_game(game={**GAME, field: 3})


def test_several_samples_need_prompts_elsewhere() -> None:
    with pytest.raises(UserError, match=r"estimator\.samples=4 needs prompts"):
        tiny_experiment({"estimator": BASE["estimator"]})
