"""Null arms of every estimator: over all orders of the batch nothing of the reward is left."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from enumeration import gradient, make_generator
from pydantic import TypeAdapter
from torch import Tensor, nn

from seqgan.core.types import Batch, Rollout, SampleRequest, SequenceSpace, SharedPrefix
from seqgan.estimators.base import Estimator
from seqgan.estimators.config import AnyEstimatorConfig
from seqgan.estimators.null_arm import NullArm, _Shuffled

SPACE = SequenceSpace(vocab_size=3, length=3, end_id=0)
ROWS = 4
ORDERS = [[(row + shift) % ROWS for row in range(ROWS)] for shift in range(ROWS)]
"""Everybody has everybody's turn once: as good as all orders, for a mean."""
CPU = torch.device("cpu")

# Without conditions the rows of softmax are all the same, and a shuffle leaves nothing of them.
ESTIMATORS: dict[str, dict[str, Any]] = {
    "soft_gumbel": {},
    "straight_through_gumbel": {},
    "straight_through": {"temperature": 1.0},
    "gumbel_rao": {"samples": 2},
    "gapped": {},
    "reinmax": {"control_variate": True},
    "reinmax_rao": {"samples": 2},
    "zero_temperature": {},
    "redge": {},
    "grpo": {},
    "maligan": {},
    "all_action": {},
    "rao_blackwell": {"k": 2},
    "unordered_set": {"k": 2},
    "rebar": {"learn": False},
    "relax": {},
}


class Taste:
    """Curved in the tokens; likes the first columns better, and some token best everywhere."""

    def __init__(self) -> None:
        stream = torch.Generator().manual_seed(1)
        self.weight = torch.randn(SPACE.length * SPACE.vocab_size, 6, generator=stream)
        self.worth_BTV = torch.randn(ROWS, SPACE.length, SPACE.vocab_size, generator=stream) + 1

    def __call__(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        soft = x if x.is_floating_point() else F.one_hot(x, SPACE.vocab_size).float()
        assert mask is not None
        read = (soft * mask[..., None]).flatten(1)
        return (read @ self.weight).tanh().sum(1) + 2

    def actions(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        return self.worth_BTV


def build(name: str, reward: str = "critic") -> Estimator:
    tree = {"name": name, "reward": reward, **ESTIMATORS.get(name, {})}
    config = TypeAdapter(AnyEstimatorConfig).validate_python(tree)
    torch.manual_seed(5)
    return config.build(SPACE, CPU, config.build_network(SPACE))


def gradient_of(
    generator: nn.Module, estimator: Estimator, told: Callable[..., Any] | None
) -> Tensor:
    """With the same samples and the same noise at every call. `told` None: the taste itself."""
    torch.manual_seed(7)
    rollout = estimator.sample(generator, SampleRequest(ROWS))
    torch.manual_seed(8)
    loss = estimator.loss(generator, rollout, told or Taste()).loss
    return gradient(loss, generator)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_mean_over_all_orders_is_what_no_reward_at_all_gives(name: str) -> None:
    """Only control variates of rebar and relax are left, whose own mean is 0."""
    generator, estimator = make_generator("gru", SPACE), build(name)
    through = estimator.passes_gradient
    found = torch.stack(
        [
            gradient_of(generator, estimator, _Shuffled(Taste(), torch.tensor(order), through))
            for order in ORDERS
        ]
    )
    taste = Taste()

    def nothing(x: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        return taste(x, mask) * float(x.is_floating_point() and not through)

    nothing.actions = lambda ids_BT, mask_BT: torch.zeros_like(taste.worth_BTV)  # type: ignore[attr-defined]
    silent = gradient_of(generator, estimator, nothing)
    size = (found - silent).norm(dim=1).mean()
    assert size > 1e-3, "each order by itself pushes"
    assert (found.mean(0) - silent).norm() < 1e-5 * size


@pytest.mark.parametrize(
    "name", ["softmax", *(name for name in ESTIMATORS if name not in ("rebar", "relax"))]
)
def test_a_constant_reward_has_no_gradient(name: str) -> None:
    estimator = build(name, "constant")
    assert isinstance(estimator, NullArm)
    generator = make_generator("gru", SPACE)
    assert gradient_of(generator, estimator, None).norm() < 1e-6
    assert gradient_of(generator, build(name), None).norm() > 1e-3


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_shuffled_reward_pushes_another_way_at_every_loss(name: str) -> None:
    generator, estimator = make_generator("gru", SPACE), build(name, "shuffled")
    torch.manual_seed(7)
    found = []
    for _ in range(3):
        rollout = estimator.sample(generator, SampleRequest(ROWS))
        found.append(gradient(estimator.loss(generator, rollout, Taste()).loss, generator))
    assert all(vector.isfinite().all() and vector.norm() > 1e-4 for vector in found)
    assert not torch.allclose(found[0], found[1])


def test_a_gradient_that_all_samples_share_does_not_survive() -> None:
    """Every shuffle leaves the gradient of a linear value as it is: only its mean can go."""
    weight = torch.randn(SPACE.length, SPACE.vocab_size, generator=torch.Generator().manual_seed(2))
    generator = make_generator("gru", SPACE)

    def linear(x: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        return (x * weight).sum((1, 2))

    assert gradient_of(generator, build("soft_gumbel"), linear).norm() > 0.01
    assert gradient_of(generator, build("soft_gumbel", "shuffled"), linear).norm() < 1e-6


def test_each_sample_gets_the_gradient_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures and points as well; their values stay their own."""
    config = TypeAdapter(AnyEstimatorConfig).validate_python(
        {"name": "pathwise", "reward": "shuffled"}
    )
    estimator = config.build(SPACE, CPU)
    monkeypatch.setattr(torch, "rand", lambda *a, **k: torch.tensor([0.5, 0.9, 0.1]))
    x = torch.tensor([[1.0], [2.0], [4.0]], requires_grad=True)
    surrogate = estimator.loss(nn.Module(), Batch(x), lambda x, mask, shared: x[:, 0] ** 2)
    surrogate.loss.backward()
    slopes = torch.tensor([2.0, 4.0, 8.0]) / 3
    expected = -(slopes[[2, 0, 1]] - slopes.mean())
    torch.testing.assert_close(x.grad[:, 0], expected)
    assert float(surrogate.stats["return"]) == 7


def test_continuations_go_with_the_sample_that_they_continue() -> None:
    order_B = torch.tensor([1, 2, 0])
    told = _Shuffled(lambda x, mask, shared: x[:, 0].float(), order_B, through=False)
    ids_RT = torch.tensor([[1], [2], [6], [10], [40], [70]])  # two copies of three sentences
    value_R = told(ids_RT, torch.ones_like(ids_RT, dtype=torch.bool), SharedPrefix(3, 1))
    assert value_R.tolist() == [-1, 3, -2, 0, 30, -30]


def test_the_state_is_the_estimators_own() -> None:
    """A checkpoint does not care whether an arm is a null arm."""
    estimator, plain = build("soft_gumbel", "shuffled"), build("soft_gumbel")
    generator = make_generator("gru", SPACE)
    rollout: Rollout = estimator.sample(generator, SampleRequest(ROWS))
    estimator.loss(generator, rollout, Taste())
    assert estimator.state_dict() == {"updates": 1}
    plain.load_state_dict(estimator.state_dict())
    assert plain.state_dict() == {"updates": 1}
