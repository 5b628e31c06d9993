"""Estimators, and the networks that they learn beside the generator."""

import torch
from torch import nn

from seqgan.core.types import SequenceSpace, Space
from seqgan.estimators.all_action import AllAction
from seqgan.estimators.base import Estimator
from seqgan.estimators.config import (
    AllActionConfig,
    DetachedConfig,
    EstimatorConfig,
    GrpoConfig,
    LeakGanConfig,
    LearnedBaselineConfig,
    MaliganConfig,
    PathwiseConfig,
    PolicyGradientConfig,
    PpoConfig,
    RaoBlackwellConfig,
    RebarConfig,
    RelaxConfig,
    ScoreFunctionConfig,
    UnorderedSetConfig,
)
from seqgan.estimators.detached import Detached
from seqgan.estimators.grpo import Grpo
from seqgan.estimators.leakgan import LeakGan
from seqgan.estimators.maligan import Maligan
from seqgan.estimators.null_arm import NullArm
from seqgan.estimators.pathwise import Pathwise
from seqgan.estimators.ppo import Ppo
from seqgan.estimators.rao_blackwell import RaoBlackwell
from seqgan.estimators.rebar import Rebar, RebarScales
from seqgan.estimators.relax import Relax
from seqgan.estimators.relaxed import Relaxed
from seqgan.estimators.score_function import ScoreFunction
from seqgan.estimators.unordered_set import UnorderedSet
from seqgan.models.value import PrefixValue, RelaxedValue


def build_estimator(
    config: EstimatorConfig,
    space: Space,
    device: torch.device,
    value_network: nn.Module | None = None,
) -> Estimator:
    """The configured estimator; a null arm where its reward is to say nothing."""
    estimator = _build(config, space, device, value_network)
    if isinstance(config, DetachedConfig | PolicyGradientConfig) or config.reward == "critic":
        return estimator  # policy gradients replace their returns themselves
    return NullArm(estimator, config.reward)


def _build(
    config: EstimatorConfig, space: Space, device: torch.device, value_network: nn.Module | None
) -> Estimator:
    if isinstance(config, PathwiseConfig):
        return Pathwise()
    assert isinstance(space, SequenceSpace), "checked by Experiment"
    if isinstance(config, ScoreFunctionConfig):
        return ScoreFunction(config, space, device, value_network)
    if isinstance(config, PpoConfig):
        return Ppo(config, space, device, value_network)
    if isinstance(config, GrpoConfig):
        return Grpo(config, space)
    if isinstance(config, MaliganConfig):
        return Maligan(config, space)
    if isinstance(config, LeakGanConfig):
        return LeakGan(config, space, device)
    if isinstance(config, AllActionConfig):
        return AllAction(config, space)
    if isinstance(config, RebarConfig):
        assert value_network is None or isinstance(value_network, RebarScales)
        return Rebar(config, space, value_network)
    if isinstance(config, RelaxConfig):
        assert value_network is not None, "RELAX is its network"
        return Relax(space, value_network)
    if isinstance(config, RaoBlackwellConfig):
        return RaoBlackwell(config, space)
    if isinstance(config, UnorderedSetConfig):
        return UnorderedSet(config, space)
    if isinstance(config, DetachedConfig):
        return Detached(config, space)
    return Relaxed(config, space)


def build_value_network(config: EstimatorConfig | None, space: Space) -> nn.Module | None:
    """What the player `baseline` trains for the estimator; None where there is nothing to learn."""
    if isinstance(config, RebarConfig):
        return RebarScales(config) if config.learn else None
    if isinstance(config, RelaxConfig):
        assert isinstance(space, SequenceSpace), "checked by Experiment"
        return RelaxedValue(space, config.embed, config.hidden)
    if not isinstance(config, PolicyGradientConfig):
        return None
    assert isinstance(space, SequenceSpace), "checked by Experiment"
    baseline = config.baseline
    if not isinstance(baseline, LearnedBaselineConfig):
        return None
    return PrefixValue(space, baseline.embed, baseline.hidden)
