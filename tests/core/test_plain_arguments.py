"""Samplers and estimators, made in Python, refuse numbers that make no sense, in one plain line."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from seqgan import Ancestral, SequenceSpace, estimators
from seqgan.core.errors import UserError
from seqgan.core.numbers import check_range, check_sampling
from seqgan.decoding import GumbelSoftmax, Softmax, StraightThrough
from seqgan.estimators.rebar import RebarScales

SPACE = SequenceSpace(vocab_size=4, length=3)
make: Callable[..., Any] = partial


@pytest.mark.parametrize(
    ("part", "arguments", "message"),
    [
        (Ancestral, {"temperature": -1}, "temperature=-1: use a number from 1e-6 to 1e6"),
        (Ancestral, {"temperature": "hot"}, "temperature='hot': use a number from"),
        (Ancestral, {"temperature": float("nan")}, "temperature=nan: use a number from"),
        (Ancestral, {"top_p": 0}, "top_p=0: must be above 0 and at most 1"),
        (Ancestral, {"top_p": 1.5}, "top_p=1.5: must be above 0 and at most 1"),
        (Ancestral, {"top_k": 0}, "top_k=0: use a whole number of at least 1"),
        (Ancestral, {"top_k": 2.0}, "top_k=2.0: use a whole number"),
        (GumbelSoftmax, {"temperature": 0, "hard": True}, "temperature=0: use"),
        (Softmax, {"temperature": 0}, "temperature=0: use"),
        (StraightThrough, {"temperature": True}, "temperature=True: use"),
        (StraightThrough, {"forward_temperature": 0}, "forward_temperature=0: use"),
        (RebarScales, {"temperature": -1}, "temperature=-1: use"),
        (estimators.GumbelRao, {"temperature": 1, "samples": 0}, "samples=0: use a whole"),
        (estimators.Gapped, {"temperature": 1, "gap": -1}, "gap=-1: use a number of at least 0"),
        (estimators.ReinMax, {"temperature": 0}, "temperature=0: use"),
        (estimators.ReinMaxRao, {"temperature": 1, "samples": 0}, "samples=0: use a whole"),
        (make(estimators.Redge, noise=1, hard=True), {"steps": 0}, "steps=0: use a whole"),
        (make(estimators.Redge, steps=1, hard=True), {"noise": 0}, "noise=0: use a number from"),
        (estimators.Rollout, {"copies": 0}, "copies=0: use a whole number of at least 1"),
        (estimators.PerStepCredit, {"discount": 2}, "discount=2: use a number from 0 to 1"),
        (estimators.WindowCredit, {"reach": -1}, "reach=-1: use a whole number of at least 0"),
        (estimators.GaeCredit, {"gae_lambda": -0.1}, "gae_lambda=-0.1: use"),
        (estimators.MovingAverage, {"decay": 1}, "decay=1: use a number from 0 to"),
        (make(estimators.Relaxed, SPACE, Softmax), {"temperature": -1}, "temperature=-1: use"),
        (make(estimators.ScoreFunction, SPACE), {"samples": 0}, "samples=0: use"),
        (make(estimators.ScoreFunction, SPACE), {"entropy_bonus": -1}, "entropy_bonus=-1: use"),
        (make(estimators.Ppo, SPACE), {"epochs": 0}, "epochs=0: use"),
        (make(estimators.Ppo, SPACE), {"samples": 0}, "samples=0: use"),
        (make(estimators.Grpo, SPACE), {"clip": 2}, "clip=2: use a number from 0 to 1"),
        (make(estimators.AllAction, SPACE), {"discount": -1}, "discount=-1: use"),
        (make(estimators.LeakGan, SPACE), {"delta": -1}, "delta=-1: use"),
        (make(estimators.Maligan, SPACE), {"baseline": -1}, "baseline=-1: use"),
        (make(estimators.RaoBlackwell, SPACE), {"k": 0}, "k=0: use"),
        (make(estimators.Rebar, SPACE), {"temperature": 0}, "temperature=0: use"),
        (make(estimators.UnorderedSet, SPACE), {"k": 1}, "k=1: use a whole number of at least 2"),
    ],
)
def test_arguments_out_of_range_are_refused(
    part: Callable[..., Any], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        part(**arguments)
    assert str(caught.value).startswith(message)


def test_the_ends_of_a_range_belong_to_it() -> None:
    check_range(0, 1, low=0, high=1)
    check_sampling(1e-6, 1)
    check_sampling(1e6, 1e-9)
