"""What parts declare, and what the comparison makes of it; the messages of each pair of parts are
tested beside the parts."""

from typing import Any

import pytest
from tiny_runs import CYCLE, PICTURES, tiny_experiment

from seqgan.compatibility import UNIONS, _members
from seqgan.core.errors import UserError
from seqgan.core.parts import Part


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
            {"estimator": None},
            "game.name=adversarial needs estimator; add it, or use game mle, jsdgan, dgsan",
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
            "zero_temperature, rebar, relax, rao_blackwell, unordered_set",
        ),
    ],
    ids=str,
)
def test_an_error_proposes_what_would_fit(overrides: dict[str, Any], expected: str) -> None:
    assert complaint(overrides) == expected
