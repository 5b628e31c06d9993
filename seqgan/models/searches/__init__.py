"""Searches for what a critic scores highly, in a generator's place."""

from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan.models.searches.exhaustive import ExhaustiveSearch as ExhaustiveSearch
    from seqgan.models.searches.gibbs import GibbsSearch as GibbsSearch
    from seqgan.models.searches.grid import GridSearch as GridSearch
    from seqgan.models.searches.langevin import LangevinSearch as LangevinSearch

__getattr__, __dir__ = attach(__name__)
