"""Categories: the k + 1 classes of SentiGAN against plain cross-entropy, and who obeys a label."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from enumeration import PrefixTable, assert_same_vector, gradient, sentences
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.types import Scores, SequenceSpace
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.critics import CriticReward
from seqgan.games.evolution import EvolutionaryGame
from seqgan.models.config import ClassesCriticConfig, CnnCriticConfig, MlpCriticConfig
from seqgan.models.critics.classes import ClassesCritic, log_odds
from seqgan.objectives.classes import Classes

CPU = torch.device("cpu")
SPACE = SequenceSpace(vocab_size=3, length=3, prompt=1)
TRUNKS = {
    "mlp": MlpCriticConfig(name="mlp", hidden=6, layers=1),
    "cnn": CnnCriticConfig(name="cnn", embed=4, widths=[1, 2], filters=[4, 4]),
}


def make_critic(trunk: str = "mlp") -> ClassesCritic:
    torch.manual_seed(0)
    critic = ClassesCriticConfig(name="classes", trunk=TRUNKS[trunk]).build(SPACE)
    assert isinstance(critic, ClassesCritic)
    return critic.eval()


def samples(rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sentences, their mask and labels."""
    ids_BT = torch.randint(3, (rows, 3))
    return ids_BT, torch.ones_like(ids_BT, dtype=torch.bool), torch.randint(3, (rows, 1))


@pytest.mark.parametrize("trunk", TRUNKS)
def test_the_score_is_the_log_odds_of_the_label(trunk: str) -> None:
    critic = make_critic(trunk)
    ids_BT, mask_BT, label_B1 = samples(20)
    scores = critic(ids_BT, mask_BT, label_B1)
    prob_BK = scores.features_BF.softmax(-1)
    assert prob_BK.shape == (20, 4)
    expected_B = prob_BK[torch.arange(20), label_B1[:, 0]]
    torch.testing.assert_close(scores.score.sigmoid(), expected_B)


def test_log_odds_do_not_overflow() -> None:
    logits_BK = torch.tensor([[80.0, -40.0, 0.0], [-90.0, 50.0, 60.0]])
    found = log_odds(logits_BK, torch.tensor([[0], [0]]))
    torch.testing.assert_close(found, torch.tensor([80.0, -150.0]), rtol=1e-4, atol=1e-3)


def test_the_critics_loss_is_the_cross_entropy_of_all_classes() -> None:
    """Value and gradient, real and generated samples halves of one batch."""
    critic, objective = make_critic(), Classes()
    real, fake = samples(8), samples(8)
    loss = objective.critic_loss(critic(*real), critic(*fake))
    features = torch.cat([critic.trunk(x, mask).features_BF for x, mask, _ in (real, fake)])
    generated_B = torch.full((8,), 3)
    target_B = torch.cat([real[2][:, 0], generated_B])
    expected = 2 * F.cross_entropy(critic.classes(features), target_B)
    torch.testing.assert_close(loss, expected)
    assert_same_vector(gradient(loss, critic), gradient(expected, critic))


def test_a_sentence_is_a_penalty_unless_it_is_of_its_own_category() -> None:
    objective = Classes()
    logits_BK = torch.tensor([[9.0, 0.0, 0.0, 0.0], [0.0, 9.0, 0.0, 0.0], [0.0, 0.0, 0.0, 9.0]])
    label_B1 = torch.zeros(3, 1, dtype=torch.long)
    value_B = objective.reward(Scores(log_odds(logits_BK, label_B1), features_BF=logits_BK))
    expected_B = logits_BK.softmax(-1)[:, 0] - 1
    torch.testing.assert_close(value_B, expected_B)
    own, other, generated = value_B.tolist()
    assert own == pytest.approx(0, abs=1e-3)
    assert other == pytest.approx(-1, abs=1e-3), "a sentence of another category is no help"
    assert generated == pytest.approx(-1, abs=1e-3)


def test_the_penalty_has_the_gradient_of_lowering_g_times_one_minus_d() -> None:
    """Σ G(x)·(1 − P(c | x)) over all sentences, differentiated through G."""
    space = SequenceSpace(vocab_size=3, length=3)
    generator, ids_RT = PrefixTable(space), sentences(space)
    mask_RT = torch.ones_like(ids_RT, dtype=torch.bool)
    label_R1 = torch.full((len(ids_RT), 1), 2)
    with torch.no_grad():
        critic = make_critic()
        prob_R = critic(ids_RT, mask_RT, label_R1).features_BF.softmax(-1)[:, 2]
        reward = CriticReward(critic, Classes(), None, label_R1)
        value_R = reward(ids_RT, mask_RT)
    logp_R = generator(ids_RT).log_softmax(-1).gather(-1, ids_RT[..., None])[..., 0].sum(1)
    penalty = (logp_R.exp() * (1 - prob_R)).sum()
    of_value = -(logp_R.exp() * value_R).sum()
    assert_same_vector(gradient(of_value, generator, True), gradient(penalty, generator))


# ── The games ─────────────────────────────────────────────────────────────────────────────────

CATEGORIES: dict[str, Any] = {
    "data": {
        "name": "conditional_oracle",
        "prompt": 1,
        "labels": 3,
        "train": 64,
        "valid": 32,
        "test": 32,
        "oracle": {"name": "random_gru", "vocab_size": 4, "length": 3, "embed": 4, "hidden": 8},
    },
    "game": {"name": "conditional", "mismatched": 0.0},
    "critic": {"name": "classes", "trunk": {"name": "mlp", "hidden": 8, "layers": 1}},
    "objective": {"name": "classes"},
}
CATGAN: dict[str, Any] = {
    **CATEGORIES,
    "game": {
        "name": "conditional",
        "mismatched": 0.0,
        "evolution": {"mutations": ["rsgan", "non_saturating"]},
    },
    "critic": {"name": "mlp", "hidden": 8, "layers": 1},
    "objective": {"name": "rsgan", "paired": True},
    "schedule": [{"repeat": 2, "phases": {"critic": 1, "evolve": 1}}],
}


def make_game(tree: dict[str, Any]) -> Any:
    experiment = tiny_experiment(tree)
    return build_game(experiment, build_task(experiment, CPU, None), CPU)


def test_sentigan_trains_all_that_its_players_use() -> None:
    game = make_game(CATEGORIES)
    assert isinstance(game, AdversarialGame)
    moved: dict[str, set[str]] = {}
    for phase in ("mle", "critic", "generator") * 2:
        for player, loss, _ in game.updates(phase):
            before = {name: p.clone() for name, p in player.module.named_parameters()}
            player.update(loss)
            moved.setdefault(player.name, set()).update(
                name for name, p in player.module.named_parameters() if not p.equal(before[name])
            )
    for name, player in game.players.items():
        assert moved[name] == {n for n, p in player.module.named_parameters() if p.requires_grad}
    assert not any("readout" in name for name in moved["critic"])


def test_catgan_compares_with_real_sentences_of_the_same_category_and_evolves() -> None:
    game = make_game(CATGAN)
    assert isinstance(game, EvolutionaryGame)
    conditions: list[Tensor] = []
    game.players["critic"].module.register_forward_hook(
        lambda module, arguments, _: conditions.append(arguments[2])
    )
    for phase in ("critic", "evolve"):
        conditions.clear()
        for player, loss, _ in game.updates(phase):
            player.update(loss)
        assert len(conditions) >= 2
        assert all(torch.equal(cond, conditions[0]) for cond in conditions)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"objective": {"name": "minimax"}}, "use objective classes"),
        ({"critic": {"name": "mlp"}}, "use critic classes"),
        ({"game": {"name": "conditional", "mismatched": 0.5}}, "set game.mismatched to 0"),
        ({"data.prompt": 2, "data.labels": None}, "prompts of one token"),
    ],
)
def test_what_does_not_fit_is_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        tiny_experiment({**CATEGORIES, **overrides})
