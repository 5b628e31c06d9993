"""Whole sequences of straight-through draws: enumerated expectations, and configurations."""

import pytest
import torch
import torch.nn.functional as F
from enumeration import (
    assert_same_vector,
    gradient,
    log_probs,
    make_generator,
    sentences,
)
from pydantic import TypeAdapter, ValidationError
from relaxed_draws import DEFINED, DRAWS, curved_value

from seqgan.core.types import SampleRequest, SequenceSpace
from seqgan.decoding import sample
from seqgan.estimators.config import AnyEstimatorConfig
from seqgan.estimators.relaxed import Relaxed

SETTINGS = {
    "straight_through": {
        "name": "straight_through",
        "temperature": 1.0,
    },
    "reinmax τ=1.6": {"name": "reinmax", "temperature": 1.6},
    "zero_temperature": {"name": "zero_temperature"},
    "gapped by 0.4": {
        "name": "gapped",
        "gap": 0.4,
        "temperature": 1.3,
    },
    "gumbel_rao": {
        "name": "gumbel_rao",
        "samples": 3,
        "temperature": 0.7,
    },
    "reinmax_rao": {"name": "reinmax_rao", "samples": 3, "temperature": 0.7},
    "reinmax with control": {"name": "reinmax", "temperature": 1.6, "control_variate": True},
    "redge of one step": {"name": "redge", "steps": 1},
    "redge of full noise": {"name": "redge", "steps": 3, "noise": 1},
}


def estimator_of(name: str, space: SequenceSpace) -> Relaxed:
    """As a configuration file makes it; the draw is `DRAWS[name]`."""
    config = TypeAdapter(AnyEstimatorConfig).validate_python(SETTINGS[name])
    estimator = config.build(space, torch.device("cpu"))
    assert isinstance(estimator, Relaxed)
    return estimator


@pytest.mark.parametrize("name", [name for name in SETTINGS if name in DEFINED])
@pytest.mark.parametrize("network", ["gru", "transformer"])
def test_whole_sequences_have_the_enumerated_expectation(network, name) -> None:
    """Σ_x p(x) ∇value(x): tokens are fed back, and each carries its J into all that follows.

    The estimator's own samples contain every sentence; one row of each is weighed with its
    probability, so that its estimate has no sampling error.
    """
    space = SequenceSpace(vocab_size=3, length=3)
    generator = make_generator(network, space)
    ids_RT = sentences(space)
    prob_R = log_probs(generator, ids_RT).sum(1).exp().detach()

    jacobian = DEFINED[name][1]
    out, rows = generator.start(len(ids_RT)), []
    for time in range(space.length):
        if time:
            out = generator.step(rows[-1], out.state)
        logits_RV, ids_R = out.logits_BV, ids_RT[:, time]
        jacobian_RVV = torch.stack(
            [jacobian(o_V, int(b)) for o_V, b in zip(logits_RV.detach(), ids_R, strict=True)]
        )
        moves_RV = torch.einsum("rij,rj->ri", jacobian_RVV, logits_RV - logits_RV.detach())
        rows.append(F.one_hot(ids_R, 3) + moves_RV)
    expected = gradient(-(prob_R * curved_value(torch.stack(rows, 1))).sum(), generator)

    torch.manual_seed(0)
    estimator = estimator_of(name, space)
    rollout = estimator.sample(generator, SampleRequest(20_000))
    weight_B = torch.zeros(20_000)
    for ids_T, prob in zip(ids_RT, prob_R, strict=True):
        weight_B[(rollout.ids_BT == ids_T).all(1).nonzero()[0]] = prob * 20_000
    loss = estimator.loss(generator, rollout, lambda x, mask: weight_B * curved_value(x)).loss
    assert_same_vector(gradient(loss, generator), expected)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_configuration_makes_the_draw_that_it_names(name) -> None:
    """The same random numbers give the same tokens and gradient, with an end token too."""
    space = SequenceSpace(vocab_size=4, length=3, end_id=2)
    generator = make_generator("gru", space)
    gradients, tokens = [], []
    for sampled in (
        lambda: estimator_of(name, space).sample(generator, SampleRequest(50)),
        lambda: sample(generator, space, 50, DRAWS[name]),
    ):
        torch.manual_seed(0)
        rollout = sampled()
        tokens.append(rollout.tokens)
        gradients.append(gradient(curved_value(rollout.tokens).sum(), generator))
    assert torch.equal(*tokens)
    assert torch.equal(*gradients)
    assert gradients[0].norm() > 0


@pytest.mark.parametrize(
    "temperature",
    [
        0.9,
        {"start": 2.0, "end": 0.5, "steps": 10},
    ],
)
def test_reinmax_refuses_a_temperature_below_one(temperature) -> None:
    with pytest.raises(ValidationError, match="use 1 or more"):
        TypeAdapter(AnyEstimatorConfig).validate_python(
            {"name": "reinmax", "temperature": temperature}
        )
