"""A player: a network with its optimizer. `update(loss)` is one step of it."""

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.growing import grow_to_fit
from seqgan.core.modes import evaluating
from seqgan.core.plain import StateDict
from seqgan.core.schedule import Schedule, as_schedule
from seqgan.training.config import PlayerConfig
from seqgan.training.optimizer_state import load_optimizer

ModuleT = TypeVar("ModuleT", bound=nn.Module)
ModuleT_co = TypeVar("ModuleT_co", bound=nn.Module, covariant=True)

_NEVER = -1
_START, _LOSS, _GRADIENTS = 0, 1, 2
"""What was not finite first: the parameters before the update, its loss, or from _GRADIENTS on the
gradient of the parameter with that number."""
_HUGE = 1e6
"""Norm of a parameter that is too large for any network that learns."""
_moments = itertools.count()
"""Numbers the updates of all players, in the order in which they happen."""


class NonFiniteError(Exception):
    """A loss, gradient or parameter was not finite. Nothing is scrubbed and nothing is saved."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a player first went wrong."""

    moment: int
    """Number of the update among those of all players."""
    update: int
    """Its number among the player's own, from 1."""
    player: str
    what: str


def raise_if_not_finite(players: Iterable["Player[nn.Module]"], step: int) -> None:
    """Raises `NonFiniteError` for the player that went wrong first. Waits for the device."""
    players = list(players)
    if all(player.is_finite() for player in players):
        return
    first = min(filter(None, (player.fault() for player in players)), key=lambda f: f.moment)
    raise NonFiniteError(
        f"player '{first.player}': {first.what} is not finite at its update {first.update} "
        f"(noticed at step {step}); nothing was saved since. Lower players.{first.player}.lr or "
        f"players.{first.player}.clip_norm{_other_cause(players, first)}"
    )


def _other_cause(players: list["Player[nn.Module]"], first: Fault) -> str:
    """Another player whose finite, but huge parameters may have caused the first fault."""
    for player in players:
        name, norm = player.largest_norm()
        if player.name != first.player and _HUGE < norm < math.inf:
            return (
                f"; or players.{player.name}.lr, for its parameter '{name}' has the norm {norm:.1e}"
            )
    return ""


class Player(Generic[ModuleT_co]):
    """Updates one network.

    Non-finite losses, gradients and parameters are detected on the device. The first one is kept in
    tensors there and read by `raise_if_not_finite` only, so an update never waits for the device.
    It is not part of the state.
    """

    def __init__(
        self,
        name: str,
        module: ModuleT_co,
        config: PlayerConfig,
        after_step: Sequence[Callable[[], None]] = (),
        ema: float | Schedule[float] | None = None,
    ) -> None:
        self.name = name
        self.module = module
        self.updates = 0
        self._config = config
        self._after_step = after_step
        self._names, self._parameters = _trainable(module)
        self._optimizer = _build_optimizer(config, self._parameters)
        self._averaged = None if ema is None else _Averaged(module, as_schedule(ema))
        device = self._parameters[0].device
        self._zero = torch.zeros((), device=device)
        self._bad_what, self._bad_update, self._bad_moment = (
            torch.full((), _NEVER, device=device) for _ in range(3)
        )
        self._moment = _NEVER
        """The moment of the last update."""

    def update(self, loss: Tensor) -> Tensor:
        """Back-propagate, clip, step, `after_step`, averaging. Returns the norm of the gradient."""
        self._set_rates()
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norms_P, sizes_P = self._norms()
        norm: Tensor = norms_P.norm()
        self._note(loss, norm, norms_P, sizes_P)
        limit = self._config.clip_norm or float("inf")
        nn.utils.clip_grads_with_norm_(self._parameters, limit, norm)
        self._optimizer.step()
        for act in self._after_step:
            act()
        if self._averaged is not None:
            self._averaged.update(self.module, self.updates)
        self.updates += 1
        return norm

    def follow(self) -> None:
        """Count an update that another player has made of the weights that both have."""
        if self._averaged is not None:
            self._averaged.update(self.module, self.updates)
        self.updates += 1

    def _set_rates(self) -> None:
        """The learning rate and Adam's decay rates of this update; Python numbers, so nothing waits
        for the device."""
        config, (group,) = self._config, self._optimizer.param_groups
        if config.lr_decay is not None:
            group["lr"] = config.lr * config.lr_decay.at(self.updates)
        if "betas" in group:
            group["betas"] = _betas(config, self.updates)

    @torch.no_grad()
    def _norms(self) -> tuple[Tensor, Tensor]:
        """Norms of each parameter's gradient (0 where it has none) and of each parameter, before
        clipping: that would spread one infinity over all gradients."""
        gradients = [self._zero if p.grad is None else p.grad for p in self._parameters]
        norms = torch.stack(torch._foreach_norm([*gradients, *self._parameters]))
        norms_P, sizes_P = norms.chunk(2)
        return norms_P, sizes_P

    @torch.no_grad()
    def _note(self, loss: Tensor, norm: Tensor, norms_P: Tensor, sizes_P: Tensor) -> None:
        """Keep the first fault. Parameters that are not finite before the update are a fault of the
        update before it."""
        before, self._moment = self._moment, next(_moments)
        bad_start = ~torch.isfinite(sizes_P.sum())
        tensor = _GRADIENTS + (~torch.isfinite(norms_P)).long().argmax()
        what = torch.where(torch.isfinite(norm), _NEVER, tensor)
        what = torch.where(torch.isfinite(loss), what, _LOSS)
        what = torch.where(bad_start, _START, what)
        is_first = (self._bad_what == _NEVER) & (what != _NEVER)
        update = torch.where(bad_start, self.updates, self.updates + 1)
        moment = torch.where(bad_start, before, self._moment)
        self._bad_update.copy_(torch.where(is_first, update, self._bad_update))
        self._bad_moment.copy_(torch.where(is_first, moment, self._bad_moment))
        self._bad_what.copy_(torch.where(is_first, what, self._bad_what))

    def raise_if_not_finite(self, step: int) -> None:
        """The function of that name for a player alone."""
        raise_if_not_finite([self], step)

    def is_finite(self) -> bool:
        """Whether every loss, gradient and norm of a parameter was finite, and is (this waits for
        the device)."""
        parameters = [parameter.detach() for parameter in self.module.parameters()]
        sizes = torch.stack(torch._foreach_norm(parameters))
        return int(self._bad_what) == _NEVER and bool(sizes.isfinite().all())

    def fault(self) -> Fault | None:
        """What went wrong first; None where all is finite.

        Parameters count from the update that made them infinite, whether or not a later loss did.
        Their norms are checked: beyond 1e19 they make scores infinite while they are finite.
        """
        what = int(self._bad_what)
        if what == _NEVER:
            name = self._infinite_norm()
            return None if name is None else Fault(self._moment, self.updates, self.name, name)
        if what == _START:
            name = self._infinite_norm() or "a parameter"
        elif what == _LOSS:
            name = "loss"
        else:
            name = f"gradient of '{self._names[what - _GRADIENTS]}'"
        return Fault(int(self._bad_moment), int(self._bad_update), self.name, name)

    def largest_norm(self) -> tuple[str, float]:
        """The parameter of the largest norm (this waits for the device)."""
        norms = {name: float(p.detach().norm()) for name, p in self.module.named_parameters()}
        return max(norms.items(), key=lambda item: item[1])

    def _infinite_norm(self) -> str | None:
        """The first parameter whose norm is not finite."""
        for name, parameter in self.module.named_parameters():
            if not parameter.detach().norm().isfinite():
                finite = bool(parameter.isfinite().all())
                return f"norm of parameter '{name}'" if finite else f"parameter '{name}'"
        return None

    def start_from(self, module: nn.Module) -> None:
        """Take over the weights of a network that is built alike, averaged ones too."""
        for own in (self.module, *([] if self._averaged is None else [self._averaged.module])):
            own.load_state_dict(module.state_dict())

    def rebuild(self) -> None:
        """Take in parameters that the network has got since. Those that were there before keep
        their optimizer's state and their averages; the others start with none, and with their own
        values."""
        state: dict[Tensor, StateDict] = self._optimizer.state
        self._names, self._parameters = _trainable(self.module)
        self._optimizer = _build_optimizer(self._config, self._parameters)
        for parameter in self._parameters:
            if parameter in state:
                self._optimizer.state[parameter] = state[parameter]
        if self._averaged is not None:
            self._averaged.rebuild(self.module)

    @contextmanager
    def evaluated(self) -> Iterator[ModuleT_co]:
        """The network for evaluation: averaged weights where there are any, dropout off."""
        module = self._averaged.module if self._averaged is not None else self.module
        with evaluating(module), torch.no_grad():
            yield module

    def state_dict(self) -> StateDict:
        state: StateDict = {
            "module": dict(self.module.state_dict()),
            "optimizer": self._optimizer.state_dict(),
            "updates": self.updates,
        }
        if self._averaged is not None:
            state["averaged"] = dict(self._averaged.module.state_dict())
        return state

    def load_state_dict(self, state: StateDict) -> None:
        load_weights(self.module, state["module"], self.name)
        if _trainable(self.module)[0] != self._names:  # it has grown
            self.rebuild()
        load_optimizer(self._optimizer, state["optimizer"])
        self.updates = state["updates"]
        if self._averaged is not None:
            load_weights(self._averaged.module, state["averaged"], self.name)


def load_weights(module: nn.Module, weights: dict[str, Tensor], player: str) -> None:
    """Load a network's weights; one that grows gets the layers that they have. Raises `UserError`
    where they are those of another network."""
    grow_to_fit(module, weights)
    wanted = module.state_dict()
    for name in (*wanted, *weights):
        has, needs = weights.get(name), wanted.get(name)
        if has is None or needs is None or has.shape != needs.shape:
            raise UserError(
                f"config.yaml: '{player}' is another network than the one that was trained "
                f"('{name}' is {_size(needs)} here and {_size(has)} in the checkpoint); put back "
                "what was changed"
            )
    module.load_state_dict(weights)


def _size(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else " × ".join(map(str, tensor.shape)) or "a number"


class _Averaged(Generic[ModuleT]):
    """Exponential moving average of parameters; buffers are copied."""

    def __init__(self, module: ModuleT, decay: Schedule[float]) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, module: ModuleT, updates: int) -> None:
        """Behind the player's update with the number `updates`, from 0."""
        share = 1 - self._decay.at(updates)
        for mean, value in zip(self.module.parameters(), module.parameters(), strict=True):
            mean.lerp_(value, share)
        for copied, buffer in zip(self.module.buffers(), module.buffers(), strict=True):
            copied.copy_(buffer)

    def rebuild(self, module: ModuleT) -> None:
        """Take in what the network has got since, with its present values."""
        means = dict(self.module.named_parameters())
        self.module = copy.deepcopy(module).requires_grad_(False)
        for name, parameter in self.module.named_parameters():
            if name in means:
                parameter.data.copy_(means[name])


def _trainable(module: nn.Module) -> tuple[list[str], list[nn.Parameter]]:
    """Names and parameters that are learned."""
    found = {name: p for name, p in module.named_parameters() if p.requires_grad}
    return list(found), list(found.values())


def _betas(config: PlayerConfig, updates: int) -> tuple[float, float]:
    first, second = config.betas
    return first.at(updates), second.at(updates)


def _build_optimizer(config: PlayerConfig, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    if config.optimizer == "adam":
        fused = parameters[0].device.type in ("cpu", "cuda")
        return torch.optim.AdamW(
            parameters,
            lr=config.lr,
            betas=_betas(config, updates=0),
            weight_decay=config.weight_decay,
            fused=fused,
        )
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=config.lr, weight_decay=config.weight_decay)
    return torch.optim.RMSprop(parameters, lr=config.lr, weight_decay=config.weight_decay)
