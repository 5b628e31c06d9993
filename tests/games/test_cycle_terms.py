"""What a cycle game on text can add: fluency, coverage, frequencies, pairs; and when it stops."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from test_adversarial_game import changed, snapshot
from test_sequence_cycle import make_game
from tiny_runs import CIPHER, EVENTS, LANGUAGES, assert_same_run, metric_lines, train
from torch import nn

from seqgan.cli import run
from seqgan.core.errors import UserError
from seqgan.core.masks import mean_per_row
from seqgan.core.types import Batch, Rollout, SequenceSpace
from seqgan.data.lexicons import co_occurrence_lexicon
from seqgan.decoding import token_log_probs
from seqgan.games.translation import nats_per_token
from seqgan.models.seq2seq.lexicon import Lexicon
from seqgan.models.seq2seq.pointer import PointerGenerator, attend
from seqgan.tasks.language_pair.config import LanguagePairConfig

pytestmark = pytest.mark.usefixtures("drawn_once")

FLUENT: dict[str, Any] = {
    **EVENTS,
    "game": {**EVENTS["game"], "directions": ["a2b"], "fluency_weight": 0.5, "cycle_weight": 0.0},
    "schedule": [
        {"repeat": 2, "phases": {"language_model": 1}},
        {"repeat": 2, "phases": {"critic": 1, "generator": 1}},
    ],
}

# ── Fluency ───────────────────────────────────────────────────────────────────────────────────


def test_only_its_own_phase_moves_the_language_model() -> None:
    game = make_game(FLUENT)
    for phase, mover in [("language_model",) * 2, ("critic",) * 2, ("generator",) * 2]:
        before = {name: snapshot(player.module) for name, player in game.players.items()}
        for player, loss, _ in game.updates(phase):
            player.update(loss)
        moved = {
            name for name, player in game.players.items() if changed(before[name], player.module)
        }
        assert moved == {mover}


def test_the_language_model_of_the_target_learns_and_the_other_one_rests() -> None:
    game = make_game(FLUENT)
    models = game.players["language_model"].module
    before = {name: snapshot(models[name]) for name in "ab"}
    losses = [float(play_one(game, "language_model")) for _ in range(30)]
    assert losses[-1] < losses[0] - 0.05
    assert not changed(before["a"], models["a"])


def play_one(game: Any, phase: str) -> torch.Tensor:
    ((player, loss, _),) = game.updates(phase)
    player.update(loss)
    return loss.detach()


def test_fluency_is_the_models_likelihood_for_words_and_for_one_hot_rows() -> None:
    game = make_game(FLUENT)
    (direction,) = game._next_directions()
    reward, model = game._fluency_reward(direction), game.players["language_model"].module["b"]
    ids, mask = direction.real.x, direction.real.mask
    wanted = mean_per_row(token_log_probs(model, ids, mask), mask)
    torch.testing.assert_close(reward(ids, mask), wanted)
    torch.testing.assert_close(reward(direction.target.space.continuous(ids), mask), wanted)


def test_a_fluency_weight_is_in_the_loss_with_its_sign() -> None:
    torch.manual_seed(0)
    game = make_game({**FLUENT, "estimator": {"name": "softmax"}})
    ((_, _, stats),) = game.updates("generator")
    assert float(stats["b/fluency"]) < 0, "a log probability"
    (direction,) = game._next_directions()
    losses, stats = game._generator_losses(direction)
    torch.testing.assert_close(losses["fluency"].detach(), -0.5 * stats["fluency"])


def test_a_language_model_that_comes_too_late_is_refused() -> None:
    late = [*reversed(FLUENT["schedule"])]
    with pytest.raises(UserError, match="put language_model first"):
        make_game({**FLUENT, "schedule": late})


# ── Weights and modes ─────────────────────────────────────────────────────────────────────────


def test_weights_follow_the_generators_updates() -> None:
    ramps = {
        "cycle_weight": {"start": 1.0, "end": 3.0, "steps": 10},
        "identity_weight": {"start": 0.5, "end": 0.0, "steps": 10},
    }
    tree = {**EVENTS, "estimator": {"name": "softmax"}, "game": {**EVENTS["game"], **ramps}}
    game = make_game(tree)
    for updates, cycle, identity in ((0, 1.0, 0.5), (5, 2.0, 0.25), (10, 3.0, None)):
        game.players["generator"].updates = updates
        losses, stats = game._generator_losses(game._next_directions()[0])
        torch.testing.assert_close(losses["cycle"].detach(), cycle * stats["cycle"])
        assert ("identity" in losses) == (identity is not None)
        if identity is not None:
            torch.testing.assert_close(losses["identity"].detach(), identity * stats["identity"])


@pytest.mark.parametrize(("estimator", "learns"), [("score_function", False), ("softmax", True)])
def test_a_way_back_that_only_rewards_has_no_dropout(estimator: str, learns: bool) -> None:
    """Where the estimator's path passes through it, it learns there, with dropout."""
    generator = {**EVENTS["generator"], "dropout": 0.5}
    tree = {**EVENTS, "estimator": {"name": estimator}, "generator": generator}
    game = make_game(tree)
    direction = game._next_directions()[0]
    reward, translation = game._cycle_reward(direction), game._fixed_translation(direction)
    first, second = (reward(translation.x, translation.mask) for _ in range(2))
    assert torch.equal(first, second) == (not learns)
    assert direction.backward.training


# ── Coverage ──────────────────────────────────────────────────────────────────────────────────


def pointer() -> PointerGenerator:
    torch.manual_seed(0)
    space = SequenceSpace(9, 6, 0)
    return PointerGenerator(space, space, embed=4, hidden=5)


def test_coverage_is_the_overlap_with_all_earlier_attention() -> None:
    network = pointer()
    source, tokens = torch.randint(1, 9, (3, 6)), torch.randint(1, 9, (3, 4))
    found_BT = network.repeated_attention(tokens, source)
    h_BH, (keys, _, _, visible) = network._read(source, None)
    start = network.start_E.expand(3, 1, -1)
    states, _ = network.decoder(torch.cat([start, network.embedding(tokens[:, :-1])], 1), (h_BH,))
    attention = attend(states, keys, visible)
    for column in range(4):
        before = attention[:, :column].sum(1)
        wanted = torch.minimum(attention[:, column], before).sum(-1)
        torch.testing.assert_close(found_BT[:, column], wanted)
    assert (found_BT[:, 0] == 0).all()
    assert (found_BT[:, 1:] > 0).all()


def test_coverage_is_a_mean_over_the_tokens_of_each_translation() -> None:
    """Columns behind an end do not count, and short translations count as long ones do."""
    game = make_game({**EVENTS, "game": {**EVENTS["game"], "coverage_weight": 0.5}})
    direction = game._next_directions()[0]
    ids_BT = direction.real.x.clone()
    mask_BT = torch.zeros_like(ids_BT, dtype=torch.bool)
    for row in range(len(ids_BT)):
        mask_BT[row, : 2 + row % 3] = True
    with torch.no_grad():
        weight, found = game._direct_losses(direction, Rollout(ids_BT, ids_BT, mask_BT))["coverage"]
        coverage_BT = direction.forward.repeated_attention(ids_BT, direction.source.x)
    rows = [float(coverage_BT[row, : 2 + row % 3].mean()) for row in range(len(ids_BT))]
    assert float(found) == pytest.approx(sum(rows) / len(rows), rel=1e-5)
    assert weight == 0.5


def test_coverage_can_be_lowered_by_training_on_it() -> None:
    base = {
        **EVENTS,
        "game": {
            **EVENTS["game"],
            "directions": ["a2b"],
            "coverage_weight": 1.0,
            "adversarial_weight": 0.0,
            "cycle_weight": 0.0,
            "identity_weight": 0.0,
        },
        "schedule": [{"repeat": 1, "phases": {"generator": 1}}],
        "players.generator.lr": 1e-2,
    }
    game = make_game(base)
    first = [float(play_one(game, "generator")) for _ in range(40)]
    assert sum(first[-5:]) < 0.8 * sum(first[:5])


# ── Frequencies ───────────────────────────────────────────────────────────────────────────────


def test_what_is_known_beforehand_is_added_to_every_table() -> None:
    source, target = SequenceSpace(3, 4), SequenceSpace(3, 4)
    lexicon = Lexicon(source, target, init_std=0.0, period=2)
    lexicon.add_prior_logits(torch.eye(3).flip(0))
    assert lexicon.table_PUV.argmax(-1).tolist() == [[2, 1, 0]] * 2


def test_a_game_starts_from_the_co_occurrences_of_words() -> None:
    data = LanguagePairConfig(**LANGUAGES["data"]).build_text()
    game = make_game(
        {**LANGUAGES, "generator": {"name": "lexicon", "co_occurrence_prior": 9.0, "init_std": 0.0}}
    )
    for way, texts in (("a2b", (data.a, data.b)), ("b2a", (data.b, data.a))):
        table_UV = game.players["generator"].module[way].table_PUV[0].detach()
        words = [side.tokenizer.vocabulary() for side in texts]
        found = co_occurrence_lexicon(data, way)
        assert found
        for word, row in zip(words[0], table_UV, strict=True):
            assert row.sum() == pytest.approx(9.0 if word in found else 0.0)
            if word in found:
                assert words[1][row.argmax()] == found[word]


def test_a_game_starts_from_frequencies_where_configured() -> None:
    plain, counted = (
        make_game({**LANGUAGES, "generator": {"name": "lexicon", "frequency_prior": strength}})
        for strength in (0.0, 3.0)
    )
    difference = [
        counted.players["generator"].module[way].table_PUV
        - plain.players["generator"].module[way].table_PUV
        for way in ("a2b", "b2a")
    ]
    assert (difference[0] <= 0).all()
    assert difference[0].min() < -1
    torch.testing.assert_close(difference[1], difference[0].mT)


# ── Pairs ─────────────────────────────────────────────────────────────────────────────────────


PAIRED: dict[str, Any] = {
    **CIPHER,
    "data": {**CIPHER["data"], "aligned": True},
    "game": {"name": "paired"},
    "schedule": [{"repeat": 1, "phases": {"mle": 1}}],
    **dict.fromkeys(("critic", "objective", "estimator")),
    "players.generator.lr": 0.1,
}


def test_pairs_teach_both_ways_the_documented_loss() -> None:
    game = make_game(PAIRED)
    of_a, of_b = game._a.next(), game._b.next()
    game = make_game(PAIRED)  # the same batches again
    ((_, loss, stats),) = game.updates("mle")
    ways: nn.ModuleDict = game.players["generator"].module
    wanted = {
        "a2b": nats_per_token(ways["a2b"], of_a.x, Batch(of_b.x, of_b.mask)).mean(),
        "b2a": nats_per_token(ways["b2a"], of_b.x, Batch(of_a.x, of_a.mask)).mean(),
    }
    for way, value in wanted.items():
        torch.testing.assert_close(stats[way], value.detach())
    torch.testing.assert_close(loss, sum(wanted.values()))


def test_pairs_solve_a_cipher() -> None:
    game = make_game(PAIRED)
    for _ in range(150):
        play_one(game, "mle")
    ((_, loss, _),) = game.updates("mle")
    assert float(loss.detach()) < 0.1


# ── When to stop ──────────────────────────────────────────────────────────────────────────────


def test_training_stops_where_the_rule_saw_nothing_better(tmp_path: Path) -> None:
    patient = {
        **CIPHER,
        "players.generator.lr": 1e-12,  # nothing can get better
        "schedule": [{"repeat": 20, "phases": {"critic": 1, "generator": 1}}],
        "train.eval_every": 2,
        "evaluation.select": {"metric": "label_free", "mode": "min", "patience": 6},
    }
    folder = train(tmp_path / "run", patient)
    last = metric_lines(folder)[-1]["step"]
    best = json.loads((folder / "checkpoints" / "best.json").read_text())
    assert best["step"] == 2, "the first trained network, never the initial one"
    assert last == 8, "evaluations at 4, 6 and 8 brought nothing"
    assert '"finished": true' in (folder / "evaluation.json").read_text()
    again = {path.name for path in (folder / "checkpoints").iterdir()}
    assert run(["train", "--resume", str(folder)]) == 0
    assert {path.name for path in (folder / "checkpoints").iterdir()} == again, "it stays stopped"


def test_without_patience_training_goes_on(tmp_path: Path) -> None:
    rule = {"evaluation.select": {"metric": "label_free", "mode": "min"}}
    left = train(tmp_path / "left", {**CIPHER, **rule})
    rule["evaluation.select"]["patience"] = 10_000  # type: ignore[assignment]
    right = train(tmp_path / "right", {**CIPHER, **rule})
    assert_same_run(left, right)
