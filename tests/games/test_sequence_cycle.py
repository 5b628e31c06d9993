"""Cycle games on sequences: who moves, in which direction, for which loss; noise and pool."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_adversarial_game import changed, play, snapshot
from tiny_runs import CIPHER, EVENTS, LANGUAGES, tiny_experiment, unpaired_text
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.modes import frozen
from seqgan.core.schedule import WeightSchedule
from seqgan.core.types import Batch, SequenceSpace
from seqgan.data.noise import fit, lookup, mixed, noisy_words
from seqgan.data.subword_tokenizers import HfTokenizer
from seqgan.games.pool import Pool
from seqgan.games.translation import nats_per_token
from seqgan.models.seq2seq.lexicon import Lexicon

pytestmark = pytest.mark.usefixtures("drawn_once")

CPU = torch.device("cpu")

ESTIMATORS: dict[str, dict[str, Any]] = {
    **{
        name: {"name": name, "temperature": 1.0}
        for name in (
            *("softmax", "soft_gumbel", "straight_through_gumbel", "straight_through"),
            *("gumbel_rao", "gapped", "reinmax"),
        )
    },
    "zero_temperature": {"name": "zero_temperature"},
    "redge": {"name": "redge"},
    "score_function": {
        "name": "score_function",
        "baseline": {"name": "leave_one_out"},
        "term_baseline": {"name": "self_critical"},
    },
    "detached": {"name": "detached"},
}
PATHS = [name for name in ESTIMATORS if name not in ("score_function", "detached")]
GENERATORS = ("lexicon", "exchanging lexicon", "pointer", "encoder_decoder")
SPECTRAL = {"penalties": [{"name": "spectral_norm"}]}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """A tiny experiment for each generator."""
    files = unpaired_text(tmp_path_factory.mktemp("files") / "text")
    lexicons = {"lexicon": CIPHER, "exchanging lexicon": LANGUAGES}
    return {**lexicons, "pointer": EVENTS, "encoder_decoder": files}


def make_game(base: dict[str, Any], **overrides: Any) -> Any:
    """`__` in a name stands for a dot."""
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    experiment = tiny_experiment({**base, **changes})
    return build_game(experiment, build_task(experiment, CPU, None), CPU)


ADVERSARIAL = ("critic", "generator")


def phases(generator: str) -> tuple[str, ...]:
    rest = ("critic", "generator", "reconstruct")
    return rest if "lexicon" in generator else ("denoise", *rest)


def trainable(module: torch.nn.Module) -> set[str]:
    return {name for name, p in module.named_parameters() if p.requires_grad}


def starts_with(names: set[str], prefix: str) -> set[str]:
    return {name for name in names if name.startswith(prefix)}


# ── Who moves ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_in_each_phase_only_its_player_changes_buffers_included_and_all_that_it_trains(
    name: str, generator: str, bases: dict[str, Any]
) -> None:
    """A critic's and a generator's update move every trainable parameter between them."""
    game = make_game(bases[generator], estimator=ESTIMATORS[name], **SPECTRAL)
    modules = {player.name: player.module for player in game.players.values()}
    learn = {name: trainable(module) for name, module in modules.items()}
    moved: dict[str, set[str]] = {player: set() for player in modules}
    rest = [phase for phase in phases(generator) if phase not in ADVERSARIAL]
    for phase in [*ADVERSARIAL * 3, *rest * 2]:
        ((player, changes),) = play(game, phase)
        assert player.name == ("critic" if phase == "critic" else "generator")
        if phase in ADVERSARIAL:
            moved[player.name] |= changes[player.name]
        for other, names in changes.items():
            assert bool(names) == (other == player.name), f"{phase}: {other} changed {names}"
        for other, module in modules.items():
            assert trainable(module) == learn[other], "something stays frozen"
            assert all(part.training for part in module.children())
    for player_name, names in moved.items():
        missing = learn[player_name] - names
        assert not missing, (player_name, missing)


CRITICS: dict[str, dict[str, Any]] = {
    "local": {"name": "local", "width": 6, "windows": [3]},
    "mlp": {"name": "mlp", "hidden": 8, "layers": 1},
    "cnn": {"name": "cnn", "embed": 4, "widths": [1, 2], "filters": [4, 4]},
    "rnn": {"name": "rnn", "embed": 4, "hidden": 4},
    "transformer": {"name": "transformer", "width": 4, "layers": 1, "heads": 2},
    "pairwise": {"name": "pairwise", "embed": 4, "channels": 2, "hidden": 8},
}


@pytest.mark.parametrize("critic", CRITICS)
@pytest.mark.parametrize(
    ("name", "generator"),
    [("straight_through", "exchanging lexicon"), ("score_function", "pointer")],
)
def test_every_critic_with_pool_and_penalty_reads_what_every_generator_writes(
    name: str, generator: str, critic: str, bases: dict[str, Any]
) -> None:
    """Whatever the lengths of a batch: short batches go into the same pool as long ones."""
    game = make_game(
        bases[generator],
        estimator=ESTIMATORS[name],
        critic=CRITICS[critic],
        penalties=[{"name": "gradient_penalty"}],
        game=bases[generator]["game"] | {"pool": 6},
        train__batch_size=3,
    )
    shapes = set()
    network = game.players["critic"].module["b"]
    network.register_forward_hook(lambda module, given, out: shapes.add(given[0].shape[1]))
    for phase in ("critic", "generator") * 3:
        for player, loss, stats in game.updates(phase):
            player.update(loss)
            assert all(torch.isfinite(value).all() for value in stats.values())
    for player in game.players.values():
        player.raise_if_not_finite(1)
    assert shapes == {game._domains[1].space.length}, "real and generated differ in their columns"


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_one_direction_leaves_the_other_critic_and_the_way_back_alone(
    name: str, generator: str, bases: dict[str, Any]
) -> None:
    """The backward translator learns from the cycle, and from nothing else."""
    # Two vocabularies have no identity.
    lesson = "bijection_weight" if generator == "exchanging lexicon" else "identity_weight"
    wanted = {"directions": ["a2b"], "cycle_weight": 0.0, lesson: 1.0}
    game_of = bases[generator]["game"] | wanted
    game = make_game(bases[generator], estimator=ESTIMATORS[name], game=game_of, **SPECTRAL)
    for phase in phases(generator) * 2:
        ((player, changes),) = play(game, phase)
        names = changes[player.name]
        if phase == "critic":
            assert starts_with(names, "b.")
            assert not starts_with(names, "a.")
        elif phase == "reconstruct":
            assert starts_with(names, "b2a.")
            assert not starts_with(names, "a2b.")
        else:
            assert starts_with(names, "a2b.")
            assert not starts_with(names, "b2a.")


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_cycle_teaches_the_way_back_and_through_it_the_way_there(
    name: str, generator: str, bases: dict[str, Any]
) -> None:
    """Without critic and noise: `detached` trains the backward direction alone, others both."""
    wanted = {"directions": ["a2b"], "cycle_weight": 1.0, "identity_weight": 0.0}
    wanted |= {"adversarial_weight": 0.0, "noise": None}
    schedule = [{"repeat": 1, "phases": {"generator": 1}}]
    game = make_game(
        bases[generator],
        estimator=ESTIMATORS[name],
        game={"name": "cycle"} | wanted,
        schedule=schedule,
    )
    ((_, loss, _),) = game.updates("generator")
    module = game.players["generator"].module
    norms = {}
    for way in ("a2b", "b2a"):
        parameters = [p for p in module[way].parameters() if p.requires_grad]
        found = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
        norms[way] = sum(float(x.norm()) for x in found if x is not None)
    assert norms["b2a"] > 1e-4
    if name == "detached":
        assert norms["a2b"] == 0
    else:
        assert norms["a2b"] > 1e-6


# ── Directions ────────────────────────────────────────────────────────────────────────────────


CREDITS = ({"name": "sequence"}, {"name": "window", "reach": 1})
RAISING = {
    **{name: ESTIMATORS[name] for name in PATHS},
    **{f"score_function-{c['name']}": {"name": "score_function", "credit": c} for c in CREDITS},
}


@pytest.mark.parametrize("estimator", RAISING.values(), ids=RAISING)
def test_a_generator_step_raises_the_frozen_critics_mean_score(estimator: dict[str, Any]) -> None:
    """Of many samples from the same uniform numbers before and after."""
    game = make_game(
        CIPHER,
        estimator=estimator,
        game={"name": "cycle", "directions": ["a2b"], "cycle_weight": 0.0, "identity_weight": 0.0},
        objective={"name": "wgan"},
        train__batch_size=512,
        players__generator={"optimizer": "sgd", "lr": 3.0, "clip_norm": None},
        players__critic={"lr": 1e-2},
    )
    for _ in range(15):  # a critic that tells samples apart
        for player, loss, _ in game.updates("critic"):
            player.update(loss)
    ways, critics = (game.players[name].module for name in ("generator", "critic"))
    source = game._domains[0].stream._data.x.repeat(40, 1)
    soft = estimator["name"] in ("softmax", "soft_gumbel")

    def mean_score() -> float:
        torch.manual_seed(7)
        with torch.no_grad(), frozen(ways), frozen(critics):
            logits_BTV = ways["a2b"].emit(source)
            if soft:
                return float(critics["b"](logits_BTV.softmax(-1)).score.mean())
            noise = torch.empty_like(logits_BTV).exponential_()
            return float(critics["b"]((logits_BTV - noise.log()).argmax(-1)).score.mean())

    scores, weights = [mean_score()], snapshot(critics)
    for _ in range(3):
        for player, loss, _ in game.updates("generator"):
            player.update(loss)
        scores.append(mean_score())
    assert not changed(weights, critics)
    assert min(b - a for a, b in itertools.pairwise(scores)) > 1e-4, scores


# ── The documented sum ────────────────────────────────────────────────────────────────────────


def rewind(game: Any) -> None:
    for side in game._domains:
        side.stream.load_state_dict({"epoch": 0, "position": 0})


def by_hand(generator: Any, given: Tensor, target: Batch) -> Tensor:
    """Mean over sentences of −log p a token, in a loop over sentences."""
    logp_BTV = generator(target.x, given).log_softmax(-1)
    rows = []
    for row, count in enumerate(target.mask.sum(1).tolist()):
        ids = target.x[row, :count]
        rows.append(-logp_BTV[row, range(count), ids].mean())
    return torch.stack(rows).mean()


WEIGHTS = {"adversarial_weight": 0.5, "cycle_weight": 3.0, "identity_weight": 0.25}


def test_the_loss_is_the_documented_sum_for_softmax_rows() -> None:
    """α · value − λ · d(G(F(x)), x), ι · d(F(y), y), β · bijection: no noise anywhere."""
    game = make_game(
        CIPHER,
        estimator=ESTIMATORS["softmax"],
        game={"name": "cycle", "bijection_weight": 2.0, **WEIGHTS},
        objective={"name": "non_saturating"},
    )
    a, b = (side.stream.next() for side in game._domains)
    rewind(game)
    ((_, loss, stats),) = game.updates("generator")
    ways, critics = game.players["generator"].module, game.players["critic"].module
    total = torch.zeros(())
    sides = {"b": (a, b, "a2b", "b2a"), "a": (b, a, "b2a", "a2b")}
    for name, (source, target, there, back) in sides.items():
        soft_BTV = ways[there].emit(source.x).softmax(-1)
        realism = critics[name](soft_BTV).score.sigmoid().log().mean()
        cycle = by_hand(ways[back], soft_BTV, source)
        identity = by_hand(ways[there], target.x, target)
        sums_V = ways[there].table_PUV[0].softmax(-1).sum(0)
        bijection = (sums_V - 1).square().mean()
        total = total - 0.5 * realism + 3 * cycle + 0.25 * identity + 2 * bijection
        for key, value in {"cycle": cycle, "identity": identity, "bijection": bijection}.items():
            torch.testing.assert_close(stats[f"{name}/{key}"], value.detach())
        torch.testing.assert_close(stats[f"{name}/return"], 0.5 * realism.detach())
    torch.testing.assert_close(loss, total)


@pytest.mark.parametrize("generator", ["pointer", "encoder_decoder"])
def test_the_loss_of_back_translation_is_the_documented_sum(
    generator: str, bases: dict[str, Any]
) -> None:
    """λ · d(G(ŷ), x) with ŷ the greedy F(x), and ι · d(F(y), y): sentences of several lengths."""
    game = make_game(
        bases[generator],
        estimator=ESTIMATORS["detached"],
        game={"name": "cycle", **WEIGHTS},
        schedule=[{"repeat": 1, "phases": {"generator": 1}}],
    )
    a, b = (side.stream.next() for side in game._domains)
    assert len(set(a.mask.sum(1).tolist()) | set(b.mask.sum(1).tolist())) > 1
    rewind(game)
    ((_, loss, stats),) = game.updates("generator")
    ways = game.players["generator"].module
    total = torch.zeros(())
    for source, target, there, back in ((a, b, "a2b", "b2a"), (b, a, "b2a", "a2b")):
        space = game._domains[1].space if there == "a2b" else game._domains[0].space
        out = ways[there].start(len(source.x), source.x)
        columns, ended = [], torch.zeros(len(source.x), dtype=torch.bool)
        for time in range(space.length):
            ids = out.logits_BV.argmax(-1).masked_fill(ended, space.end_id)
            columns.append(ids)
            ended = ended | (ids == space.end_id)
            if time < space.length - 1:
                out = ways[there].step(ids, out.state)
        made = torch.stack(columns, 1)
        cycle = by_hand(ways[back], made, source)
        total = total + 3 * cycle + 0.25 * by_hand(ways[there], target.x, target)
        torch.testing.assert_close(
            stats["b/cycle" if there == "a2b" else "a/cycle"], cycle.detach()
        )
    torch.testing.assert_close(loss, total)


@pytest.mark.parametrize("name", ["score_function", "detached"])
def test_where_no_gradient_passes_the_way_back_learns_from_the_translation(
    name: str, bases: dict[str, Any]
) -> None:
    """Its gradient is that of λ · d(G(ŷ), x) and of nothing else."""
    game_of = {"name": "cycle", "directions": ["a2b"], "cycle_weight": 3.0, "identity_weight": 0.0}
    game = make_game(
        EVENTS,
        estimator=ESTIMATORS[name],
        game=game_of,
        schedule=[{"repeat": 1, "phases": {"generator": 1}}],
    )
    a = game._domains[0].stream.next()
    rewind(game)
    made: list[Tensor] = []
    ways = game.players["generator"].module
    estimator = game._domains[1].estimator
    draw = estimator.sample

    def watched(generator: Any, request: Any) -> Any:
        rollout = draw(generator, request)
        made.append(rollout.x)
        return rollout

    estimator.sample = watched
    ((_, loss, stats),) = game.updates("generator")
    parameters = [p for p in ways["b2a"].parameters() if p.requires_grad]
    found = torch.autograd.grad(loss, parameters, retain_graph=True)
    expected = 3 * by_hand(ways["b2a"], made[0], a)
    for actual, wanted in zip(found, torch.autograd.grad(expected, parameters), strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(stats["b/cycle"], expected.detach() / 3)


@pytest.mark.parametrize("credit", ["sequence", "per_step", "window", "rollout"])
def test_a_critic_of_no_weight_is_no_reward_under_any_credit(credit: str) -> None:
    critic = CRITICS["rnn" if credit == "per_step" else "local"]
    estimator = ESTIMATORS["score_function"] | {"credit": {"name": credit}}
    game_of = EVENTS["game"] | {"adversarial_weight": 0.0}
    game = make_game(EVENTS, critic=critic, estimator=estimator, game=game_of)
    losses, _ = game._generator_losses(game._next_directions()[0])
    assert losses["critic"] == 0
    assert losses["cycle"] != 0


@pytest.mark.parametrize("name", ["score_function", "straight_through"])
def test_recovery_as_a_mere_reward_has_no_dropout(name: str) -> None:
    """Where the backward translator learns from the same term it keeps its own."""
    generator = EVENTS["generator"] | {"dropout": 0.5}
    game = make_game(EVENTS, generator=generator, estimator=ESTIMATORS[name])
    direction = game._next_directions()[0]
    reward = game._cycle_reward(direction)
    first, second = (reward(direction.real.x, direction.real.mask) for _ in range(2))
    assert torch.equal(first, second) == (name == "score_function")
    assert direction.backward.training


def test_logged_gradient_norms_are_those_of_each_loss_alone() -> None:
    """A game with one loss only has the gradient that the game with all of them logs for it."""
    alone = {
        "critic": {"adversarial_weight": 0.5},
        "cycle": {"cycle_weight": 3.0},
        "identity": {"identity_weight": 0.25},
        "bijection": {"bijection_weight": 2.0},
    }
    nothing = {"adversarial_weight": 0.0, "cycle_weight": 0.0, "identity_weight": 0.0}
    base = {"name": "cycle", **nothing, "directions": ["a2b"]}

    def game_of(weights: dict[str, float], **more: Any) -> Any:
        return make_game(CIPHER, estimator=ESTIMATORS["softmax"], game=base | weights | more)

    every = {name: value for weights in alone.values() for name, value in weights.items()}
    full = game_of(every, gradients_every=2)
    logged = []
    for _ in range(3):
        ((player, loss, stats),) = full.updates("generator")
        logged.append((loss.detach(), stats))
        player.update(loss)
    names = {f"b/{name}_gradient" for name in alone}
    assert [{n for n in stats if n.endswith("_gradient")} for _, stats in logged] == [
        names,
        set(),
        names,
    ]
    total = 0.0
    for name, weights in alone.items():
        game = game_of(weights)
        ((_, loss, stats),) = game.updates("generator")
        assert not any(key.endswith("_gradient") for key in stats)
        parameters = list(game.players["generator"].module.parameters())
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        norm = torch.cat([x.flatten() for x in found if x is not None]).norm()
        assert norm > 1e-6
        torch.testing.assert_close(logged[0][1][f"b/{name}_gradient"], norm)
        total += float(loss.detach())
    assert float(logged[0][0]) == pytest.approx(total, rel=1e-5)


def test_logging_gradient_norms_changes_no_update() -> None:
    games = [
        make_game(EVENTS, game=EVENTS["game"] | {"gradients_every": every}) for every in (None, 1)
    ]
    states = []
    for game in games:
        torch.manual_seed(0)
        for _ in range(3):
            for player, loss, _ in game.updates("generator"):
                player.update(loss)
        states.append(snapshot(game.players["generator"].module))
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


# ── Weights that change ───────────────────────────────────────────────────────────────────────


def test_the_games_weights_follow_their_ramps_by_generator_updates_of_every_phase() -> None:
    ramps = {
        "cycle_weight": {"start": 0.0, "end": 4.0, "steps": 4},
        "identity_weight": {"start": 3.0, "end": 0.0, "steps": 3},
    }
    game = make_game(
        EVENTS,
        estimator=ESTIMATORS["detached"],
        game=EVENTS["game"] | ramps | {"directions": ["a2b"]},
    )
    seen = []
    for phase in ("generator", "denoise", "generator", "reconstruct", "generator"):
        ((player, loss, stats),) = game.updates(phase)
        if phase == "generator":
            seen.append({key.removeprefix("b/") for key in stats} & {"cycle", "identity"})
            wanted = [WeightSchedule(**ramp).at(player.updates) for ramp in ramps.values()]
            parts = [stats.get("b/cycle", 0.0), stats.get("b/identity", 0.0)]
            expected = sum(w * float(part) for w, part in zip(wanted, parts, strict=True))
            assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
        player.update(loss)
    assert seen == [{"identity"}, {"cycle", "identity"}, {"cycle"}]


# ── The pool ──────────────────────────────────────────────────────────────────────────────────


def test_a_pool_from_a_checkpoint_follows_the_samples_to_their_device() -> None:
    fake = Batch(torch.zeros(3, 5), torch.ones(3, 5, dtype=torch.bool))
    for size in (3, 6):  # full, and with room
        first, second = Pool(size), Pool(size)
        first.exchange(fake)
        second.load_state_dict(first.state_dict())
        second.exchange(Batch(fake.x.to("meta"), fake.mask.to("meta")))
        assert {part.device.type for part in second.state_dict().values()} == {"meta"}


def test_the_pool_keeps_masks_with_their_rows() -> None:
    """Row n holds its number in every column; its mask has n mod 7 + 1 tokens."""
    torch.manual_seed(0)
    pool = Pool(20)
    older = 0
    for first in range(0, 600, 8):
        number_B = torch.arange(first, first + 8)
        mask_BT = torch.arange(7) < (number_B % 7 + 1)[:, None]
        shown = pool.exchange(Batch(number_B[:, None].expand(-1, 7).clone(), mask_BT))
        shown_B = shown.x[:, 0]
        assert torch.equal(shown.mask.sum(1), shown_B % 7 + 1)
        assert (shown.x == shown_B[:, None]).all()
        older += int((shown_B < first).sum())
    assert older > 100
    state = pool.state_dict()
    assert torch.equal(state["mask"].sum(1), state["x"][:, 0] % 7 + 1)


@pytest.mark.parametrize("name", ["softmax", "score_function"])
def test_the_critic_is_shown_what_the_pool_gives(name: str) -> None:
    game = make_game(EVENTS, estimator=ESTIMATORS[name], game=EVENTS["game"] | {"pool": 6})
    old = torch.full_like(game._domains[1].stream.next().x[:6], 5)
    shown: list[tuple[Tensor, Tensor]] = []
    critic = game.players["critic"].module["b"]
    critic.register_forward_hook(lambda module, given, out: shown.append(given[:2]))
    mask = torch.zeros(old.shape, dtype=torch.bool)
    mask[:, :3] = True
    x = torch.nn.functional.one_hot(old, 230).float() if name == "softmax" else old
    found = 0
    for _ in range(6):
        game._domains[1].pool.load_state_dict({"x": x.clone(), "mask": mask.clone()})
        list(game.updates("critic"))
        fake, fake_mask = shown[-1]
        hard = fake.argmax(-1) if fake.is_floating_point() else fake
        from_pool = (hard == 5).all(1)
        found += int(from_pool.sum())
        assert torch.equal(fake_mask[from_pool], mask[:1].expand(int(from_pool.sum()), -1))
    assert found > 5


# ── Noise ─────────────────────────────────────────────────────────────────────────────────────

END, UNKNOWN = 0, 1
TEXT = SequenceSpace(vocab_size=40, length=12, end_id=END)
LONG = SequenceSpace(vocab_size=40, length=30, end_id=END)


def sentences(rows: int = 400) -> Batch:
    """Different words in a row (ids 2…): 1 to 11 of them, then ends."""
    torch.manual_seed(1)
    ids = torch.stack([torch.randperm(38)[:12] + 2 for _ in range(rows)])
    count = torch.randint(1, 12, (rows,))
    ids = ids.masked_fill(torch.arange(12) >= count[:, None], END)
    return Batch(ids, torch.arange(12) <= count[:, None])


def words_of(row: Tensor) -> list[int]:
    ids = row.tolist()
    return ids[: ids.index(END)] if END in ids else ids


def damage(**changed: float) -> dict[str, float]:
    """None, but for what is given."""
    return {"drop": 0.0, "blank": 0.0, "shuffle": 0.0} | changed


def check_ends(ids: Tensor) -> None:
    """Nothing but ends behind the first one."""
    for row in ids.tolist():
        if END in row:
            assert set(row[row.index(END) :]) == {END}


def test_noise_of_nothing_is_nothing() -> None:
    batch = sentences()
    assert torch.equal(noisy_words(batch, TEXT, UNKNOWN, **damage()), batch.x)


def test_drop_leaves_an_ordered_part_and_at_least_one_word() -> None:
    batch = sentences()
    torch.manual_seed(0)
    noisy = noisy_words(batch, TEXT, UNKNOWN, **damage(drop=0.6))
    check_ends(noisy)
    kept = total = 0
    for row, given in zip(noisy, batch.x, strict=True):
        words, source = words_of(row), words_of(given)
        assert words
        assert words == [word for word in source if word in words]
        if len(source) > 4:  # where the word that always stays hardly counts
            kept, total = kept + len(words), total + len(source)
    assert abs(kept / total - 0.4) < 0.03


def test_of_a_sentence_that_loses_all_the_first_word_stays() -> None:
    batch = sentences()
    torch.manual_seed(0)
    noisy = noisy_words(batch, TEXT, UNKNOWN, **damage(drop=0.999999))
    assert torch.equal(noisy[:, 0], batch.x[:, 0])
    assert (noisy[:, 1:] == END).all()


def test_blank_replaces_words_in_their_places() -> None:
    batch = sentences()
    torch.manual_seed(0)
    noisy = noisy_words(batch, TEXT, UNKNOWN, **damage(blank=0.3))
    words = batch.x != END
    assert torch.equal(noisy[~words], batch.x[~words])
    blank = noisy == UNKNOWN
    assert torch.equal(noisy[~blank], batch.x[~blank])
    assert abs(float(blank[words].float().mean()) - 0.3) < 0.03


@pytest.mark.parametrize("shuffle", [1.0, 3.0])
def test_shuffled_words_move_by_no_more_than_the_bound_and_reach_it(shuffle: float) -> None:
    batch = sentences(3000)
    torch.manual_seed(0)
    noisy = noisy_words(batch, TEXT, UNKNOWN, **damage(shuffle=shuffle))
    check_ends(noisy)
    moves = []
    for row, given in zip(noisy, batch.x, strict=True):
        words, source = words_of(row), words_of(given)
        assert sorted(words) == sorted(source)
        moves += [abs(words.index(word) - place) for place, word in enumerate(source)]
    assert max(moves) == shuffle
    assert moves.count(0) < 0.8 * len(moves)


STARTS = torch.zeros(40, dtype=torch.bool)
STARTS[2:20] = True
"""Pieces 2…19 begin a word, 20…39 go on with it."""


def pieces_of(ids: list[int]) -> list[tuple[int, ...]]:
    words: list[list[int]] = []
    for piece in ids:
        if STARTS[piece] or not words:
            words.append([])
        words[-1].append(piece)
    return [tuple(word) for word in words]


def test_pieces_of_a_word_stay_together() -> None:
    """Dropped, blanked and shuffled as one."""
    batch = sentences(1500)
    first = batch.x[:, 0].clone()
    batch.x[batch.x == 2] = first[(batch.x == 2).any(1)]
    batch.x[:, 0] = 2  # every sentence begins with a word
    originals = [pieces_of(words_of(row)) for row in batch.x]
    assert max(len(word) for words in originals for word in words) > 3
    torch.manual_seed(0)
    dropped = noisy_words(batch, TEXT, UNKNOWN, STARTS, **damage(drop=0.5))
    lost = 0
    for row, words in zip(dropped, originals, strict=True):
        found = pieces_of(words_of(row))
        assert found == [word for word in words if word in found]
        lost += len(words) - len(found)
    assert lost > 1000
    shuffled = noisy_words(batch, TEXT, UNKNOWN, STARTS, **damage(shuffle=2.0))
    furthest = 0
    for row, words in zip(shuffled, originals, strict=True):
        found = pieces_of(words_of(row))
        assert sorted(found) == sorted(words)
        if len(set(words)) == len(words):
            furthest = max(furthest, *(abs(found.index(word) - n) for n, word in enumerate(words)))
    assert furthest == 2
    blanked = noisy_words(batch, TEXT, UNKNOWN, STARTS, **damage(blank=0.4))
    whole = 0
    for row, words in zip(blanked, originals, strict=True):
        ids = words_of(row)
        for word in words:
            piece, ids = ids[: len(word)], ids[len(word) :]
            assert piece in (list(word), [UNKNOWN] * len(word))
            whole += len(word) > 1 and piece != list(word)
    assert whole > 100


def hf_overrides(folder: Path) -> dict[str, Any]:
    """Sentences of the words the, cats, sat and cat, in pieces of the tokenizer in `folder`."""
    tree = unpaired_text(folder)
    data = tree["data"] | {"valid": None, "test": None, "valid_fraction": 0.1}
    for side, count in (("a", 3), ("b", 4)):
        orders = itertools.permutations(("the", "cats", "sat", "cat"), count)
        (folder / f"train.{side}").write_text("".join(" ".join(row) + "\n" for row in orders))
        data[side] = data[side] | {"length": 32}
    tokenizer = {"name": "hf", "path": str(folder / "tokenizer")}
    return {**tree, "data": data | {"tokenizer": tokenizer}}


@pytest.mark.parametrize("write", ["write_byte_tokenizer", "write_word_tokenizer"])
def test_pieces_of_other_tokenizers_stay_together_too(write: str, tmp_path: Path) -> None:
    """They go on with ##, or begin with a mark that the first word of a sentence does not have."""
    pytest.importorskip("transformers", reason="pip install 'seqgan[hf]'")
    import tiny_networks

    tokenizer = HfTokenizer(getattr(tiny_networks, write)(tmp_path / "tokenizer"))
    noise = {"name": "words", "drop": 0.0, "shuffle": 2.0}
    game = make_game(hf_overrides(tmp_path), game=EVENTS["game"] | {"noise": noise})
    torch.manual_seed(0)
    moved = 0
    for _ in range(10):
        batch = game._domains[1].stream.next()
        for row, given in zip(
            game._domains[1].noise(batch).tolist(), batch.x.tolist(), strict=True
        ):
            first, *rest = tokenizer.decode(given).split()
            words = [tokenizer.encode(first), *(tokenizer.encode(f" {word}") for word in rest)]
            assert len(words) == 4
            count = sum(map(len, words))
            orders = itertools.permutations(words)
            assert row[:count] in [list(itertools.chain(*order)) for order in orders]
            moved += row != given
    assert moved > 20


def test_words_of_pieces_without_marks_are_not_known(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="pip install 'seqgan[hf]'")
    from tiny_networks import write_word_tokenizer

    path = Path(write_word_tokenizer(tmp_path / "tokenizer")) / "tokenizer.json"
    path.write_text(path.read_text().replace('"##s"', '"dog"'))
    with pytest.raises(UserError, match=r"game\.noise\.name=words: no piece .* has a mark"):
        make_game(hf_overrides(tmp_path))
    noise = {"name": "mix", "copies": 1}
    make_game(hf_overrides(tmp_path), game=EVENTS["game"] | {"noise": noise})


@pytest.mark.parametrize("way", ["a2b", "b2a"])
@pytest.mark.parametrize("tokenizer", ["word", "sentencepiece"])
def test_a_gloss_is_written_in_the_words_of_the_other_side(
    tokenizer: str, way: str, bases: dict[str, Any]
) -> None:
    """What the generator into a side is to repair: its sentence word for word in the vocabulary of
    the side that it reads; a word that is unknown there is one unknown token, or copied."""
    cut = {"name": "word", "min_count": 3}
    if tokenizer == "sentencepiece":
        cut = {"name": "sentencepiece", "vocab_size": 25}
    noise = {"name": "words", "gloss": True, "drop": 0.0, "shuffle": 0.0}
    base = bases["encoder_decoder"] | {"data.joint": False, "data.tokenizer": cut}
    long = {"data.a.length": 24, "data.b.length": 24}
    game = EVENTS["game"] | {"noise": noise}
    experiment = tiny_experiment({**base, **long, "game": game})
    data = build_task(experiment, CPU, None)
    text = experiment.data.build_text()
    side, other, back = (text.b, text.a, "b2a") if way == "a2b" else (text.a, text.b, "a2b")
    gloss = data.noises["ba".index(way[0])]
    rows = torch.tensor([5, 0, 17])
    read_BT = gloss(Batch(side.train.ids_NT[rows], side.train.mask_NT[rows]))
    assert read_BT.shape == (3, 24)
    written = text.word_for_word(back, [side.train.lines[row] for row in rows])
    for row, line in zip(read_BT.tolist(), written, strict=True):
        wanted = other.tokenizer.encode(line)
        assert row == wanted + [other.space.end_id] * (24 - len(wanted))
    assert play(build_game(experiment, data, CPU), "denoise")


def test_glosses_are_found_by_the_tokens_of_a_sentence() -> None:
    """Also where sentences differ in one token or in the order of two; of equal ones the first."""
    ids_NT = torch.cartesian_prod(*[torch.arange(7)] * 4)
    ids_NT = torch.cat([ids_NT, ids_NT[:5]])[torch.randperm(len(ids_NT) + 5)]
    gloss = lookup(ids_NT, torch.arange(len(ids_NT))[:, None])
    found = gloss(ids_NT)[:, 0]
    assert torch.equal(ids_NT[found], ids_NT)
    assert len(found.unique()) == 7**4
    assert (found <= torch.arange(len(ids_NT))).all()


def test_a_gloss_is_damaged_in_the_other_side_s_words(bases: dict[str, Any]) -> None:
    """Blanks are the unknown token of what is read, and pieces of its words stay together."""
    cut = {"name": "sentencepiece", "vocab_size": 25}
    base = bases["encoder_decoder"] | {"data.joint": False, "data.tokenizer": cut}
    long = {"data.a.length": 24, "data.b.length": 24}
    noise = {"name": "words", "gloss": True, "drop": 0.0, "blank": 0.5, "shuffle": 3.0}
    experiment = tiny_experiment({**base, **long, "game": EVENTS["game"] | {"noise": noise}})
    data = build_task(experiment, CPU, None)
    text = experiment.data.build_text()
    torch.manual_seed(0)
    batch = Batch(text.b.train.ids_NT, text.b.train.mask_NT)
    glosses = text.word_for_word("b2a", text.b.train.lines)
    blanked = moved = 0
    for row, line in zip(data.noises[1](batch).tolist(), glosses, strict=True):
        words = [tuple(text.a.tokenizer.encode(word)) for word in line.split()]
        seen = [token for token in row if token != text.a.space.end_id]
        assert len(seen) == sum(map(len, words)), "nothing is dropped"
        orders = itertools.permutations(words)
        fits = [list(itertools.chain(*order)) for order in orders]
        unknown = text.a.tokenizer.unk_id
        alike = [all(x in (unknown, y) for x, y in zip(seen, fit, strict=True)) for fit in fits]
        assert any(alike)
        blanked += seen.count(unknown)
        moved += not alike[0]
    assert blanked > 50
    assert moved > 10


def test_noise_has_the_form_of_what_the_generator_usually_reads() -> None:
    batch = sentences()
    noisy = noisy_words(batch, TEXT, UNKNOWN, **damage())
    longer = fit(noisy, LONG.length, END)
    assert torch.equal(longer[:, :12], batch.x)
    assert longer.shape == (400, 30)
    assert (longer[:, 12:] == END).all()
    assert torch.equal(fit(noisy, 5, END), batch.x[:, :5])
    assert torch.equal(fit(batch.x, 9, END), batch.x[:, :9])


def backgrounds() -> Tensor:
    """Long texts of the tokens 30…39, which no sample has: 20 to 29 words."""
    torch.manual_seed(2)
    ids = torch.randint(30, 40, (50, 30))
    count = torch.randint(20, 30, (50,))
    return ids.masked_fill(torch.arange(30) >= count[:, None], END)


def samples() -> Batch:
    """Up to six different words of 2…29."""
    torch.manual_seed(3)
    ids = torch.stack([torch.randperm(28)[:12] + 2 for _ in range(300)])
    count = torch.randint(1, 7, (300,))
    return Batch(ids.masked_fill(torch.arange(12) >= count[:, None], END))


def mix(**changed: Any) -> dict[str, Any]:
    """The defaults, but nothing is dropped."""
    return {"drop": 0.0} | changed


@pytest.mark.parametrize("copies", [1, 2, 4])
def test_mixed_texts_hold_every_word_of_the_sample_so_many_times(copies: int) -> None:
    """And fit, whatever has to be cut from the background."""
    batch, other = samples(), backgrounds()
    torch.manual_seed(0)
    noisy = mixed(batch, TEXT, LONG, other, **mix(copies=copies, background=1.0))
    assert noisy.shape == (300, 30)
    check_ends(noisy)
    assert (noisy[:, -1] == END).all()
    full = 0
    for row, given in zip(noisy, batch.x, strict=True):
        words, source = words_of(row), words_of(given)
        own = [word for word in words if word < 30]
        assert sorted(own) == sorted(source * copies)
        full += len(words) == 29
        assert len(words) > len(own), "no background is left"
    assert full > (100 if copies > 1 else 5)


def test_the_background_is_a_part_of_one_text_of_the_other_side_in_order() -> None:
    batch, other = samples(), backgrounds()
    torch.manual_seed(0)
    how = mix(copies=1, background=0.5, shuffle=0.0)
    noisy = mixed(batch, TEXT, LONG, other, **how)
    texts = [words_of(row) for row in other]

    def is_part(words: list[int], text: list[int]) -> bool:
        rest: Iterator[int] = iter(text)
        return all(word in rest for word in words)

    share, apart = [], 0
    for row, given in zip(noisy, batch.x, strict=True):
        words = words_of(row)
        rest = [word for word in words if word >= 30]
        assert any(is_part(rest, text) for text in texts)
        share.append(len(rest))
        places = [words.index(word) for word in words_of(given)]
        apart += places != sorted(places)
    assert abs(sum(share) / len(share) - 0.5 * 24.5) < 1
    assert apart > 100, "the sample's words come in a random order"


@pytest.mark.parametrize("copies", [1, 3])
def test_ordered_samples_keep_their_order_in_every_copy(copies: int) -> None:
    batch, other = samples(), backgrounds()
    torch.manual_seed(0)
    noisy = mixed(batch, TEXT, LONG, other, **mix(copies=copies, ordered=True))
    mixed_up = 0
    for row, given in zip(noisy, batch.x, strict=True):
        words, source = words_of(row), words_of(given)
        places = [[at for at, word in enumerate(words) if word == wanted] for wanted in source]
        for copy in range(copies):
            order = [found[copy] for found in places]
            assert order == sorted(order)
        own = [at for at, word in enumerate(words) if word < 30]
        mixed_up += own != list(range(own[0], own[0] + len(own)))
    assert mixed_up > 200, "they are scattered all the same"


def test_ordered_samples_are_scattered_as_widely_as_others() -> None:
    """Ends are no words: sorted among them they would draw the words to the front."""
    free, ordered = (_mean_place(ordered=ordered) for ordered in (False, True))
    assert abs(ordered - free) < 0.03
    for asked in (False, True):
        assert _mean_place(ordered=asked, within=0.5) < 0.65 * free


def _mean_place(**fields: Any) -> float:
    """Of the sample's words, as a share of the words they stand among."""
    torch.manual_seed(0)
    how = mix(copies=1, background=1.0, shuffle=0.0, **fields)
    noisy = mixed(samples(), TEXT, LONG, backgrounds(), **how)
    return float(
        np.mean(
            [
                at / len(words)
                for words in map(words_of, noisy)
                for at, word in enumerate(words)
                if word < 30
            ]
        )
    )


def test_mixed_drop_leaves_out_single_copies_and_background_zero_leaves_the_sample() -> None:
    batch, other = samples(), backgrounds()
    torch.manual_seed(0)
    noisy = mixed(batch, TEXT, LONG, other, **mix(copies=2, drop=0.25, background=0.0))
    kept = sum(len(words_of(row)) for row in noisy)
    wanted = 2 * sum(len(words_of(row)) for row in batch.x)
    assert (noisy < 30).all()
    assert abs(kept / wanted - 0.75) < 0.04


def test_a_game_denoises_what_the_noise_wrote_into_the_sentence_itself(
    bases: dict[str, Any],
) -> None:
    """The generator into a side reads the noise and is taught the sentence."""
    game = make_game(
        EVENTS,
        game=EVENTS["game"] | {"directions": ["a2b"], "noise": {"name": "mix", "copies": 2}},
    )
    asked: list[tuple[Tensor, Tensor]] = []
    ways = game.players["generator"].module
    ways["a2b"].register_forward_hook(lambda module, given, out: asked.append(given[:2]))
    b = game._domains[1].stream.next()
    rewind(game)
    ((_, loss, _),) = game.updates("denoise")
    ((written, read),) = asked
    columns = written.shape[1]
    assert torch.equal(written, b.x[:, :columns])
    assert not b.mask[:, columns:].any()
    assert read.shape == (8, 32)
    assert not torch.equal(read[:, :10], b.x)
    expected = nats_per_token(ways["a2b"], read, b).mean()
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize(
    ("directions", "copies", "message"),
    [(["a2b"], 5, r"game\.noise\.copies=5: .* 8 words, .* 31;"),
     (["a2b"], 3, None),
     (["b2a"], 1, r"game\.noise\.copies=1: .* 31 words, .* room for 9;"),
     (["a2b", "b2a"], 1, r"game\.noise\.copies=1: .*game\.directions")],
)  # fmt: skip
def test_mixed_texts_have_room_for_the_sample(
    directions: list[str], copies: int, message: str | None
) -> None:
    """Headlines of 8 words go into articles of 31 three times; no article goes into a headline."""
    changes = {"directions": directions, "noise": {"name": "mix", "copies": copies}}
    game_of = EVENTS["game"] | changes
    if message is None:
        make_game(EVENTS, game=game_of)
        return
    with pytest.raises(UserError, match=message):
        make_game(EVENTS, game=game_of)


# ── One token for one ────────────────────────────────────────────────────────────────────────


def table_of(rows: list[int], space: SequenceSpace) -> Lexicon:
    """A lexicon that is sure of what each token becomes."""
    lexicon = Lexicon(space, space)
    table = torch.full((1, space.vocab_size, space.vocab_size), -30.0)
    table[0, range(space.vocab_size), rows] = 30.0
    lexicon.table_PUV.data = table
    return lexicon


@pytest.mark.parametrize("end_id", [None, 0, 3])
def test_the_bijection_penalty_is_zero_for_a_permutation_only(end_id: int | None) -> None:
    space = SequenceSpace(vocab_size=4, length=3, end_id=end_id)
    orders = {None: [2, 3, 0, 1], 0: [0, 3, 1, 2], 3: [1, 2, 0, 3]}
    order = orders[end_id]
    assert float(table_of(order, space).bijection().detach()) == pytest.approx(0, abs=1e-10)
    first, second = [v for v in range(4) if v != end_id][:2]
    twice = list(order)
    twice[second] = twice[first]
    tokens = 4 if end_id is None else 3
    # One token is written for two, another for none.
    penalty = float(table_of(twice, space).bijection().detach())
    assert penalty == pytest.approx(2 / tokens, rel=1e-5)


@pytest.mark.parametrize(("sources", "targets"), [(3, 6), (6, 3)])
def test_unequal_vocabularies_share_their_tokens_out_evenly(sources: int, targets: int) -> None:
    """Of 3 sources and 6 targets each target is half a translation, of 6 and 3 two."""
    spaces = SequenceSpace(sources, 3), SequenceSpace(targets, 3)
    lexicon = Lexicon(*spaces, init_std=0.0)
    assert float(lexicon.bijection().detach()) == pytest.approx(0, abs=1e-10)
    lexicon.table_PUV.data[0, :, 0] = 30.0  # all become the first token
    missing = sources / targets
    expected = ((sources - missing) ** 2 + (targets - 1) * missing**2) / targets
    assert float(lexicon.bijection().detach()) == pytest.approx(expected, rel=1e-5)


def test_the_bijection_penalty_pulls_two_tokens_apart() -> None:
    torch.manual_seed(0)
    lexicon = Lexicon(SequenceSpace(4, 3), SequenceSpace(4, 3), init_std=0.5)
    lexicon.table_PUV.data[0, :, 2] += 3
    assert lexicon.table_PUV.argmax(-1).tolist() == [[2, 2, 2, 2]]
    optimizer = torch.optim.Adam(lexicon.parameters(), 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        lexicon.bijection().backward()
        optimizer.step()
    sums_V = lexicon.table_PUV[0].softmax(-1).sum(0)
    assert (sums_V - 1).abs().max() < 0.05


def test_unpaired_text_is_what_its_docstring_says(tmp_path: Path) -> None:
    """Line i of one held-out file has the same names as line i of the other; training has not."""
    unpaired_text(tmp_path / "t")
    lines = {
        name: (tmp_path / "t" / name).read_text().splitlines()
        for name in ("train.a", "train.b", "valid.a", "valid.b")
    }
    names = {
        key: [[w for w in line.split() if len(w) == 3 and w != "by"] for line in part]
        for key, part in lines.items()
    }
    assert names["valid.a"] == names["valid.b"]
    assert names["train.a"] != names["train.b"]
