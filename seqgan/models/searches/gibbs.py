"""Markov chain Monte Carlo over sentences: one token at a time, given all the others.

    x_t ~ p(v) ∝ e^{D(x with x_t = v) / T},   v among `candidates` tokens,   `steps` times

t is random in each step. With all V tokens this is Gibbs sampling; with fewer the candidates are
the present token and random others, which has the same stationary distribution (they are as likely
to be drawn from either side) and costs `candidates` calls of the critic a step. A search goes on
from random rows of a replay buffer, as that of pictures does (`langevin.py`).

Sentences end at different columns. A chain keeps all T tokens, of which those behind the first end
are free, and the weight of a sentence is shared by the V^(T−L) rows that begin with it:

    log w(row) = D(sentence) / T − (T − L) log V

so that sentences of all lengths have their weight e^{D / T}.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from seqgan.core.budget import count_critic_calls, count_tokens
from seqgan.core.generators import SentenceSearch
from seqgan.core.modes import frozen
from seqgan.core.types import Batch, Critic, Rollout, SequenceSpace
from seqgan.decoding import Ancestral
from seqgan.models.searches.chains import Chains
from seqgan.models.searches.sentences import until_end

Choose = Callable[[Tensor], Tensor]
"""Draws one column of each row of logits [R, K]: [R]."""


class GibbsSearch(SentenceSearch):
    """See the module's docstring. `candidates` None: all tokens.

    GibbsSearch(space, MlpCritic(space), steps=8, buffer=64).mine(8).x
    """

    def __init__(
        self,
        space: SequenceSpace,
        critic: Critic,
        steps: int = 20,
        candidates: int | None = None,
        temperature: float = 1.0,
        buffer: int = 10_000,
        fresh: float = 0.05,
    ) -> None:
        super().__init__()
        self.critic = critic
        self.vocab_size = space.vocab_size
        self._space = space
        self._steps = steps
        self._candidates = min(candidates or space.vocab_size, space.vocab_size)
        self._temperature = temperature
        self.chains = Chains(self._random(buffer), fresh)
        self.most_rows = buffer

    def random_samples(self, rows: int) -> Batch:
        return until_end(self._random(rows), self._space)

    def _random(self, rows: int) -> Tensor:
        device = next(self.critic.parameters()).device
        return torch.randint(self.vocab_size, (rows, self._space.length), device=device)

    def mine(self, rows: int) -> Batch:
        slots_B, ids_RT = self.chains.take(rows, self._random(rows))
        ids_RT = self.walk(ids_RT, lambda logits_RK: Ancestral()(logits_RK, 1).ids_R)
        self.chains.put(slots_B, ids_RT)
        return until_end(ids_RT, self._space)

    def write(self, rows: int, choose: Choose) -> Rollout:
        found = until_end(self.walk(self.chains.draw(rows), choose), self._space)
        assert found.mask is not None, "sentences have masks"
        return Rollout(found.x, found.x, found.mask)

    @torch.no_grad()
    def walk(self, ids_RT: Tensor, choose: Choose) -> Tensor:
        """`steps` steps of the chains."""
        count_tokens(len(ids_RT) * self._steps)
        with frozen(self.critic):
            for _ in range(self._steps):
                column_R1 = torch.randint_like(ids_RT[:, :1], ids_RT.shape[1])
                tokens_RK = self._others(ids_RT.gather(1, column_R1))
                chosen_R = choose(self._log_weights(ids_RT, column_R1, tokens_RK))
                ids_RT = ids_RT.scatter(1, column_R1, tokens_RK.gather(1, chosen_R[:, None]))
        return ids_RT

    def _others(self, present_R1: Tensor) -> Tensor:
        """`tokens_RK`: the present token, and random others, no two alike."""
        rank_RV = torch.rand(len(present_R1), self.vocab_size, device=present_R1.device)
        rank_RV = rank_RV.scatter(1, present_R1, 2.0)
        return rank_RV.topk(self._candidates, 1).indices

    def _log_weights(self, ids_RT: Tensor, column_R1: Tensor, tokens_RK: Tensor) -> Tensor:
        """`logw_RK` of the rows with each token in their column."""
        rows, count = tokens_RK.shape
        changed = ids_RT.repeat_interleave(count, 0)
        changed = changed.scatter(1, column_R1.repeat_interleave(count, 0), tokens_RK.view(-1, 1))
        sentences = until_end(changed, self._space)
        assert sentences.mask is not None, "sentences have masks"
        count_critic_calls(len(changed))
        score = self.critic(sentences.x, sentences.mask).per_sample().float()
        free = self._space.length - sentences.mask.sum(1)
        return (score / self._temperature - free * math.log(self.vocab_size)).view(rows, count)
