"""Exact search over all sentences: the critic scores each, and e^{D(x) / T} is normalised.

    p(x) = e^{D(x) / T} / Z,   p(x_t | x_<t) = Σ_{x_>t} p(x) / Σ_{x_≥t} p(x)

At T = 0 the best sentences share all probability: arg max D. Since all sums are exact it is a
generator like any other, sampled token by token, with a likelihood. Each column asks the critic
for all V^T sentences again, so that no score is out of date.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from seqgan.core.budget import count_critic_calls
from seqgan.core.enumeration import MAX_ENUMERATED, all_sequences
from seqgan.core.errors import UserError
from seqgan.core.generators import CriticSearch
from seqgan.core.modes import frozen
from seqgan.core.types import Batch, Critic, Generator, SequenceSpace, State, StepOut
from seqgan.decoding import Ancestral, sample
from seqgan.models.searches.sentences import until_end
from seqgan.models.searches.tempered import tempered


class ExhaustiveSearch(CriticSearch, Generator):
    """See the module's docstring. The state is (number of the prefix among all of its length,
    its length). Raises `UserError` where there are too many sentences.

    ExhaustiveSearch(space, MlpCritic(space), temperature=0.5).mine(8).x
    """

    def __init__(self, space: SequenceSpace, critic: Critic, temperature: float = 1.0) -> None:
        super().__init__()
        count = space.vocab_size**space.length
        if count > MAX_ENUMERATED:
            raise UserError(
                f"generator.name=exhaustive: cannot list {space.vocab_size}^{space.length} "
                f"sentences (at most {MAX_ENUMERATED:,}); use generator gibbs"
            )
        self.critic = critic
        self.vocab_size = space.vocab_size
        self._space = space
        self._temperature = temperature

    def random_samples(self, rows: int) -> Batch:
        device = next(self.parameters()).device
        shape = (rows, self._space.length)
        return until_end(torch.randint(self.vocab_size, shape, device=device), self._space)

    def mine(self, rows: int) -> Batch:
        with torch.no_grad():
            found = sample(self, self._space, rows, Ancestral())
        return Batch(found.ids_BT, found.mask_BT)

    @torch.no_grad()
    def log_weights(self) -> Tensor:
        """`logw_R` of all V^T rows of ids, in lexicographic order; −∞ for rows that go on behind
        their end."""
        device = next(self.parameters()).device
        ids_RT = all_sequences(self.vocab_size, self._space.length).to(device)
        sentences = until_end(ids_RT, self._space)
        written_R = (sentences.x == ids_RT).all(1)
        count_critic_calls(len(ids_RT))
        with frozen(self.critic):
            score_R = self.critic(ids_RT, sentences.mask).per_sample().float()
        score_R = score_R.masked_fill(~written_R, -torch.inf)
        return tempered(score_R, self._temperature)

    def _levels(self) -> Sequence[Tensor]:
        """Entry t: the log-weight of each prefix of t tokens, with all that may come behind it."""
        levels = [self.log_weights()]
        for _ in range(self._space.length):
            levels.append(levels[-1].view(-1, self.vocab_size).logsumexp(1))
        return levels[::-1]

    def _logits(self, levels: Sequence[Tensor], length: int, prefix_B: Tensor) -> Tensor:
        """`logits_BV` behind prefixes of so many tokens; uniform where nothing can stand there."""
        logits_BV = levels[length + 1].view(-1, self.vocab_size)[prefix_B]
        nowhere_B1 = (logits_BV == -torch.inf).all(1, keepdim=True)
        return logits_BV.masked_fill(nowhere_B1, 0.0)

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        prefix_B = torch.zeros(batch, dtype=torch.long, device=next(self.parameters()).device)
        return StepOut(self._logits(self._levels(), 0, prefix_B), (prefix_B, 0))

    def step(self, x: Tensor, state: State) -> StepOut:
        prefix_B, length = state
        prefix_B = prefix_B * self.vocab_size + _ids(x)
        return StepOut(self._logits(self._levels(), length + 1, prefix_B), (prefix_B, length + 1))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        ids_BT, levels = _ids(tokens), self._levels()
        prefix_B = torch.zeros_like(ids_BT[:, 0])
        columns = []
        for column in range(ids_BT.shape[1]):
            columns.append(self._logits(levels, column, prefix_B))
            prefix_B = prefix_B * self.vocab_size + ids_BT[:, column]
        return torch.stack(columns, 1)


def _ids(tokens: Tensor) -> Tensor:
    return tokens.argmax(-1) if tokens.is_floating_point() else tokens
