"""A generator from any causal network: a module that maps ids to the logits of each next token.

    network(ids_BT) = logits_BTV,   [:, t] about the token after column t

Every step of sampling runs the network on the whole prefix: T passes for T tokens. A network with a
state or a cache is quicker as a `Generator` of its own.
"""

import torch
from torch import Tensor, nn

from seqgan.core.types import Generator, State, StepOut


class CausalGenerator(Generator):
    """Samples from `network`, which maps ids [B, T] to logits [B, T, V] of the tokens that follow.

    `start_id` is read before the first token. Unconditional, and for ids only: estimators that
    sample soft rows need a generator that reads those.

        CausalGenerator(my_transformer, vocab_size=1000, start_id=0)
    """

    def __init__(self, network: nn.Module, vocab_size: int, start_id: int) -> None:
        super().__init__()
        self.network = network
        self.vocab_size = vocab_size
        self._start_id = start_id

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        device = next(self.parameters()).device
        return self._after(torch.full((batch, 1), self._start_id, device=device))

    def step(self, x: Tensor, state: State) -> StepOut:
        (read_BT,) = state
        return self._after(torch.cat([read_BT, x[:, None]], 1))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        start_B1 = torch.full_like(tokens[:, :1], self._start_id)
        logits_BTV: Tensor = self.network(torch.cat([start_B1, tokens[:, :-1]], 1))
        return logits_BTV

    def _after(self, read_BT: Tensor) -> StepOut:
        return StepOut(self.network(read_BT)[:, -1], (read_BT,))
