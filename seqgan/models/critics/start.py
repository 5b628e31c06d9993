"""A critic that starts with the parameters of a pretrained generator.

Copied are the token embedding, the start token and every layer below the read-out; the read-out and
the optimizer's moments stay as they are, and nothing is shared afterwards. MaskGAN (Fedus et al.
2018) starts its critic from the language model, Caccia et al. 2020 and GAD (Ye et al. 2025) from
the generator. The critic must have been made with `from_generator`, so that it reads a start token.
"""

import torch
from torch import Tensor, nn

from seqgan.core.errors import UserError


@torch.no_grad()
def copy_start(target_E: Tensor | None, source_E: Tensor) -> None:
    """The start token, into a critic that reads one."""
    if target_E is None:
        raise UserError(
            "critic.from_generator=false: this critic reads no start token, as the generator "
            "does; set it to true"
        )
    target_E.copy_(source_E)


def copy_layers(target: nn.Module, source: nn.Module) -> None:
    """All weights of a module. Raises `UserError` where names or shapes differ."""
    wanted, found = target.state_dict(), source.state_dict()
    for name in sorted(wanted.keys() | found.keys()):
        ours, theirs = _shape(wanted, name), _shape(found, name)
        if ours != theirs:
            raise UserError(
                f"critic.from_generator: '{name}' is {ours} in the critic and {theirs} in the "
                "generator; give both the same sizes, without generator.lora and spectral_norm"
            )
    target.load_state_dict(found)


def _shape(weights: dict[str, Tensor], name: str) -> str:
    return f"of shape {tuple(weights[name].shape)}" if name in weights else "missing"
