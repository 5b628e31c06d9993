"""Evolution as a phase: several objectives compete for each update of the generator.

    phase evolve   for each mutation: child ← parent (weights, averages, optimizer, estimator)
                   one step of the phase `generator` (`adversarial.py`) with the mutation as
                   objective: likelihood of real sentences, demonstrations and all epochs included
                   fitness = quality + λ · diversity;  the fittest child is the next parent
                   quality = E_{x ~ child} reward(D(x)),  diversity = −log ‖∇_D loss_D(real, child)‖

E-GAN (Wang et al. 2019): the mutations are the generator's losses of minimax, non-saturating and
least-squares games; a large gradient of the critic's loss means that it separates the child's
samples easily, as where they have collapsed. On text: CatGAN and EvoGAN (Liu et al. 2020).
λ = .001 in both.

Deviations. One parent survives, as in E-GAN by default. `quality` is the mean of the game's own
reward (σ(D) with `objective.reward: prob`, as published). CatGAN takes the likelihood of real data
for diversity, and its mutations are relativistic. lsgan acts on logits, not on σ(D). All children
of a step, and their samples for the fitness, are made with the same random numbers and real
sentences. One number per child is read from the device, so a GPU waits for each.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from seqgan.core.masks import masked_mean
from seqgan.core.modes import evaluating, frozen
from seqgan.core.plain import StateDict
from seqgan.core.rng import isolated
from seqgan.core.types import Batch, Critic, Sample, SampleRequest, Stateful
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.critics import score
from seqgan.objectives.base import Objective
from seqgan.training.game import Updates


class EvolutionaryGame:
    """An adversarial game with a phase `evolve` beside its others."""

    def __init__(
        self, game: AdversarialGame, mutations: Sequence[Objective], diversity: float
    ) -> None:
        self.players = game.players
        self._game = game
        self._mutations = mutations
        self._diversity = diversity
        # What a child's updates change, and its siblings must start without.
        shared = ("stream", "prompts", "trust_region")
        parts = {name: part for name, part in game.stateful().items() if name not in shared}
        self._heritable: dict[str, Stateful] = {"generator": game.generator.player, **parts}

    def updates(self, phase: str) -> Updates:
        return self._evolve() if phase == "evolve" else self._game.updates(phase)

    def stateful(self) -> dict[str, Stateful]:
        return self._game.stateful()

    def _evolve(self) -> Updates:
        real = self._game.stream.next()
        cond = self._game.next_conditions(real)
        seed = int(torch.randint(2**62, ()))
        parent, best, fittest = self._genome(), None, None
        for mutation in self._mutations:
            criterion = replace(self._game.criterion, objective=mutation)
            self._become(parent)
            with isolated(seed):
                yield from self._game.generator_updates(criterion, real, cond)
            with isolated(seed):
                fitness = float(self._fitness(real))
            if best is None or fitness > best:
                best, fittest = fitness, self._genome()
        assert fittest is not None, "there are mutations"
        self._become(fittest)

    def _genome(self) -> StateDict:
        """Everything that makes a generator, as a copy."""
        return copy.deepcopy({name: part.state_dict() for name, part in self._heritable.items()})

    def _become(self, genome: StateDict) -> None:
        """Load a copy: an optimizer writes into the tensors that it is given."""
        for name, state in copy.deepcopy(genome).items():
            self._heritable[name].load_state_dict(state)

    def _fitness(self, real: Batch) -> Tensor:
        """Of the present generator, a scalar."""
        generator, objective = self._game.generator.player.module, self._game.criterion.objective
        with torch.no_grad(), frozen(generator):
            request = SampleRequest(len(real.x), real.cond)
            fake = self._game.generator.estimator.sample(generator, request)
        return fitness(self._game.critic.module, objective, real, fake, self._diversity)


def fitness(
    critic: Critic, objective: Objective, real: Sample, fake: Sample, diversity: float
) -> Tensor:
    """Quality + λ · diversity of generated samples, by the critic; a scalar."""
    parameters = [p for p in critic.parameters() if p.requires_grad]
    with evaluating(critic):
        of_real, of_fake = score(critic, real), score(critic, fake)
        loss = objective.critic_loss(of_real, of_fake)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            quality = masked_mean(objective.reward(of_fake, of_real), of_fake.mask_BT)
    norm = torch.stack([g.norm() for g in gradients if g is not None]).norm()
    found: Tensor = quality - diversity * norm.clamp(min=torch.finfo(torch.float32).tiny).log()
    return found
