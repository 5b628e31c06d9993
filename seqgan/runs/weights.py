"""The networks of a checkpoint, for use: without optimizers, without gradients."""

import torch
from torch import nn

from seqgan.assembly import build_generating_module
from seqgan.core.plain import StateDict
from seqgan.core.types import Space, SpacePair
from seqgan.experiment import Experiment
from seqgan.training.player import load_weights


def load_generator(
    experiment: Experiment,
    space: Space | SpacePair,
    state: StateDict,
    device: torch.device,
    name: str = "generator",
) -> nn.Module:
    """The player `generator` of a checkpoint, or a player like it: averaged weights where there
    are any.

    Raises `UserError` if the configuration describes another one.
    """
    generator = build_generating_module(experiment, space).to(device)
    player = state["players"][name]
    load_weights(generator, player.get("averaged", player["module"]), name)
    return generator.eval().requires_grad_(False)


def load_critic(
    experiment: Experiment, space: Space | SpacePair, state: StateDict, device: torch.device
) -> nn.Module | None:
    """The player `critic` of a checkpoint, of two domains a `ModuleDict`, `a` and `b`; None in
    games without a critic.

    Raises `UserError` if the configuration describes another one.
    """
    player = state["players"].get("critic")
    if player is None or experiment.critic is None:
        return None
    critic = experiment.game.build_critic(space, experiment.critic, experiment.generator)
    for penalty in experiment.penalties:
        penalty.build().prepare(critic)  # spectral norm renames weights
    load_weights(critic, player["module"], "critic")
    return critic.to(device).eval().requires_grad_(False)
