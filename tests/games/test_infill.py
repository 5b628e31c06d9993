"""Filling blanks: what may be written where, what is blanked, and the game around it."""

from typing import Any

import pytest
import torch
from enumeration import log_probs, mask_of, sentences
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_game, build_generating_module, build_task
from seqgan.core.errors import UserError
from seqgan.core.types import Batch, Rollout, SequenceSpace
from seqgan.data.blanks import blanked
from seqgan.decoding import Ancestral, continuations, sample, token_log_probs
from seqgan.estimators.score_function import step_entropy
from seqgan.games.adversarial import AdversarialGame
from seqgan.models.config import RnnGeneratorConfig, TransformerGeneratorConfig
from seqgan.models.infilling import InfillingGenerator, with_blanks

CPU = torch.device("cpu")
SPACE = SequenceSpace(vocab_size=3, length=4, end_id=2)
BLANK = 3
TOLD = torch.tensor(
    [
        [BLANK, BLANK, BLANK, BLANK],
        [1, BLANK, 0, BLANK],
        [BLANK, 0, 2, 2],
        [1, BLANK, BLANK, 1],
        [0, 1, 2, 2],
        [0, BLANK, BLANK, BLANK],
    ]
)
"""Sentences with blanks: all, holes, a given end, holes before a given last token, none."""


def make_infiller(name: str = "gru") -> InfillingGenerator:
    torch.manual_seed(0)
    config: Any = RnnGeneratorConfig(name="gru", embed=4, hidden=5)
    if name == "transformer":
        config = TransformerGeneratorConfig(name="transformer", width=8, heads=2, layers=1)
    elif name == "lstm":
        config = RnnGeneratorConfig(name="lstm", embed=4, hidden=5)
    generator = InfillingGenerator(config.build(with_blanks(SPACE)), SPACE)
    for parameter in generator.parameters():
        parameter.data.mul_(2)
    return generator.eval()


def fits(sentence: list[int], told: list[int]) -> bool:
    """Whether a sentence says at each column that counts what was given there, and all of it is
    part of the sentence."""
    end = sentence.index(2) if 2 in sentence else len(sentence)
    visible = all(t in (BLANK, s) for s, t in zip(sentence, told, strict=True))
    return visible and all(t == BLANK or column <= end or t == 2 for column, t in enumerate(told))


@pytest.mark.parametrize("name", ["lstm", "gru", "transformer"])
@pytest.mark.parametrize("told", TOLD.tolist())
def test_the_sentences_that_fit_and_no_others_share_all_probability(
    name: str, told: list[int]
) -> None:
    generator, ids_RT = make_infiller(name), sentences(SPACE)
    mask_RT = mask_of(ids_RT, SPACE.end_id)
    cond = torch.tensor([told]).expand(len(ids_RT), -1)
    with torch.no_grad():
        prob_R = token_log_probs(generator, ids_RT, mask_RT, cond=cond).sum(1).exp()
    fitting_R = torch.tensor([fits(row, told) for row in ids_RT.tolist()])
    assert float(prob_R[fitting_R].sum()) == pytest.approx(1, abs=1e-5)
    assert bool((prob_R[fitting_R] > 0).all())
    assert bool((prob_R[~fitting_R] == 0).all())


@pytest.mark.parametrize("name", ["lstm", "gru", "transformer"])
def test_the_step_loop_equals_the_forward_pass(name: str) -> None:
    generator = make_infiller(name)
    ids_BT = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 1], [1, 0, 2, 2], [1, 0, 0, 1]])
    cond = TOLD[:4]
    out = generator.start(4, cond)
    logits = [out.logits_BV]
    for x_B in ids_BT[:, :-1].unbind(1):
        out = generator.step(x_B, out.state)
        logits.append(out.logits_BV)
    torch.testing.assert_close(
        torch.stack(logits, 1).log_softmax(-1), generator(ids_BT, cond).log_softmax(-1)
    )


def test_samples_and_continuations_fit() -> None:
    generator = make_infiller()
    cond = TOLD.repeat(200, 1)
    torch.manual_seed(0)
    rollout = sample(generator, SPACE, len(cond), Ancestral(), cond)
    rows = zip(rollout.ids_BT.tolist(), cond.tolist(), strict=True)
    assert all(fits(row, told) for row, told in rows)
    assert len(rollout.ids_BT.unique(dim=0)) > 15
    ids_PNBT = continuations(generator, SPACE, rollout, 2, Ancestral())
    for ids_BT in ids_PNBT.flatten(0, 1):
        rows = zip(ids_BT.tolist(), cond.tolist(), strict=True)
        assert all(fits(row, told) for row, told in rows)


def test_what_is_given_has_no_gradient_and_no_entropy() -> None:
    generator = make_infiller()
    ids_BT, cond = torch.tensor([[0, 1, 2, 2]]), TOLD[4:5]
    logp_BT = token_log_probs(generator, ids_BT, mask_of(ids_BT, 2), cond=cond)
    assert torch.equal(logp_BT, torch.zeros(1, 4))
    rollout = Rollout(ids_BT, ids_BT, mask_of(ids_BT, 2), cond)
    loss = logp_BT.sum() + step_entropy(generator, rollout)
    loss.backward()
    gradients = [p.grad for p in generator.parameters() if p.grad is not None]
    assert gradients
    assert all(bool((g == 0).all()) for g in gradients)


def test_told_nothing_everything_is_blank() -> None:
    generator, ids_RT = make_infiller(), sentences(SPACE)
    mask_RT = mask_of(ids_RT, SPACE.end_id)
    blank = torch.full_like(ids_RT, BLANK)
    torch.testing.assert_close(
        token_log_probs(generator, ids_RT, mask_RT),
        token_log_probs(generator, ids_RT, mask_RT, cond=blank),
    )
    logp_R = log_probs(generator, ids_RT, SPACE.end_id).sum(1)
    assert float(logp_R.exp().sum().detach()) == pytest.approx(1, abs=1e-5)


# ── What is blanked ───────────────────────────────────────────────────────────────────────────


def real_batch(rows: int, space: SequenceSpace) -> Batch:
    ids_RT = sentences(space)
    ids_BT = ids_RT[torch.randint(len(ids_RT), (rows,))]
    return Batch(ids_BT, mask_of(ids_BT, space.end_id))


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("shares", [(0.25, 1.0), (0.5, 0.5), (1.0, 1.0)])
def test_blanks_cover_their_share(contiguous: bool, shares: tuple[float, float]) -> None:
    torch.manual_seed(0)
    space = SequenceSpace(vocab_size=2, length=8)
    real = real_batch(4000, space)
    cond = blanked(real, 2, shares, contiguous)
    hidden_BT = cond == 2
    assert torch.equal(cond[~hidden_BT], real.x[~hidden_BT])
    per_row_B = hidden_BT.float().mean(1)
    assert float(per_row_B.mean()) == pytest.approx(sum(shares) / 2, abs=0.02)
    if contiguous:
        assert float(per_row_B.min()) == pytest.approx(shares[0], abs=0.07)
        borders_B = hidden_BT.long().diff(dim=1).abs().sum(1)
        assert int(borders_B.max()) <= 2, "one run"
    if contiguous and shares == (0.5, 0.5):  # four of eight columns, from any of five on
        starts = hidden_BT.long().argmax(1).bincount(minlength=5) / len(hidden_BT)
        assert starts.tolist() == pytest.approx([0.2] * 5, abs=0.03)


@pytest.mark.parametrize("contiguous", [True, False])
def test_a_blanked_end_hides_what_is_behind_it(contiguous: bool) -> None:
    torch.manual_seed(0)
    real = real_batch(2000, SPACE)
    cond = blanked(real, BLANK, (0.1, 1.0), contiguous)
    last_B1 = real.mask.sum(1, keepdim=True) - 1
    end_hidden_B1 = cond.gather(1, last_B1) == BLANK
    behind_BT = ~real.mask
    assert bool(((cond == BLANK) == end_hidden_B1)[behind_BT].all())
    assert 0 < int(end_hidden_B1.sum()) < 2000
    whole = blanked(real, BLANK, (1.0, 1.0), contiguous)
    assert bool((whole == BLANK).all()), "a fully blanked sentence does not tell its length"


# ── The game ──────────────────────────────────────────────────────────────────────────────────

GAME: dict[str, Any] = {
    "game": {"name": "infill", "mle_weight": 0.1},
    "critic": {"name": "rnn", "embed": 4, "hidden": 4},
    "estimator": {
        "name": "score_function",
        "credit": {"name": "gae"},
        "baseline": {"name": "learned", "embed": 4, "hidden": 4},
    },
    "train.batch_size": 32,
}


def make_game(**overrides: Any) -> AdversarialGame:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    experiment = tiny_experiment({**GAME, **changes})
    game = build_game(experiment, build_task(experiment, CPU, None), CPU)
    assert isinstance(game, AdversarialGame)
    return game


def test_every_player_learns_in_its_phase_and_reads_the_blanks() -> None:
    game = make_game()
    moved: dict[str, set[str]] = {}
    for phase in ("mle", "critic", "generator") * 2:
        for player, loss, _ in game.updates(phase):
            before = {name: p.clone() for name, p in player.module.named_parameters()}
            player.update(loss)
            moved.setdefault(player.name, set()).update(
                name for name, p in player.module.named_parameters() if not p.equal(before[name])
            )
    for name, player in game.players.items():
        trainable = {n for n, p in player.module.named_parameters() if p.requires_grad}
        assert moved[name] == trainable
        embeddings = [p for n, p in player.module.named_parameters() if "embedding.weight" in n]
        assert embeddings[0].shape[0] == 5, "four tokens and the blank"


def test_critic_and_generator_are_told_the_same_blanked_sentences() -> None:
    game = make_game()
    seen: list[Tensor] = []
    critic = game.players["critic"].module
    critic.register_forward_hook(lambda module, arguments, _: seen.append(arguments[2]))
    rollouts = []
    draw = game.generator.estimator.sample

    def look(generator: Any, request: Any) -> Rollout:
        rollouts.append(draw(generator, request))
        return rollouts[-1]

    game.generator.estimator.sample = look
    list(game.updates("critic"))
    real_cond, fake_cond = seen
    assert torch.equal(real_cond, fake_cond)
    given_BT = fake_cond != 4
    assert torch.equal(rollouts[0].ids_BT[given_BT], fake_cond[given_BT])
    assert 0 < int(given_BT.sum()) < given_BT.numel()


def test_a_generator_update_raises_the_mean_score() -> None:
    """Of a frozen critic, on one batch of blanked sentences and fresh samples."""
    game = make_game(
        game={"name": "infill"},
        objective={"name": "wgan"},
        train__batch_size=1024,
        players__generator={"optimizer": "sgd", "lr": 0.1, "clip_norm": None},
    )
    for _ in range(30):
        for player, loss, _ in game.updates("critic"):
            player.update(loss)
    generator, critic = (game.players[name].module for name in ("generator", "critic"))
    real = game.stream.next()

    def mean_score() -> float:
        torch.manual_seed(5)
        space = SequenceSpace(vocab_size=4, length=3)
        with torch.no_grad():
            rollout = sample(generator, space, 4096, Ancestral(), real.cond.repeat(4, 1))
            return float(critic(rollout.ids_BT, rollout.mask_BT, rollout.cond).score.mean())

    before = mean_score()
    for _ in range(4):
        for player, loss, _ in game.updates("generator"):
            player.update(loss)
    assert mean_score() > before + 1e-3


def test_a_finished_generator_is_made_again_from_its_configuration() -> None:
    """What `seqgan sample` does: the space of the data, no blanks anywhere."""
    experiment = tiny_experiment(GAME)
    module = build_generating_module(experiment, SequenceSpace(vocab_size=4, length=3))
    assert isinstance(module, InfillingGenerator)
    rollout = sample(module, SequenceSpace(vocab_size=4, length=3), 50, Ancestral())
    assert int(rollout.ids_BT.max()) <= 3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"estimator": {"name": "soft_gumbel"}}, "choose from: score_function, ppo, grpo"),
        ({"game.shares": [0.9, 0.1]}, "the least share comes first"),
        ({"critic": None}, "needs critic"),
    ],
)
def test_what_does_not_fit_is_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny_experiment({**GAME, **overrides})
