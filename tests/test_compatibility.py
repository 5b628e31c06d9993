"""What parts declare, and what the comparison makes of it; the messages of each pair of parts are
tested beside the parts."""

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from tiny_runs import CYCLE, PICTURES, tiny_experiment

from seqgan.compatibility import UNIONS, _members
from seqgan.core.annotations import tags_of
from seqgan.core.errors import UserError
from seqgan.core.parts import Part
from seqgan.core.types import ArraySpace, SequenceSpace
from seqgan.models.config import AnyCriticConfig


def complaint(overrides: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        tiny_experiment(overrides)
    return str(caught.value).removeprefix("tiny: ")


@pytest.mark.parametrize("field", ["generator", "critic", "objective", "estimator"])
def test_every_part_declares_itself_before_its_fields_are_known(field: str) -> None:
    """Errors propose members of unions that nobody has configured."""
    found = [*_members(UNIONS[field])]
    assert len(found) > 3
    for part in found:
        assert isinstance(part, Part)
        assert all(need.word for need in part.needs)
        assert all(isinstance(word, str) for word in part.gives)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            {"objective": {"name": "mmd"}, "critic": {"name": "transformer", "causal": True}},
            "objective.name=mmd needs features, which critic.name=transformer does not give; set "
            "critic.causal=false, or use critic mlp, cnn, relgan, pairwise, hf",
        ),
        (
            {"objective": {"name": "cooperative"}, "critic": {"name": "mlp"}},
            "objective.name=cooperative needs log-likelihoods, which critic.name=mlp does not "
            "give; use critic action with reads=log_likelihood",
        ),
        (
            {**PICTURES, "objective": {"name": "cooperative"}},
            "objective.name=cooperative needs log-likelihoods, which critic.name=mlp does not "
            "give; use another objective",
        ),
        (
            {
                "estimator": {"name": "unordered_set"},
                "schedule": [{"repeat": 1, "phases": {"mle": 1}}],
                "objective": {"name": "classes"},
            },
            "objective.name=classes needs scores of categories, which critic.name=mlp does not "
            "give; use critic classes",
        ),
        (
            {"critic": {"name": "mlp", "minibatch_std": True}},
            "critic.minibatch_std=true needs samples of numbers, which data.name=oracle does not "
            "give; set it to false",
        ),
        (
            {"estimator": None},
            "game.name=adversarial needs estimator; add it, or use game mle, jsdgan, ddo, dgsan",
        ),
        (
            {**CYCLE, "estimator": None},
            "game.name=cycle needs estimator; add it, see configs/ for examples",
        ),
        (
            {"estimator": {"name": "detached"}},
            "estimator.name=detached is not for game adversarial; choose from: score_function, "
            "ppo, grpo, maligan, leakgan, all_action, softmax, soft_gumbel, "
            "straight_through_gumbel, straight_through, gumbel_rao, gapped, reinmax, "
            "reinmax_rao, zero_temperature, redge, rebar, relax, rao_blackwell, unordered_set",
        ),
    ],
    ids=str,
)
def test_an_error_proposes_what_would_fit(overrides: dict[str, Any], expected: str) -> None:
    assert complaint(overrides) == expected


CRITICS: dict[str, dict[str, Any]] = {
    name: {"name": name}
    for name in tags_of(AnyCriticConfig)
    if name not in ("hf", "classes", "auxiliary")  # a network from outside, and another critic
}
CRITICS["cnn"] = {"name": "cnn", "widths": [1, 2], "filters": [4, 4]}
CRITICS["relgan"] = {"name": "relgan", "widths": [2], "filters": [4]}
CRITICS["causal"] = {"name": "transformer", "causal": True}
CRITICS["mediator"] = {"name": "action", "reads": "log_likelihood"}
CRITICS["categories"] = {"name": "classes", "trunk": {"name": "mlp"}}


@pytest.mark.parametrize("name", CRITICS)
def test_a_critic_gives_what_it_declares_and_nothing_else_of_its_kind(name: str) -> None:
    config = TypeAdapter(AnyCriticConfig).validate_python(CRITICS[name])
    torch.manual_seed(0)
    if "sentences" in config.accepts:
        prompt = 1 if name == "categories" else 0
        space: Any = SequenceSpace(vocab_size=5, length=4, prompt=prompt)
        x, mask = torch.randint(5, (3, 4)), torch.ones(3, 4).bool()
        cond = torch.zeros(3, prompt).long() if prompt else None
    else:
        space, x, mask, cond = ArraySpace((1, 16, 16)), torch.rand(3, 1, 16, 16), None, None
    scores = config.build(space)(x, mask, cond)
    assert ("features" in config.gives) == (scores.features_BF is not None)
    assert ("scores of every next token" in config.gives) == (scores.q_BTV is not None)
    if {"scores of every step", "scores of windows"} & config.gives:
        assert scores.mask_BT is not None
    elif "features" in config.gives and name != "categories":
        assert scores.score.shape == (3,)
