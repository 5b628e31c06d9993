"""Estimators: how a reward of sampled sequences becomes a gradient of the generator."""

from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan.estimators.all_action import AllAction as AllAction
    from seqgan.estimators.base import Estimator as Estimator
    from seqgan.estimators.base import Surrogate as Surrogate
    from seqgan.estimators.baselines import LearnedBaseline as LearnedBaseline
    from seqgan.estimators.baselines import LeaveOneOut as LeaveOneOut
    from seqgan.estimators.baselines import MovingAverage as MovingAverage
    from seqgan.estimators.baselines import NoBaseline as NoBaseline
    from seqgan.estimators.detached import Detached as Detached
    from seqgan.estimators.gapped import Gapped as Gapped
    from seqgan.estimators.grpo import Grpo as Grpo
    from seqgan.estimators.gumbel_rao import GumbelRao as GumbelRao
    from seqgan.estimators.leakgan import LeakGan as LeakGan
    from seqgan.estimators.maligan import Maligan as Maligan
    from seqgan.estimators.null_arm import NullArm as NullArm
    from seqgan.estimators.pathwise import Pathwise as Pathwise
    from seqgan.estimators.ppo import Ppo as Ppo
    from seqgan.estimators.rao_blackwell import RaoBlackwell as RaoBlackwell
    from seqgan.estimators.rebar import Rebar as Rebar
    from seqgan.estimators.reinmax import ReinMax as ReinMax
    from seqgan.estimators.relax import Relax as Relax
    from seqgan.estimators.relaxed import Relaxed as Relaxed
    from seqgan.estimators.score_function import ScoreFunction as ScoreFunction
    from seqgan.estimators.unordered_set import UnorderedSet as UnorderedSet
    from seqgan.estimators.zero_temperature import ZeroTemperature as ZeroTemperature

__getattr__, __dir__ = attach(__name__)
