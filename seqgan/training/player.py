"""A player: one network, its optimizer, and everything that happens around an update."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.modes import evaluating
from seqgan.training.config import PlayerConfig

ModuleT = TypeVar("ModuleT", bound=nn.Module)

_NEVER = -1


class NonFiniteError(Exception):
    """A loss, gradient or parameter was not finite. Nothing is scrubbed and nothing is saved."""


class Player(Generic[ModuleT]):
    """Updates one network.

    Non-finite losses and gradients are noticed on the device: the update number at which one
    first appeared is kept in a tensor there and read only by `raise_if_not_finite`, so an update
    never waits for the device.
    """

    def __init__(
        self,
        name: str,
        module: ModuleT,
        config: PlayerConfig,
        after_step: Callable[[], None] | None = None,
        ema: float | None = None,
    ) -> None:
        self.name = name
        self.module = module
        self.updates = 0
        self._config = config
        self._after_step = after_step
        trainable = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self._names, self._parameters = list(trainable), list(trainable.values())
        self._optimizer = _build_optimizer(config, self._parameters)
        self._averaged = _Averaged(module, ema) if ema else None
        device = self._parameters[0].device
        self._zero = torch.zeros((), device=device)
        self._bad_loss = torch.full((), _NEVER, device=device)
        self._bad_gradient = torch.full((), _NEVER, device=device)
        self._bad_tensor = torch.zeros((), dtype=torch.long, device=device)

    def update(self, loss: Tensor) -> Tensor:
        """Back-propagate, clip, step, then constraints and averaging. Returns the gradient norm."""
        self._set_rate()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norms_P = self._gradient_norms()
        norm = norms_P.norm()
        self._note(loss, norm, norms_P)
        limit = self._config.clip_norm or float("inf")
        nn.utils.clip_grads_with_norm_(self._parameters, limit, norm)
        self._optimizer.step()
        if self._after_step is not None:
            self._after_step()
        if self._averaged is not None:
            self._averaged.update(self.module)
        self.updates += 1
        return norm

    def _set_rate(self) -> None:
        """The step size of this update; a plain number, so nothing waits for the device."""
        if self._config.decay is None:
            return
        start, end = self._config.decay
        share = (end - max(self.updates, start)) / (end - start)
        for group in self._optimizer.param_groups:
            group["lr"] = self._config.lr * max(share, 0.0)

    def _gradient_norms(self) -> Tensor:
        """Norm of each parameter's gradient, 0 where it has none; taken before clipping, which
        spreads one infinity over all of them."""
        gradients = [self._zero if p.grad is None else p.grad for p in self._parameters]
        return torch.stack(torch._foreach_norm(gradients))

    def _note(self, loss: Tensor, norm: Tensor, norms_P: Tensor) -> None:
        """Remember the first update whose loss, and whose gradient, is not finite."""
        bad_loss = (self._bad_loss == _NEVER) & ~torch.isfinite(loss.detach())
        self._bad_loss.copy_(torch.where(bad_loss, self.updates, self._bad_loss))
        bad = (self._bad_gradient == _NEVER) & ~torch.isfinite(norm)
        self._bad_gradient.copy_(torch.where(bad, self.updates, self._bad_gradient))
        first = (~torch.isfinite(norms_P)).long().argmax()
        self._bad_tensor.copy_(torch.where(bad, first, self._bad_tensor))

    def raise_if_not_finite(self, step: int) -> None:
        """Read the flags (this waits for the device) and name the culprit."""
        bad_loss, bad_gradient = int(self._bad_loss), int(self._bad_gradient)
        if bad_loss != _NEVER and (bad_gradient == _NEVER or bad_loss <= bad_gradient):
            what, update = "loss", bad_loss + 1
        elif bad_gradient != _NEVER:
            name = self._names[int(self._bad_tensor)]
            what, update = f"gradient of '{name}'", bad_gradient + 1
        elif bad := [n for n, p in self.module.named_parameters() if not p.isfinite().all()]:
            what, update = f"parameter '{bad[0]}'", self.updates
        else:
            return
        raise NonFiniteError(
            f"player '{self.name}': {what} is not finite at its update {update} (noticed at step "
            f"{step}); nothing was saved since. Lower players.{self.name}.lr or "
            f"players.{self.name}.clip_norm"
        )

    @contextmanager
    def evaluated(self) -> Iterator[ModuleT]:
        """The network for evaluation: averaged weights where there are any, dropout off."""
        module = self._averaged.module if self._averaged is not None else self.module
        with evaluating(module), torch.no_grad():
            yield module

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "module": dict(self.module.state_dict()),
            "optimizer": self._optimizer.state_dict(),
            "updates": self.updates,
        }
        if self._averaged is not None:
            state["averaged"] = dict(self._averaged.module.state_dict())
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        load_weights(self.module, state["module"], self.name)
        self._optimizer.load_state_dict(state["optimizer"])
        self.updates = state["updates"]
        if self._averaged is not None:
            load_weights(self._averaged.module, state["averaged"], self.name)


def load_weights(module: nn.Module, weights: dict[str, Tensor], player: str) -> None:
    """Give a network its weights. Raises `UserError` where it is another one than they are of."""
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

    def __init__(self, module: ModuleT, decay: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, module: ModuleT) -> None:
        for mean, value in zip(self.module.parameters(), module.parameters(), strict=True):
            mean.lerp_(value, 1 - self._decay)
        for copied, buffer in zip(self.module.buffers(), module.buffers(), strict=True):
            copied.copy_(buffer)


def _build_optimizer(config: PlayerConfig, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    if config.optimizer == "adam":
        fused = parameters[0].device.type in ("cpu", "cuda")
        return torch.optim.AdamW(
            parameters,
            lr=config.lr,
            betas=(config.betas[0], config.betas[1]),
            weight_decay=config.weight_decay,
            fused=fused,
        )
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=config.lr, weight_decay=config.weight_decay)
    return torch.optim.RMSprop(parameters, lr=config.lr, weight_decay=config.weight_decay)
