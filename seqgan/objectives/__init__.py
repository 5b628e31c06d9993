"""Objectives: the critic's loss and the generator's reward; penalties of the critic."""

from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan.objectives.auxiliary import Auxiliary as Auxiliary
    from seqgan.objectives.base import Objective as Objective
    from seqgan.objectives.classes import Classes as Classes
    from seqgan.objectives.divergences import Divergence as Divergence
    from seqgan.objectives.f_divergences import FGan as FGan
    from seqgan.objectives.margin import Margin as Margin
    from seqgan.objectives.mmd import Mmd as Mmd
    from seqgan.objectives.penalties import R1 as R1
    from seqgan.objectives.penalties import R2 as R2
    from seqgan.objectives.penalties import GradientPenalty as GradientPenalty
    from seqgan.objectives.penalties import Penalty as Penalty
    from seqgan.objectives.penalties import SpectralNorm as SpectralNorm
    from seqgan.objectives.penalties import WeightClip as WeightClip
    from seqgan.objectives.rank import Rank as Rank
    from seqgan.objectives.transport import Transport as Transport

__getattr__, __dir__ = attach(__name__)
