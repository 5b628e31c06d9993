"""The residual game: who learns from what, and what its critic is worth on an oracle that is
listed."""

from typing import Any

import pytest
import torch
from tiny_runs import tiny_experiment
from torch import Tensor, nn

from seqgan.assembly import build_game, build_task
from seqgan.core.enumeration import all_sequences
from seqgan.core.errors import UserError
from seqgan.core.types import Batch, Critic, Generator, Rollout, Scores, SequenceSpace
from seqgan.decoding import sequence_log_probs
from seqgan.decoding.correction import CorrectedSamples, critic_logits
from seqgan.evaluation.task import Task
from seqgan.games import drawn_ahead, residual
from seqgan.games.criterion import Criterion
from seqgan.games.drawn_ahead import DrawnAhead
from seqgan.games.residual import (
    CorrectionReward,
    FirstCalibration,
    ResidualGame,
    build_folds,
    exchange_at_random,
)
from seqgan.metrics.certificate import (
    Certificate,
    calibrate,
    certificate,
    certificate_difference,
)
from seqgan.metrics.divergence import exact_divergences
from seqgan.objectives.divergences import Divergence

CPU = torch.device("cpu")
SCHEDULE = [
    {"repeat": 2, "phases": {"mle": 1, "critic": 1}},
    {"repeat": 2, "phases": {"distill": 1}},
]


def make(overrides: dict[str, Any] | None = None) -> tuple[ResidualGame, Task]:
    tree = {
        "game": {"name": "residual"},
        "estimator": None,
        "generator": {"name": "gru", "embed": 4, "hidden": 8, "dropout": 0.5},
        "schedule": SCHEDULE,
        **(overrides or {}),
    }
    experiment = tiny_experiment(tree)
    task = build_task(experiment, CPU)
    game = build_game(experiment, task, CPU)
    assert isinstance(game, ResidualGame)
    return game, task


def weights(module: nn.Module) -> list[Tensor]:
    return [value.clone() for value in module.state_dict().values()]


def visit(game: ResidualGame, phase: str, times: int = 1) -> set[str]:
    """The players whose weights changed."""
    before = {name: weights(player.module) for name, player in game.players.items()}
    for _ in range(times):
        for player, loss, _ in game.updates(phase):
            player.update(loss)
    return {
        name
        for name, player in game.players.items()
        if not all(map(torch.equal, before[name], weights(player.module)))
    }


# ── Who learns ────────────────────────────────────────────────────────────────────────────────


def test_each_phase_teaches_its_own_players() -> None:
    game, _ = make()
    assert set(game.players) == {"generator", "critic", "distilled"}
    assert visit(game, "mle") == {"generator"}
    assert visit(game, "critic") == {"critic"}
    assert visit(game, "distill") == {"distilled"}


def test_players_exist_where_the_schedule_visits_their_phases() -> None:
    only_critic = [{"repeat": 1, "phases": {"mle": 1, "critic": 1}}]
    game, _ = make({"schedule": only_critic})
    assert set(game.players) == {"generator", "critic"}
    assert set(game.stateful()) == {"stream", "generator_drawn"}
    game, _ = make({"schedule": only_critic, "game.cross_fit": True})
    assert set(game.players) == {"generator", "critic", "fold_1", "fold_2"}
    assert visit(game, "mle") == {"generator", "fold_1", "fold_2"}
    assert visit(game, "critic") == {"critic"}


def test_the_critic_reads_the_generator_that_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Averaged weights, without dropout."""
    game, _ = make({"players.generator": {"ema": 0.9}})
    visit(game, "mle", 3)
    seen: list[Generator] = []

    def spy(generator: Generator, *arguments: Any) -> Any:
        seen.append(generator)
        assert not generator.training
        return sampled(generator, *arguments)

    sampled = drawn_ahead.hard_samples
    monkeypatch.setattr(drawn_ahead, "hard_samples", spy)
    visit(game, "critic")
    with game.players["generator"].evaluated() as averaged:
        assert seen == [averaged]
    assert averaged is not game.players["generator"].module


def test_prompts_and_layers_of_the_generator_serve_the_critic() -> None:
    data = {
        "name": "conditional_oracle",
        "train": 40,
        "valid": 16,
        "test": 16,
        "oracle": {"name": "random_gru", "vocab_size": 4, "length": 3, "embed": 4, "hidden": 8},
    }
    game, _ = make(
        {
            "data": data,
            "generator": {"name": "gru", "embed": 4, "hidden": 8},
            "critic": {
                "name": "rnn",
                "cell": "gru",
                "embed": 4,
                "hidden": 8,
                "from_generator": True,
            },
            "schedule": [
                {"repeat": 1, "phases": {"mle": 1, "copy_critic": 1, "critic": 1, "distill": 1}}
            ],
            "game.cross_fit": True,
        }
    )
    assert visit(game, "copy_critic") == {"critic"}
    assert visit(game, "critic") == {"critic"}
    assert visit(game, "distill") == {"distilled"}
    assert game._calibration.found is not None
    assert game._calibration.found.beta == 0


# ── The critic's batch ────────────────────────────────────────────────────────────────────────


class Steps(Critic):
    """Scores every step by its token."""

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return Scores(x.float() - 1, mask)


def test_the_loss_is_of_the_logit_of_the_sentence() -> None:
    space = SequenceSpace(vocab_size=4, length=3)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    real, fake = Batch(torch.tensor([[3, 2, 0], [1, 2, 3]]), mask), Batch(mask.long(), mask)
    criterion = Criterion(Divergence("non_saturating"), [], space, of_sentences=True)
    loss, _ = criterion.critic_loss(Steps(), real, fake)
    d_real, d_fake = torch.tensor([1.5, 1.0]), torch.tensor([0.0, 0.0])
    expected = nn.functional.softplus(-d_real).mean() + nn.functional.softplus(d_fake).mean()
    torch.testing.assert_close(loss, expected)


def test_samples_of_a_former_generator_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were drawn ahead, when likelihood or a rollback changes the generator."""
    monkeypatch.setattr(drawn_ahead, "ONE_BY_ONE", 0)
    rounds: list[dict[str, Any]] = [{"repeat": 2, "phases": {"mle": 2, "rollback": 1, "critic": 1}}]
    for changing in ("mle", "rollback"):
        game, _ = make({"schedule": rounds})
        drawn = game.stateful()["generator_drawn"]
        assert isinstance(drawn, DrawnAhead)
        visit(game, "critic")
        assert drawn.state_dict()["taken"] == 1
        visit(game, changing)
        assert drawn.state_dict() == {"taken": 0, "left": None}


def test_folds_read_halves_and_the_critic_the_other_one() -> None:
    ids = torch.arange(11)[:, None]
    train = Batch(ids, torch.ones_like(ids, dtype=torch.bool), ids + 100)
    game, _ = make({"game.cross_fit": True})
    players = [game.players["fold_1"], game.players["fold_2"]]
    folds = build_folds(players, train, batch_size=6, seed=3)  # type: ignore[arg-type]
    read = [{int(i) for _ in range(8) for i in fold.own.next().x} for fold in folds]
    unread = [{int(i) for _ in range(8) for i in fold.unread.next().x} for fold in folds]
    assert read[0] | read[1] == set(range(11))
    assert read[0] & read[1] == set()
    assert unread == [read[1], read[0]]
    assert {len(half) for half in read} == {5, 6}
    assert sorted(read[0]) != list(range(6)), "the order of the file may mean something"
    batch = folds[0].unread.next()
    assert len(batch.x) == 3
    assert batch.cond is not None
    assert torch.equal(batch.cond, batch.x + 100)


def test_the_critic_compares_a_fold_with_what_it_has_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    game, _ = make({"game.cross_fit": True})
    compared = []

    def spy(writer: Any, real: Batch) -> tuple[Batch, Batch]:
        compared.append((writer.name, real))
        return compare(writer, real)

    compare = game._compared
    monkeypatch.setattr(game, "_compared", spy)
    of_halves = [fold.unread.state_dict() for fold in game._folds]
    visit(game, "critic")
    assert [name for name, _ in compared] == ["fold_1", "fold_2"]
    assert [len(real.x) for _, real in compared] == [4, 4]
    for fold, state, (_, real) in zip(game._folds, of_halves, compared, strict=True):
        fold.unread.load_state_dict(state)
        assert torch.equal(fold.unread.next().x, real.x)


def test_one_sentence_has_no_halves() -> None:
    one = Batch(torch.zeros(1, 3, dtype=torch.long), torch.ones(1, 3, dtype=torch.bool))
    with pytest.raises(UserError, match="set it to false"):
        build_folds([], one, 4, 0)


def test_labels_are_exchanged_row_by_row() -> None:
    rows = 400
    real = Batch(torch.zeros(rows, 3), torch.ones(rows, 3).bool(), torch.arange(rows)[:, None])
    fake = Batch(torch.ones(rows, 3), torch.zeros(rows, 3).bool(), real.cond)
    torch.manual_seed(0)
    one, other = exchange_at_random(real, fake)
    assert one.mask is not None
    assert other.mask is not None
    assert torch.equal(one.x + other.x, torch.ones(rows, 3))
    assert torch.equal(one.mask, one.x == 0)
    assert torch.equal(other.mask, other.x == 0)
    assert 160 < int(one.x[:, 0].sum()) < 240
    assert one.cond is real.cond


# ── Distillation ──────────────────────────────────────────────────────────────────────────────


def test_distillation_starts_from_the_generator_as_it_is_then() -> None:
    game, _ = make({"players.generator": {"ema": 0.9}, "players.distilled": {"lr": 0, "ema": 0.5}})
    visit(game, "mle", 3)
    visit(game, "distill")
    with game.players["generator"].evaluated() as teacher:
        taught = weights(teacher)
    with game.players["distilled"].evaluated() as averaged:
        assert all(map(torch.equal, weights(averaged), taught))
    assert all(map(torch.equal, weights(game.players["distilled"].module), taught))


def test_it_is_calibrated_once_and_on_the_validation_set(monkeypatch: pytest.MonkeyPatch) -> None:
    game, task = make()
    assert task.sequences is not None
    held_out, generator = task.sequences.held_out, game.players["generator"].module.eval()
    assert isinstance(generator, Generator)
    calls = []

    def spy(d_real_N: Tensor, logg_real_N: Tensor, *fake: Tensor, **more: Any) -> Any:
        calls.append((d_real_N, logg_real_N, len(fake[0]), more))
        return calibrate(d_real_N, logg_real_N, *fake, **more)

    monkeypatch.setattr(residual, "calibrate", spy)
    visit(game, "critic", 2)
    assert isinstance(game.players["critic"].module, Critic)
    d_N = critic_logits(game.players["critic"].module, held_out)
    assert held_out.mask is not None
    logg_N = sequence_log_probs(generator, held_out.x, held_out.mask)
    visit(game, "distill")
    first = game._calibration.found
    visit(game, "critic", 2)
    visit(game, "distill")
    ((d_real_N, logg_real_N, fakes, more),) = calls
    torch.testing.assert_close(d_real_N, d_N)
    torch.testing.assert_close(logg_real_N, logg_N)
    assert fakes >= 4_000
    assert more == {"clip": 10, "conditional": False}
    assert game._calibration.found is first


def test_one_validation_sentence_calibrates_nothing_and_says_so(
    capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    game, _ = make({"data.valid": 1})
    visit(game, "distill")
    found = game._calibration.found
    assert found is not None
    assert (found.alpha, found.beta, found.log_weight(torch.ones(3)).tolist()) == (0, 0, [0.0] * 3)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: fewer than 2 validation sentences")
    assert not recwarn.list


def test_a_checkpoint_holds_the_calibration() -> None:
    game, _ = make()
    part = game.stateful()["calibration"]
    assert isinstance(part, FirstCalibration)
    assert part.state_dict() == {"calibration": None}
    visit(game, "distill")
    other = make()[0].stateful()["calibration"]
    assert isinstance(other, FirstCalibration)
    other.load_state_dict(part.state_dict())
    assert other.found == part.found


# ── Rollback ──────────────────────────────────────────────────────────────────────────────────

ROLLBACK = {"schedule": [{"repeat": 2, "phases": {"mle": 2, "rollback": 1, "critic": 1}}]}


def held_out_nll(game: ResidualGame, task: Task) -> float:
    assert task.sequences is not None
    held_out = task.sequences.held_out
    with game.players["generator"].evaluated() as generator:
        assert isinstance(generator, Generator)
        return -float(sequence_log_probs(generator, held_out.x, held_out.mask).sum())


@pytest.mark.parametrize("ema", [None, 0.5])
def test_rollback_returns_to_the_best_validation_likelihood(ema: float | None) -> None:
    game, task = make({**ROLLBACK, "players.generator": {"ema": ema}})
    at_start = held_out_nll(game, task)
    assert visit(game, "rollback") == set(), "nothing to go back to"
    visit(game, "mle", 10)
    better = held_out_nll(game, task)
    assert better < at_start
    assert visit(game, "rollback") == set()
    player = game.players["generator"]
    with torch.no_grad():
        for weight in player.module.parameters():
            weight.add_(torch.randn_like(weight))
    with player.evaluated() as evaluated:
        evaluated.load_state_dict(player.module.state_dict())
    assert held_out_nll(game, task) > better
    visit(game, "rollback")
    assert held_out_nll(game, task) == pytest.approx(better)


def test_rollback_returns_to_the_best_language_model_too() -> None:
    schedule = [{"repeat": 2, "phases": {"mle": 1, "critic_mle": 1, "rollback": 1}}]
    game, task = make({"critic": BACKWARD, "schedule": schedule})
    assert task.sequences is not None
    visit(game, "critic_mle", 10)
    visit(game, "rollback")
    network = game.players["critic"].module
    assert isinstance(network, Critic)
    best = critic_logits(network, task.sequences.held_out)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight))
    assert visit(game, "rollback") == {"critic"}
    torch.testing.assert_close(critic_logits(network, task.sequences.held_out), best)


def test_a_checkpoint_holds_the_best_weights() -> None:
    game, task = make(ROLLBACK)
    visit(game, "mle", 10)
    visit(game, "rollback")
    other, _ = make(ROLLBACK)
    kept, loaded = game.stateful()["rollback_0"], other.stateful()["rollback_0"]
    loaded.load_state_dict(kept.state_dict())
    visit(other, "rollback")
    assert held_out_nll(other, task) == pytest.approx(held_out_nll(game, task))


# ── Policy gradient ───────────────────────────────────────────────────────────────────────────

POLICY: dict[str, Any] = {
    "estimator": {"name": "score_function"},
    "objective": {"name": "non_saturating", "reward": "logit"},
    "schedule": [{"repeat": 2, "phases": {"mle": 1, "critic": 1, "generator": 1}}],
}


def test_the_policy_starts_as_the_generator_and_learns_alone() -> None:
    game, _ = make({**POLICY, "players.generator": {"ema": 0.9}, "players.policy": {"lr": 0}})
    visit(game, "mle", 3)
    assert visit(game, "generator") == {"policy"}, "what it starts from"
    with game.players["generator"].evaluated() as generator:
        assert all(map(torch.equal, weights(game.players["policy"].module), weights(generator)))
    visit(game, "mle", 3)
    assert visit(game, "generator") == set(), "it starts once"
    game, _ = make({**POLICY, "estimator.baseline": {"name": "learned"}})
    assert visit(game, "generator", 2) == {"policy", "baseline"}


@pytest.mark.parametrize("name", ["critic", "critic_mle"])
def test_the_policy_becomes_the_corrected_generator(name: str) -> None:
    """G_f, listed: an optimum that no step leads away from."""
    overrides = {**POLICY, "train.batch_size": 256, "players.policy": {"lr": 0.02}}
    model = {"critic": BACKWARD, "schedule": [{"repeat": 1, "phases": {name: 1, "generator": 1}}]}
    game, _ = make(
        {**overrides, **(model if name == "critic_mle" else {}), "players.critic.lr": 0.02}
    )
    visit(game, name, 40)
    ids_RT, mask_RT = all_sequences(4, 3), torch.ones(64, 3, dtype=torch.bool)
    generator, critic = game.players["generator"].module, game.players["critic"].module
    assert isinstance(generator, Generator)
    assert isinstance(critic, Critic)
    generator.eval()
    correction = game._calibration.correction(generator, critic.eval())
    f_R = correction.log_weight(generator, Batch(ids_RT, mask_RT))
    logg_R = sequence_log_probs(generator, ids_RT, mask_RT)
    optimum_R = (logg_R + f_R.float()).log_softmax(0)
    visit(game, "generator", 150)
    policy = game.players["policy"].module.eval()
    assert isinstance(policy, Generator)
    logp_R = sequence_log_probs(policy, ids_RT, mask_RT)
    before = divergence(logg_R, optimum_R)
    assert before > 0.05
    assert divergence(logp_R, optimum_R) < before / 5


def test_the_reward_of_points_of_the_simplex_is_that_of_their_tokens_at_its_corners() -> None:
    game, _ = make({"critic": BACKWARD, "schedule": CRITIC_MLE})
    visit(game, "critic_mle", 5)
    ids_RT, mask_RT = all_sequences(4, 3), torch.ones(64, 3, dtype=torch.bool)
    generator, critic = (
        game.players["generator"].module.eval(),
        game.players["critic"].module.eval(),
    )
    assert isinstance(generator, Generator)
    assert isinstance(critic, Critic)
    correction = game._calibration.correction(generator, critic)
    assert correction.calibration.beta != 0
    reward = CorrectionReward(generator, correction, None)
    f_R = correction.log_weight(generator, Batch(ids_RT, mask_RT))
    torch.testing.assert_close(reward(ids_RT, mask_RT).double(), f_R, atol=1e-5, rtol=1e-5)
    corners = nn.functional.one_hot(ids_RT, 4).float().requires_grad_()
    soft_R = reward(corners, mask_RT)
    torch.testing.assert_close(soft_R.double(), f_R, atol=1e-5, rtol=1e-5)
    (slope,) = torch.autograd.grad(soft_R.sum(), corners)
    assert slope.abs().sum() > 0


# ── A language model as critic ────────────────────────────────────────────────────────────────

BACKWARD = {"name": "language_model", "cell": "gru", "embed": 4, "hidden": 8, "dropout": 0.5}
CRITIC_MLE = [{"repeat": 2, "phases": {"mle": 1, "critic_mle": 1}}]


def test_a_language_model_learns_the_likelihood_of_real_sentences() -> None:
    critic = {**BACKWARD, "dropout": 0.0}
    game, task = make({"critic": critic, "schedule": CRITIC_MLE, "players.critic": {"lr": 0.02}})
    assert task.sequences is not None
    held_out, network = task.sequences.held_out, game.players["critic"].module
    before = critic_logits(network, held_out).mean()  # type: ignore[arg-type]
    assert visit(game, "critic_mle", 30) == {"critic"}
    assert critic_logits(network, held_out).mean() > before + 0.1  # type: ignore[arg-type]


def test_with_shuffled_labels_it_reads_the_generators_samples() -> None:
    overrides = {"critic": BACKWARD, "schedule": CRITIC_MLE, "game.shuffle_labels": True}
    game, _ = make(overrides | {"generator.dropout": 0.0})
    torch.manual_seed(0)
    ((_, loss, _),) = game.updates("critic_mle")
    torch.manual_seed(0)
    network = game.players["critic"].module
    fake = residual.hard_samples(
        game.players["generator"].module, game._space, residual.SampleRequest(8)
    )
    expected = -network(fake.ids_BT, fake.mask_BT).score.sum() / fake.mask_BT.sum()
    torch.testing.assert_close(loss, expected)


# ── What is refused ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            {"objective": {"name": "wgan"}},
            "game.name=residual needs a logistic critic loss, which objective.name=wgan does not "
            "give; use objective minimax, non_saturating, f_gan with divergence=js",
        ),
        (
            {"schedule": [{"repeat": 1, "phases": {"mle": 1, "distill": 1, "critic": 1}}]},
            "schedule visits 'distill' before the critic learns, whose correction it distils; put "
            "a stage with critic or critic_mle in front of it",
        ),
        (
            {"schedule": [{"repeat": 1, "phases": {"critic": 1}}], "game.cross_fit": True},
            "game.cross_fit=true, but no stage of the schedule has phase 'mle', which teaches the "
            "two further generators; add it, or set cross_fit to false",
        ),
        (
            POLICY | {"estimator.credit": {"name": "per_step"}, "critic": {"name": "rnn"}},
            "the policy of game residual is rewarded for whole sentences, which estimator.name="
            "score_function with these fields cannot use; use credit sequence or rollout",
        ),
        (
            POLICY
            | {
                "estimator": {"name": "leakgan", "credit": {"name": "sequence"}},
                "generator": {"name": "leakgan"},
                "critic": {"name": "cnn", "embed": 4, "widths": [1, 2], "filters": [4, 4]},
            },
            "the critic of game residual corrects a generator that stays as it is, and one with "
            "goals (estimator.name=leakgan) follows its critic; use another generator and "
            "estimator",
        ),
        (
            {"critic": BACKWARD},
            "critic.name=language_model learns by likelihood; let the schedule visit 'critic_mle' "
            "in place of 'critic'",
        ),
        (
            {"critic": BACKWARD, "schedule": CRITIC_MLE, "game.cross_fit": True},
            "game.cross_fit=true trains a classifier on samples of two further generators, and "
            "the schedule's phase 'critic_mle' a language model; set it to false",
        ),
        (
            {"schedule": CRITIC_MLE},
            "schedule visits 'critic_mle', which teaches critic language_model; visit 'critic' in "
            "its place, or use that critic",
        ),
        (
            POLICY | {"game": {"name": "adversarial"}, "critic": BACKWARD},
            "critic.name=language_model learns by likelihood, which game.name=adversarial has no "
            "phase for; use another critic, or game residual",
        ),
        (
            POLICY | {"estimator": None},
            "game.name=residual needs estimator; add it, or use game mle, jsdgan, ddo, dgsan",
        ),
        (
            {"estimator": POLICY["estimator"]},
            "game.name=residual has no use for estimator; remove it, or visit phase 'generator'",
        ),
        (
            {"data.fresh": True, "game.cross_fit": True},
            "game.cross_fit=true needs a finite training set, which data.name=oracle does not "
            "give; set data.fresh=false, or set it to false",
        ),
    ],
    ids=[
        "objective",
        "distill first",
        "folds untaught",
        "rewards of steps",
        "leakgan",
        "language model taught as a classifier",
        "language model and folds",
        "classifier taught as a language model",
        "language model elsewhere",
        "no estimator",
        "unused estimator",
        "fresh data",
    ],
)
def test_what_does_not_fit_is_refused(overrides: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as caught:
        make(overrides)
    assert str(caught.value).removeprefix("tiny: ") == expected


# ── What the critic is worth ──────────────────────────────────────────────────────────────────

LEARNING: dict[str, Any] = {
    "data": {
        "name": "oracle",
        "train": 20_000,
        "valid": 2_000,
        "test": 2_000,
        "oracle": {"name": "random_gru", "vocab_size": 8, "length": 4, "embed": 8, "hidden": 16},
    },
    "generator": {"name": "gru", "embed": 4, "hidden": 4},
    "critic": {"name": "mlp", "hidden": 64, "layers": 1},
    "players": {"generator": {"lr": 2e-2}, "critic": {"lr": 5e-3}, "distilled": {"lr": 2e-2}},
    "train.batch_size": 128,
}
"""A generator too small for its oracle, and a critic that is not."""


def measured(game: ResidualGame, task: Task) -> tuple[Certificate, Certificate, dict[str, float]]:
    """The whole gain, the critic's own, and both by sums over all 4,096 sequences: calibrated on
    the validation set, measured on the test set and other samples."""
    assert task.sequences is not None
    sequences = task.sequences
    test: Batch = task.evaluator._real["test"]
    listed = Batch(all_sequences(8, 4), torch.ones(4_096, 4, dtype=torch.bool))
    assert sequences.log_density is not None
    logp_R = sequences.log_density(listed.x)
    with game.players["generator"].evaluated() as generator:
        critic = game.players["critic"].module
        assert isinstance(generator, Generator)
        assert isinstance(critic, Critic)
        logg_R = sequence_log_probs(generator, listed.x, listed.mask)
        d_R = critic_logits(critic, listed)
    torch.manual_seed(0)
    fresh_M, fitted_M = logg_R.exp().multinomial(8_000, replacement=True).chunk(2)
    valid_N, test_N = index(sequences.held_out.x), index(test.x)
    parts = d_R[valid_N], logg_R[valid_N], d_R[fitted_M], logg_R[fitted_M]
    calibration, plain = calibrate(*parts), calibrate(*parts, use_critic=False)
    f_R, g_R = calibration.log_weight(d_R, logg_R), plain.log_weight(d_R, logg_R)
    whole = certificate(f_R[test_N], f_R[fresh_M], tokens=4)
    own = certificate_difference(f_R[test_N], f_R[fresh_M], g_R[test_N], g_R[fresh_M], tokens=4)

    def kl(log_weight_R: Tensor) -> float:
        return divergence(logp_R, (logg_R + log_weight_R).log_softmax(0))

    return whole, own, {"G": kl(torch.zeros(4_096)), "f": kl(f_R), "g": kl(g_R)}


def divergence(logp_R: Tensor, logq_R: Tensor) -> float:
    return exact_divergences(logp_R, logq_R)["kl_forward"]


def index(ids_NT: Tensor) -> Tensor:
    """Row of `all_sequences(8, 4)`."""
    return ids_NT @ torch.tensor([512, 64, 8, 1])


def test_the_certificate_is_what_the_correction_is_worth() -> None:
    game, task = make(LEARNING)
    visit(game, "mle", 100)
    visit(game, "critic", 250)
    whole, own, exact = measured(game, task)
    assert exact["G"] - exact["f"] > 0.1
    assert whole.low < exact["G"] - exact["f"] < whole.high
    assert own.low < exact["g"] - exact["f"] < own.high
    assert own.low > 0.05
    assert whole.half_width < 0.05


CONVERGED = {**LEARNING, "generator": {"name": "gru", "embed": 8, "hidden": 32}}
"""Where a random feature of sentences has little to correct."""


@pytest.mark.parametrize(
    "control",
    [{"game.shuffle_labels": True}, {"players.critic": {"lr": 0}}],
    ids=["shuffled labels", "rate 0"],
)
def test_a_critic_that_can_learn_nothing_is_worth_nothing(control: dict[str, Any]) -> None:
    game, task = make({**CONVERGED, "players.generator": {"lr": 1e-2}, **control})
    visit(game, "mle", 200)
    visit(game, "critic", 100)
    _, own, exact = measured(game, task)
    assert own.low <= 0
    assert exact["g"] - exact["f"] < 0.002


def test_an_untrained_critic_says_the_same_of_every_sentence() -> None:
    for critic in ("mlp", "transformer"):
        game, task = make({"critic": {"name": critic}})
        assert task.sequences is not None
        assert isinstance(game.players["critic"].module, Critic)
        d_N = critic_logits(game.players["critic"].module, task.sequences.train)
        assert float(d_N.std()) < 2e-3


def test_distillation_learns_without_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    """At rate 0 the same samples have the same loss at every visit."""
    game, task = make({"generator.dropout": 0.5, "players.distilled": {"lr": 0}})
    assert task.sequences is not None
    real = task.sequences.train
    kept = CorrectedSamples(Rollout(real.x, real.x, real.mask), 1.0)
    monkeypatch.setattr(residual, "sample_corrected", lambda *arguments: kept)
    losses = [[float(loss) for _, loss, _ in game.updates("distill")] for _ in range(2)]
    assert losses[0] == losses[1]
    assert game.players["distilled"].module.training, "the mode comes back"


def test_distillation_moves_a_generator_towards_the_truth() -> None:
    """Where likelihood was stopped early."""
    game, task = make({**CONVERGED, "game.resample": 8})
    visit(game, "mle", 25)
    visit(game, "critic", 150)
    assert visit(game, "distill", 60) == {"distilled"}
    assert task.sequences is not None
    assert task.sequences.log_density is not None
    ids_RT, mask_RT = all_sequences(8, 4), torch.ones(4_096, 4, dtype=torch.bool)
    logp_R, found = task.sequences.log_density(ids_RT), {}
    for name in ("generator", "distilled"):
        with game.players[name].evaluated() as generator:
            assert isinstance(generator, Generator)
            found[name] = divergence(logp_R, sequence_log_probs(generator, ids_RT, mask_RT))
    assert found["distilled"] < 0.9 * found["generator"]
