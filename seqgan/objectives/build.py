"""From configurations to objectives."""

from seqgan.objectives.base import Objective
from seqgan.objectives.classes import Classes
from seqgan.objectives.config import (
    ClassesConfig,
    MmdConfig,
    ObjectiveConfig,
    RankConfig,
    TransportConfig,
)
from seqgan.objectives.divergences import Divergence
from seqgan.objectives.mmd import Mmd
from seqgan.objectives.rank import Rank
from seqgan.objectives.transport import Transport


def build_objective(config: ObjectiveConfig) -> Objective:
    """The objective that `config` describes."""
    if isinstance(config, MmdConfig):
        return Mmd(config)
    if isinstance(config, TransportConfig):
        return Transport(config)
    if isinstance(config, RankConfig):
        return Rank(config)
    if isinstance(config, ClassesConfig):
        return Classes()
    return Divergence(config)
