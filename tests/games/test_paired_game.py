"""Game paired: what its losses are, what its critic reads, and which data it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from test_picture_games import make_game
from tiny_runs import CYCLE, EVENTS, PAIRED, tiny_experiment, train

from seqgan.assembly import build_task
from seqgan.core.errors import UserError
from seqgan.core.modes import frozen
from seqgan.core.types import ArraySpace, SequenceSpace
from seqgan.data.sketches import edges, grey
from seqgan.runs.saved import open_run

CPU = torch.device("cpu")
TEXT: dict[str, Any] = {
    **EVENTS,
    "data": {**EVENTS["data"], "aligned": True},
    "game": {"name": "paired", "directions": ["a2b"], "distance_weight": 1.0},
    "critic": {"name": "cnn", "embed": 4, "widths": [2], "filters": [4]},
    "estimator": {"name": "score_function"},
    "schedule": [{"repeat": 2, "phases": {"mle": 1, "critic": 1, "generator": 1}}],
}
TWO_VOCABULARIES: dict[str, Any] = {
    **TEXT,
    "data": {"name": "language_pair", "words": 40, "aligned": True, "reorder": False},
}


def one(game: Any, phase: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    ((_, loss, stats),) = game.updates(phase)
    return loss, stats


# ── What is learned ───────────────────────────────────────────────────────────────────────────


def test_the_streams_give_pairs() -> None:
    game = make_game(PAIRED)
    for _ in range(4):  # also across the border of an epoch
        a2b, _ = game._next_pairs()
        faces = ((a2b.target.x + 1) * 127.5).round().to(torch.uint8)
        assert torch.equal(((a2b.source.x + 1) * 127.5).round().to(torch.uint8), edges(faces, 96))


@pytest.mark.parametrize("weight", [1.0, 0.25, 0.0])
def test_the_generators_loss_is_the_distance_minus_the_reward(weight: float) -> None:
    game = make_game(
        PAIRED,
        game__directions=["a2b"],
        game__adversarial_weight=weight,
        objective={"name": "non_saturating"},
    )
    (pairs,) = game._next_pairs()
    game._next_pairs = lambda: [pairs]
    loss, stats = one(game, "generator")
    made = pairs.generator.translate(pairs.source.x)
    with frozen(game.players["critic"].module):
        critic = game.players["critic"].module["b"]
        score_B = critic(made, None, pairs.source.x).score
    distance = (made - pairs.target.x).abs().mean()
    wanted = 100 * distance - weight * torch.nn.functional.logsigmoid(score_B).mean()
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(stats["b/distance"], distance.detach())
    alone, _ = one(game, "mle")
    torch.testing.assert_close(alone, distance)


def test_the_critic_learns_true_pairs_against_translations_under_the_same_sources() -> None:
    game = make_game(PAIRED, game__directions=["a2b"])
    (pairs,) = game._next_pairs()
    game._next_pairs = lambda: [pairs]
    loss, _ = one(game, "critic")
    critic = game.players["critic"].module["b"]
    true = critic(pairs.target.x, None, pairs.source.x).score
    made = pairs.generator.translate(pairs.source.x).detach()
    softplus = torch.nn.functional.softplus
    fake = critic(made, None, pairs.source.x).score
    torch.testing.assert_close(loss, softplus(-true).mean() + softplus(fake).mean())


def test_a_lazy_penalty_is_taken_at_its_turn() -> None:
    game = make_game(PAIRED, game__directions=["a2b"], penalties=[{"name": "r1", "every": 2}])
    for taken in (True, False, True):
        ((player, loss, stats),) = game.updates("critic")
        player.update(loss)
        assert ("b/r1" in stats) == taken


@pytest.mark.parametrize("critic", ["patch", "dcgan", "mlp"])
def test_a_critic_of_pairs_sees_a_source_that_does_not_belong(critic: str) -> None:
    shape: dict[str, Any] = {"hidden": 8} if critic == "mlp" else {"width": 4}
    if critic == "patch":
        shape["layers"] = 1
    game = make_game(PAIRED, game__directions=["a2b"], critic={"name": critic, **shape})
    (pairs,) = game._next_pairs()
    network = game.players["critic"].module["b"]
    right = network(pairs.target.x, None, pairs.source.x).score
    wrong = network(pairs.target.x, None, pairs.source.x.roll(1, 0)).score
    assert (right - wrong).abs().max() > 1e-5


def test_a_critic_of_translations_alone_reads_no_source() -> None:
    game = make_game(PAIRED, game__critic_reads_source=False)
    network = game.players["critic"].module["b"]
    x, source = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    assert torch.equal(network(x, None, source).score, network(x, None, -source).score)


def test_text_is_played_by_the_same_game() -> None:
    """Likelihood beside the reward of a critic that reads sources as prompts."""
    game = make_game(TEXT)
    assert game._adversary.criteria["b"].space.prompt > 0
    first, _ = one(game, "critic")
    _, stats = one(game, "generator")
    assert first.isfinite()
    assert {"b/distance", "b/return"} <= stats.keys()
    assert one(game, "mle")[0].isfinite()


# ── Data ──────────────────────────────────────────────────────────────────────────────────────


def test_edges_are_where_neighbours_differ() -> None:
    x = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    x[0, 1, :, 2:] = 100  # one colour steps between the second and the third column
    lines = edges(x, 100)
    assert lines[0, 0].tolist() == [[255, 0, 255, 255]] * 4
    assert torch.equal(lines[:, :1].expand(-1, 3, -1, -1), lines)
    assert bool((edges(x, 101) == 255).all())


def test_grey_is_the_lightness_that_pillow_takes() -> None:
    x = torch.randint(0, 256, (3, 3, 5, 5), dtype=torch.uint8)
    for picture, ours in zip(x, grey(x), strict=True):
        theirs = np.asarray(Image.fromarray(picture.permute(1, 2, 0).numpy()).convert("L"))
        assert np.abs(ours[0].numpy().astype(int) - theirs).max() <= 1


def aligned(folder: Path, a: list[str], b: list[str]) -> dict[str, Any]:
    """Folders of grey squares; those of a are darker by 40 levels, each file named as asked."""
    for side, names in (("a", a), ("b", b)):
        (folder / side).mkdir()
        for name in names:
            level = 60 + 4 * int(name.split(".")[0]) - 40 * (side == "a")
            Image.fromarray(np.full((16, 16), level, np.uint8)).save(folder / side / name)
    source = {side: {"name": "folder", "path": str(folder / side)} for side in "ab"}
    return {
        **PAIRED,
        "data": {
            "name": "paired_pictures",
            "a": {"name": "aligned", "source": source["a"]},
            "b": {"source": source["b"], "valid_fraction": 0.1, "test_fraction": 0.1},
        },
    }


NAMES = [f"{i:02d}" for i in range(30)]


def test_files_of_one_name_are_a_pair(tmp_path: Path) -> None:
    tree = aligned(tmp_path, [f"{n}.bmp" for n in NAMES], [f"{n}.png" for n in NAMES])
    game = make_game(tree)
    for _ in range(3):
        a2b, _ = game._next_pairs()
        levels = ((a2b.target.x - a2b.source.x) * 127.5).round()
        assert bool((levels == 40).all())


def test_the_copy_row_is_the_distance_of_sources(tmp_path: Path) -> None:
    tree = aligned(tmp_path, [f"{n}.bmp" for n in NAMES], [f"{n}.png" for n in NAMES])
    task = build_task(tiny_experiment({**tree, "data.b.extractor_fraction": 0.2}), CPU, None)
    copy = task.evaluator.baselines("test", 2)["copy"]
    assert copy["l1_a2b"] == copy["l1_b2a"] == pytest.approx(40 / 127.5)


def test_a_file_without_a_partner_is_named(tmp_path: Path) -> None:
    tree = aligned(tmp_path, [f"{n}.png" for n in NAMES], [f"{n}.png" for n in NAMES[1:]])
    with pytest.raises(UserError, match=r"data\.a\.source: has a picture '00', data\.b\.source"):
        build_task(tiny_experiment(tree), CPU, None)


def test_another_number_of_pictures_is_refused() -> None:
    faces = {**PAIRED["data"]["b"]["source"], "train": 30}
    tree = {**PAIRED, "data.a": {"name": "aligned", "source": faces}}
    with pytest.raises(UserError, match="give two sources whose pictures are pairs"):
        build_task(tiny_experiment(tree), CPU, None)


FACADES = Path(__file__).parents[3] / "shared/data/images/facades128/facades128.npz"


@pytest.mark.skipif(not FACADES.exists(), reason="the CMP facades are not here")
def test_facades_are_made_of_their_labels(tmp_path: Path) -> None:
    """Two folders, photos and coloured maps of windows and doors, as people have them."""
    archive = np.load(FACADES)
    maps = archive["label_palette"][archive["label_train"][:40]]
    tree = aligned(tmp_path, [], [])
    for side, pictures in (("a", maps), ("b", archive["photo_train"][:40])):
        for row, picture in enumerate(pictures):
            Image.fromarray(picture).save(tmp_path / side / f"{row:03d}.png")
    game = make_game({**tree, "data.b.size": 32})
    (a2b, _) = game._next_pairs()
    assert a2b.target.x.shape == a2b.source.x.shape == (8, 3, 32, 32)
    first = float(one(game, "mle")[0])
    for _ in range(25):
        ((player, loss, _),) = game.updates("mle")
        player.update(loss)
    assert float(loss) < 0.9 * first


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({**CYCLE, "game": {"name": "paired"}}, "needs training rows that are pairs"),
        (
            {**PAIRED, "game.distance_weight": 0.0, "game.adversarial_weight": 0.0},
            "no weight of game teaches the generators anything",
        ),
        ({**PAIRED, "critic": None}, "game.name=paired needs critic"),
        ({**PAIRED, "schedule": [{"repeat": 2, "phases": {"mle": 1}}]}, "has no use for critic"),
        (TWO_VOCABULARIES, "a critic of one vocabulary cannot read sources of another"),
    ],
)
def test_what_does_not_go_together_is_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny_experiment(overrides)


# ── Runs ──────────────────────────────────────────────────────────────────────────────────────


def test_regression_needs_no_critic_and_a_run_translates(tmp_path: Path) -> None:
    tree = {
        **PAIRED,
        "game.directions": ["a2b"],
        "schedule": [{"repeat": 8, "phases": {"mle": 1}}],
        **dict.fromkeys(("critic", "objective", "estimator")),
    }
    run = open_run(train(tmp_path / "run", tree))
    assert run.critic is None
    made = run.transform_pictures(torch.zeros(2, 3, 16, 16))
    assert made.shape == (2, 3, 16, 16)
    with pytest.raises(UserError, match="was not trained that way"):
        run.transform_pictures(torch.zeros(1, 3, 16, 16), "b2a")


def test_the_critic_of_pairs_is_loaded(tmp_path: Path) -> None:
    run = open_run(train(tmp_path / "run", {**PAIRED, "game.directions": ["a2b"]}))
    assert run.critic.keys() == {"b"}
    x = torch.zeros(2, 3, 16, 16)
    assert run.critic["b"](x, None, x).score.shape == (2,)


def test_the_spaces_of_pairs() -> None:
    face, edge = ArraySpace((3, 16, 16)), ArraySpace((1, 16, 16))
    assert face.given(edge).stacked.shape == (4, 16, 16)
    assert face.stacked == face
    assert face.given(edge).conditional
    assert SequenceSpace(5, 4).given(SequenceSpace(5, 7)).prompt == 7
