"""Objectives: the critic's loss, and what its scores are worth as a reward of the generator."""

from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan.objectives.base import Objective as Objective
    from seqgan.objectives.classes import Classes as Classes
    from seqgan.objectives.divergences import Divergence as Divergence
    from seqgan.objectives.mmd import Mmd as Mmd
    from seqgan.objectives.penalties import apply_spectral_norm as apply_spectral_norm
    from seqgan.objectives.penalties import clip_weights as clip_weights
    from seqgan.objectives.penalties import gradient_penalty as gradient_penalty
    from seqgan.objectives.penalties import r1 as r1
    from seqgan.objectives.rank import Rank as Rank
    from seqgan.objectives.transport import Transport as Transport

__getattr__, __dir__ = attach(__name__)
