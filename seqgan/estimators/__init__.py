"""Estimators: how a reward of sampled sequences becomes a gradient of the generator.

They work in a loop of one's own, with one's own network and reward:

    import torch
    from seqgan import SampleRequest, SequenceSpace
    from seqgan.estimators import LeaveOneOut, Rollout, ScoreFunction
    from seqgan.models.generators import CausalGenerator

    def reward(tokens, mask):  # ids [B, T], True up to the end: a number for each sequence
        return ((tokens == 3) & mask).sum(1) / mask.sum(1)

    space = SequenceSpace(vocab_size=6, length=8, end_id=0)
    generator = CausalGenerator(network, vocab_size=6, start_id=0)  # ids [B, T] to logits [B, T, V]
    estimator = ScoreFunction(space, credit=Rollout(4), baseline=LeaveOneOut())
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    for _ in range(100):
        rollout = estimator.sample(generator, SampleRequest(rows=64))
        surrogate = estimator.loss(generator, rollout, reward)
        optimizer.zero_grad()
        surrogate.loss.backward()
        optimizer.step()

A `Generator` of one's own has `start`, `step` and `forward`.
"""

from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan.estimators.all_action import AllAction as AllAction
    from seqgan.estimators.base import Estimator as Estimator
    from seqgan.estimators.base import SequenceEstimator as SequenceEstimator
    from seqgan.estimators.base import Surrogate as Surrogate
    from seqgan.estimators.baselines import Baseline as Baseline
    from seqgan.estimators.baselines import LearnedBaseline as LearnedBaseline
    from seqgan.estimators.baselines import LeaveOneOut as LeaveOneOut
    from seqgan.estimators.baselines import MovingAverage as MovingAverage
    from seqgan.estimators.baselines import NoBaseline as NoBaseline
    from seqgan.estimators.baselines import Returns as Returns
    from seqgan.estimators.baselines import SelfCritical as SelfCritical
    from seqgan.estimators.credit import Credit as Credit
    from seqgan.estimators.credit import GaeCredit as GaeCredit
    from seqgan.estimators.credit import PerStepCredit as PerStepCredit
    from seqgan.estimators.credit import RewardedRollout as RewardedRollout
    from seqgan.estimators.credit import SequenceCredit as SequenceCredit
    from seqgan.estimators.credit import WindowCredit as WindowCredit
    from seqgan.estimators.detached import Detached as Detached
    from seqgan.estimators.grpo import Grpo as Grpo
    from seqgan.estimators.leakgan import LeakGan as LeakGan
    from seqgan.estimators.maligan import Maligan as Maligan
    from seqgan.estimators.null_arm import NullArm as NullArm
    from seqgan.estimators.pathwise import Pathwise as Pathwise
    from seqgan.estimators.ppo import Ppo as Ppo
    from seqgan.estimators.rao_blackwell import RaoBlackwell as RaoBlackwell
    from seqgan.estimators.rebar import Rebar as Rebar
    from seqgan.estimators.rebar import RebarScales as RebarScales
    from seqgan.estimators.redge import Redge as Redge
    from seqgan.estimators.relax import Relax as Relax
    from seqgan.estimators.relaxed import Relaxed as Relaxed
    from seqgan.estimators.rewards import as_reward as as_reward
    from seqgan.estimators.rollout import Rollout as Rollout
    from seqgan.estimators.score_function import ScoreFunction as ScoreFunction
    from seqgan.estimators.straight_through import Gapped as Gapped
    from seqgan.estimators.straight_through import GumbelRao as GumbelRao
    from seqgan.estimators.straight_through import ReinMax as ReinMax
    from seqgan.estimators.straight_through import ReinMaxRao as ReinMaxRao
    from seqgan.estimators.straight_through import ZeroTemperature as ZeroTemperature
    from seqgan.estimators.unordered_set import UnorderedSet as UnorderedSet

__getattr__, __dir__ = attach(__name__)
