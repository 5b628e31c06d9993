"""Evolution as a phase: several objectives compete for each update of the generator.

    phase evolve   for each mutation: child ← parent (weights, averages, optimizer, estimator)
                   a generator's visit of the game (`adversarial.py`), whose objective is the
                   mutation: likelihood of real sentences, demonstrations and all epochs included
                   fitness = quality + λ · diversity;  the fittest child is the next parent
                   quality = E_{x ~ child} value(D(x)),  diversity = −log ‖∇_D loss_D(real, child)‖

E-GAN (Wang et al. 2019): the mutations are the generator's losses of minimax, non-saturating and
least-squares games; a large gradient of the critic's loss means that it can tell the child's
samples easily, as it can when they have collapsed. On text: CatGAN and its ablation EvoGAN (Liu et
al. 2020). λ = .001 in both.

Deviations. One parent survives, as in E-GAN by default. `quality` is the mean of the game's own
reward (σ(D) with `objective.reward: prob`, as published), the same for all children. CatGAN takes
the likelihood of real data for diversity, and its mutations are relativistic. lsgan acts on logits,
not on σ(D). All children of a visit, and their samples for the fitness, are made with the same
random numbers and real sentences: they differ by their mutation alone.

One number a child is read from the device, so a GPU waits for each.
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from seqgan.core.masks import masked_mean
from seqgan.core.modes import evaluating, frozen
from seqgan.core.rng import isolated
from seqgan.core.types import Batch, Critic, Sample, SampleRequest, Stateful
from seqgan.data.stream import Batches
from seqgan.estimators.base import Estimator
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.critics import score
from seqgan.games.surrogate import Updates
from seqgan.objectives.base import Objective
from seqgan.training.player import Player


class EvolutionaryGame:
    """An adversarial game with a phase `evolve` beside its others."""

    def __init__(
        self,
        game: AdversarialGame,
        estimator: Estimator,
        stream: Batches,
        objective: Objective,
        mutations: Sequence[Objective],
        diversity: float,
    ) -> None:
        self.players = game.players
        self._game = game
        self._estimator = estimator
        self._stream = stream
        self._objective = objective
        self._mutations = mutations
        self._diversity = diversity
        self._generator: Player[Any] = game.players["generator"]
        self._critic: Player[Critic] = game.players["critic"]
        # What a child's updates change, and a sibling's must not see.
        shared = ("stream", "prompts")
        parts = {name: part for name, part in game.stateful().items() if name not in shared}
        self._heritable: dict[str, Stateful] = {"generator": self._generator, **parts}

    def updates(self, phase: str) -> Updates:
        return self._evolve() if phase == "evolve" else self._game.updates(phase)

    def stateful(self) -> dict[str, Stateful]:
        return self._game.stateful()

    def _evolve(self) -> Updates:
        real = self._stream.next()
        cond = self._game.conditions(real)
        seed = int(torch.randint(2**62, ()))
        parent, best, fittest = self._genome(), None, None
        for mutation in self._mutations:
            self._become(parent)
            with isolated(seed):
                yield from self._game.generator_updates(mutation, real, cond)
            with isolated(seed):
                fitness = float(self._fitness(real))
            if best is None or fitness > best:
                best, fittest = fitness, self._genome()
        assert fittest is not None, "there are mutations"
        self._become(fittest)

    def _genome(self) -> dict[str, Any]:
        """Everything that makes a generator, as a copy."""
        return copy.deepcopy({name: part.state_dict() for name, part in self._heritable.items()})

    def _become(self, genome: dict[str, Any]) -> None:
        """Copied once more: an optimizer goes on writing into the tensors that it is given."""
        for name, state in copy.deepcopy(genome).items():
            self._heritable[name].load_state_dict(state)

    def _fitness(self, real: Batch) -> Tensor:
        """Of the present generator, a scalar."""
        with torch.no_grad(), frozen(self._generator.module):
            request = SampleRequest(len(real.x), real.cond)
            fake = self._estimator.sample(self._generator.module, request)
        return fitness(self._critic.module, self._objective, real, fake, self._diversity)


def fitness(
    critic: Critic, objective: Objective, real: Sample, fake: Sample, diversity: float
) -> Tensor:
    """Quality + λ · diversity of generated samples in the eyes of a critic, a scalar."""
    parameters = [p for p in critic.parameters() if p.requires_grad]
    with evaluating(critic):
        of_real, of_fake = score(critic, real), score(critic, fake)
        loss = objective.critic_loss(of_real, of_fake)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            quality = masked_mean(objective.reward(of_fake, of_real), of_fake.mask_BT)
    norm = torch.stack([g.norm() for g in gradients if g is not None]).norm()
    return quality - diversity * norm.clamp(min=torch.finfo(torch.float32).tiny).log()
