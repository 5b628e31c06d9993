"""Losses in place of the likelihood, against gradients that are made by hand from tables."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from enumeration import (
    PrefixTable,
    assert_same_vector,
    gradient,
    log_probs,
    make_generator,
    mask_of,
    sentences,
    step_logits,
)
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.types import Batch, SequenceSpace
from seqgan.games.mle import likelihood_loss
from seqgan.games.other_likelihoods import emo_loss, gold_loss, mixce_loss, tailr_loss

CPU = torch.device("cpu")
SPACE = SequenceSpace(vocab_size=3, length=3, end_id=2)
ALL = sentences(SPACE)
MASK = mask_of(ALL, SPACE.end_id)
BATCH = Batch(ALL, MASK)
TOKENS = int(MASK.sum())
Loss = Callable[[Any, Batch], Tensor]


def probs(generator: Any) -> Tensor:
    """p of every token that counts, with gradient, in one row."""
    return log_probs(generator, ALL, SPACE.end_id)[MASK].exp()


@pytest.mark.parametrize("gamma", [1e-6, 0.3, 1.0])
def test_tailr_has_the_gradient_of_a_bound_between_likelihood_and_total_variation(
    gamma: float,
) -> None:
    """Without floor: of −log(γ + (1 − γ) p) / (1 − γ). γ = 1 is ½ Σ_v |1[v = x] − p(v)|."""
    generator = PrefixTable(SPACE)
    found = gradient(tailr_loss(generator, BATCH, gamma, floor=0.0), generator)
    if gamma < 1:
        expected = -(gamma + (1 - gamma) * probs(generator)).log().sum() / (1 - gamma)
    else:
        p_BTV = step_logits(generator, ALL).softmax(-1)
        real_BTV = torch.eye(SPACE.vocab_size)[ALL]
        expected = 0.5 * (real_BTV - p_BTV).abs().sum(-1)[MASK].sum()
    assert_same_vector(found, gradient(expected / TOKENS, generator))


def test_tailr_towards_zero_is_the_likelihood() -> None:
    generator = PrefixTable(SPACE)
    found = gradient(tailr_loss(generator, BATCH, gamma=1e-7, floor=0.0), generator)
    assert_same_vector(found, gradient(likelihood_loss(generator, BATCH), generator))


def by_hand(generator: Any, weight: Callable[[float], float]) -> Tensor:
    """The mean of −weight(p) log p over the tokens, the weights being plain numbers."""
    total = torch.zeros(())
    for p in probs(generator):
        total = total - weight(float(p.detach())) * p.log()
    return total / TOKENS


@pytest.mark.parametrize(
    ("loss", "weight"),
    [
        (partial(tailr_loss, gamma=0.2, floor=0.4), lambda p: max(0.4, p / (0.2 + 0.8 * p))),
        (partial(gold_loss, floor=0.25), lambda p: max(0.25, p)),
        (partial(mixce_loss, eta=0.3), lambda p: 0.3 + 0.7 * p),
        (partial(mixce_loss, eta=1.0), lambda p: 1.0),
    ],
    ids=["tailr", "gold", "mixce", "mixce 1"],
)
def test_weights_of_tokens_are_numbers(loss: Loss, weight: Callable[[float], float]) -> None:
    generator = PrefixTable(SPACE)
    found, expected = loss(generator, BATCH), by_hand(generator, weight)
    torch.testing.assert_close(found, expected)
    assert_same_vector(gradient(found, generator), gradient(expected, generator))


def test_the_floors_of_these_tests_bind_for_some_tokens_only() -> None:
    p_N = probs(PrefixTable(SPACE)).detach()
    for weight_N, floor in ((p_N / (0.2 + 0.8 * p_N), 0.4), (p_N, 0.25)):
        assert 0.1 < float((weight_N < floor).float().mean()) < 0.9


def test_mixce_expects_both_cross_entropies_under_the_data() -> None:
    """η (−Σ_x P(x) log q(x)) + (1 − η) (−Σ_x P(x) Σ_t q(x_t | x_<t)), whose second gradient is that
    of the approximated reverse cross-entropy."""
    generator, eta = PrefixTable(SPACE), 0.4
    data_R = log_probs(PrefixTable(SPACE, seed=7), ALL, SPACE.end_id).sum(1).exp().detach()
    found = torch.zeros(())
    for ids_T, mask_T, p in zip(ALL, MASK, data_R, strict=True):
        loss = mixce_loss(generator, Batch(ids_T[None], mask_T[None]), eta)
        found = found + p * mask_T.sum() * loss
    logq_RT = log_probs(generator, ALL, SPACE.end_id)
    forward = -(data_R * logq_RT.sum(1)).sum()
    reverse = -(data_R * (logq_RT.exp() * MASK).sum(1)).sum()
    expected = gradient(eta * forward + (1 - eta) * reverse, generator)
    assert_same_vector(gradient(found, generator), expected)


def emo_by_hand(generator: Any) -> Tensor:
    """Token by token: moving all of p(v | x_<t) to x_t, at 1 − cos of rows of the read-out."""
    row_VH = generator.readout.weight.detach()
    total = torch.zeros(())
    for logits_TV, ids_T, mask_T in zip(step_logits(generator, ALL), ALL, MASK, strict=True):
        for logits_V, token, counts in zip(logits_TV, ids_T, mask_T, strict=True):
            if counts:
                p_V = logits_V.softmax(-1)
                cost = sum(
                    p_V[v] * (1 - torch.cosine_similarity(row_VH[v], row_VH[token], 0))
                    for v in range(SPACE.vocab_size)
                )
                nll = -p_V[token].log()
                total = total + 0.5 * (nll + (nll / cost).detach() * cost)
    return total / TOKENS


@pytest.mark.parametrize("name", ["gru", "transformer", "relational"])
def test_emo_is_likelihood_and_the_cost_of_moving_to_the_real_token(name: str) -> None:
    generator = make_generator(name, SPACE)
    found, expected = emo_loss(generator, BATCH), emo_by_hand(generator)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found, likelihood_loss(generator, BATCH), rtol=1e-4, atol=1e-5)
    assert_same_vector(gradient(found, generator), gradient(expected, generator))


@pytest.mark.parametrize("loss", [tailr_loss, gold_loss, mixce_loss, emo_loss])
def test_nothing_behind_the_end_counts(loss: Loss) -> None:
    generator = make_generator("gru", SPACE)
    noisy = torch.where(MASK, ALL, 0)
    found, other = loss(generator, BATCH), loss(generator, Batch(noisy, MASK))
    torch.testing.assert_close(found, other)
    assert_same_vector(gradient(other, generator), gradient(found, generator))


def experiment(**game: Any) -> Any:
    nobody = dict.fromkeys(("critic", "objective", "estimator"))
    schedule = [{"repeat": 2, "phases": {"mle": 1}}]
    generator = game.pop("generator", {"name": "gru", "embed": 4, "hidden": 8})
    tree = {"game": {"name": "mle", **game}, "schedule": schedule, "generator": generator}
    return tiny_experiment({**tree, **nobody})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"name": "tailr", "gamma": 0.4, "floor": 0.1}, partial(tailr_loss, gamma=0.4, floor=0.1)),
        ({"name": "gold", "floor": 0.3}, partial(gold_loss, floor=0.3)),
        ({"name": "mixce", "eta": 0.2}, partial(mixce_loss, eta=0.2)),
        ({"name": "emo"}, emo_loss),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_the_game_replaces_the_likelihood_after_so_many_updates(
    config: dict[str, Any], expected: Loss
) -> None:
    made = experiment(loss={**config, "after": 1})
    game, other = (build_game(made, build_task(made, CPU, None), CPU) for _ in range(2))
    for wanted in (likelihood_loss, expected):
        ((player, loss, _),) = game.updates("mle")
        real = other.stateful()["stream"].next()
        torch.testing.assert_close(loss, wanted(player.module, real))
        player.update(loss)


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        (
            {"loss": {"name": "gold"}, "scheduled_sampling": 0.5},
            "loss.name=gold and scheduled_sampling=0.5 are two losses; set one of them to null",
        ),
        (
            {"loss": {"name": "emo"}, "generator": {"name": "pairwise"}},
            "game.loss.name=emo needs a linear read-out, which generator.name=pairwise does not "
            "give; use generator lstm, gru, transformer, relational",
        ),
        ({"loss": {"name": "tailr", "gamma": 0}}, "greater than 0"),
    ],
    ids=["two losses", "read-out", "gamma"],
)
def test_what_does_not_go_together_is_refused(game: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as caught:
        experiment(**game)
    assert expected in str(caught.value)
