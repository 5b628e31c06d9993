"""LeakGAN's generator: a manager that reads the critic's features, a worker that follows it.

    f_t = F(x_<=t)                         the critic's features of the present prefix, leaked
    g_t = m_t / |m_t|,  m_t = W h^M_t + b  h^M an LSTM over f: the manager's goal, a direction
    w_t = W_ψ Σ_{0≤i<c} g_{t−i}            the last c goals, linear without bias: k numbers
    p(x_{t+1} | x_<=t) = softmax(O_t w_t)  O_t [V, k] = W h^W_t + b, h^W an LSTM over tokens

Paper: Guo et al. 2018. How the two learn: `estimators/leakgan.py`, from two cosines computed here.
f_t behind the last column, or an end, is that of the whole sentence:

    alignment_t    = cos(f_{t+c} − f_t, g_t)                       the goal, and what came of it
    reward_t       = mean_{1≤i≤c} cos(f_{t+1} − f_{t+1−i}, g_{t+1−i})  token t+1 and its goals

(In code, column t is about the goal after t tokens and about the token that comes next.)

Gradients. Features carry none, neither to the critic nor to the tokens. The worker reads goals
without gradient: the manager learns from `alignment` alone, and the worker (to which W_ψ belongs)
from p alone.

The leak. The generator keeps a copy of the critic as buffers, which are saved with it, not trained,
and copied by moving averages. `sync_critic_features(critic)` refreshes it after every update of the
critic. Cost: the critic's features of every prefix, where other generators read one more token.

Deviations from the paper: the first c − 1 columns have fewer goals, and `reward` is the mean
over those there are; goals near the end look at the end; the softmax has temperature 1. From the
official code, besides those: logits are not multiplied by 1.5 in samples alone; columns that are
not there yet are zeros, not a token of their own; goals act at once and slide, where theirs are
summed over blocks of c columns and used in the next block, with a learned goal for the first; the
goals' embedding is not normalised; the start token is a learned vector; torch's initialisation.
"""

from operator import attrgetter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.budget import count_critic_calls
from seqgan.core.generators import Managed, ManagedGenerator
from seqgan.core.masks import mask_until_end
from seqgan.core.modes import evaluating
from seqgan.core.types import Critic, SequenceSpace, State, StepOut
from seqgan.models.layers import Recurrent, TokenEmbedding


class LeakGanGenerator(ManagedGenerator):
    """A manager and a worker; see `core.generators.ManagedGenerator` for the contract.

    `leaked` is a critic like the one whose features are read later; it gives features and becomes
    part of this module. `goal` is the width of a goal's embedding, `horizon` counts tokens.

        generator = LeakGanGenerator(space, CnnCritic(space, 32, (1, 2, 3), (50, 50, 50)))
        generator.sync_critic_features(critic)  # after each update of the critic

    The state is (tokens so far, the manager's, the worker's, the last c goals as k numbers each
    [B, c, k]).
    """

    def __init__(
        self,
        space: SequenceSpace,
        leaked: Critic,
        embed: int = 32,
        hidden: int = 32,
        goal: int = 16,
        horizon: int = 4,
    ) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self.horizon = horizon
        self._space = space
        self.embedding = TokenEmbedding(space.vocab_size, embed)
        self.start_E = nn.Parameter(torch.randn(embed))
        self.worker = Recurrent("lstm", embed, hidden)
        self.actions = nn.Linear(hidden, space.vocab_size * goal)
        self.embed_goal = nn.Linear(leaked.features, goal, bias=False)
        self.manager = Recurrent("lstm", leaked.features, hidden)
        self.goal = nn.Linear(hidden, leaked.features)
        self.leaked = leaked
        _parameters_to_buffers(leaked)

    @torch.no_grad()
    def sync_critic_features(self, critic: nn.Module) -> None:
        """Copy the critic as it is now; of normalised layers, the weights that they act with."""
        with evaluating(critic):
            for name, buffer in self.leaked.named_buffers():
                buffer.copy_(attrgetter(name)(critic))

    # ── The step loop ─────────────────────────────────────────────────────────────────────────

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        weight = self.embed_goal.weight
        nothing = torch.zeros(batch, 0, dtype=torch.long, device=weight.device)
        goals_BCK = weight.new_zeros(batch, self.horizon, len(weight))
        at_rest = (self.manager.zero_state(batch), self.worker.zero_state(batch))
        return self._step(self.start_E.expand(batch, -1), (nothing, *at_rest, goals_BCK))

    def step(self, x: Tensor, state: State) -> StepOut:
        prefix, *rest = state
        prefix = torch.cat([prefix, x[:, None]], 1) if prefix.shape[1] else x[:, None]
        return self._step(self.embedding(x), (prefix, *rest))

    def _step(self, x_BE: Tensor, state: State) -> StepOut:
        prefix, manager, worker, goals_BCK = state
        f_BF = self._features(prefix, mask_until_end(_ids(prefix), self._space.end_id))
        goal_BF, manager = self.manager.step(f_BF, manager)
        goal_BF = F.normalize(self.goal(goal_BF), dim=-1)
        newest_BK = self.embed_goal(goal_BF.detach())
        goals_BCK = torch.cat([goals_BCK[:, 1:], newest_BK[:, None]], 1)
        h_BH, worker = self.worker.step(x_BE, worker)
        logits_BV = self._logits(h_BH, goals_BCK.sum(1))
        return StepOut(logits_BV, (prefix, manager, worker, goals_BCK))

    # ── Whole sentences ───────────────────────────────────────────────────────────────────────

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self._unroll(tokens, self._prefix_features(tokens, tokens.shape[1]))[0]

    def read(self, tokens: Tensor) -> Managed:
        """The logits of `forward`, and the cosines of goals and features."""
        f_BSF = self._prefix_features(tokens, tokens.shape[1] + 1)
        logits_BTV, goals_BTF = self._unroll(tokens, f_BSF[:, :-1])
        return Managed(
            logits_BTV,
            _alignment(f_BSF.float(), goals_BTF.float(), self.horizon),
            _reward(f_BSF.float(), goals_BTF.detach().float(), self.horizon),
        )

    def _unroll(self, tokens: Tensor, f_BTF: Tensor) -> tuple[Tensor, Tensor]:
        """`logits_BTV` and `goals_BTF`."""
        goals_BTF = F.normalize(self.goal(self.manager(f_BTF)[0]), dim=-1)
        w_BTK = _sums_of_last(self.embed_goal(goals_BTF.detach()), self.horizon)
        start_B1E = self.start_E.expand(len(tokens), 1, -1)
        x_BTE = torch.cat([start_B1E, self.embedding(tokens[:, :-1])], 1)
        return self._logits(self.worker(x_BTE)[0], w_BTK), goals_BTF

    def _logits(self, h: Tensor, w: Tensor) -> Tensor:
        """O w [..., V] of h [..., H] and w [..., k], without ever forming O [..., V, k]."""
        products = (w[..., :, None] * h[..., None, :]).flatten(-2)
        weight = self.actions.weight.view(self.vocab_size, -1)
        bias = self.actions.bias.view(self.vocab_size, -1)
        return F.linear(products, weight) + F.linear(w, bias)

    # ── The leak ──────────────────────────────────────────────────────────────────────────────

    def _prefix_features(self, tokens: Tensor, prefixes: int) -> Tensor:
        """`f_BSF` of the first 0, 1, … `prefixes` - 1 tokens."""
        columns_T = torch.arange(tokens.shape[1], device=tokens.device)
        read_ST = columns_T < torch.arange(prefixes, device=tokens.device)[:, None]
        part_BT = mask_until_end(_ids(tokens), self._space.end_id)
        rows = tokens.repeat(prefixes, *[1] * (tokens.dim() - 1))
        f_RF = self._features(rows, (read_ST[:, None] & part_BT).flatten(0, 1))
        return f_RF.unflatten(0, (prefixes, -1)).transpose(0, 1)

    @torch.no_grad()
    def _features(self, tokens: Tensor, mask_BT: Tensor) -> Tensor:
        """`f_BF`; sentences are filled up to the length that the critic was made for."""
        count_critic_calls(len(tokens))
        missing = self._space.length - tokens.shape[1]
        filled = F.pad(tokens, (0, 0) * (tokens.dim() - 2) + (0, missing))
        features_BF = self.leaked(filled, F.pad(mask_BT, (0, missing))).features_BF
        assert features_BF is not None, "the critic gives no features"
        return features_BF


def _ids(tokens: Tensor) -> Tensor:
    return tokens.argmax(-1) if tokens.is_floating_point() else tokens


def _sums_of_last(x_BTK: Tensor, count: int) -> Tensor:
    """Entry t is the sum of the entries t - count + 1 … t, as far as they exist."""
    return F.pad(x_BTK, (0, 0, count - 1, 0)).unfold(1, count, 1).sum(-1)


def _alignment(f_BSF: Tensor, goals_BTF: Tensor, horizon: int) -> Tensor:
    """`manager_alignment_BT` of the module's docstring; f has a column more than the goals."""
    length = goals_BTF.shape[1]
    arrival_T = (torch.arange(length, device=f_BSF.device) + horizon).clamp(max=length)
    return _cosine(f_BSF[:, arrival_T], f_BSF[:, :-1], goals_BTF)


def _reward(f_BSF: Tensor, goals_BTF: Tensor, horizon: int) -> Tensor:
    """`worker_reward_BT` of the module's docstring."""
    length = goals_BTF.shape[1]
    columns_T = torch.arange(1, length + 1, device=f_BSF.device)
    total_BT = torch.zeros_like(f_BSF[:, 1:, 0])
    for back in range(1, min(horizon, length) + 1):
        cosine = _cosine(f_BSF[:, back:], f_BSF[:, :-back], goals_BTF[:, : length + 1 - back])
        total_BT = total_BT + F.pad(cosine, (back - 1, 0))
    return total_BT / columns_T.clamp(max=horizon)


def _cosine(after: Tensor, before: Tensor, goal: Tensor) -> Tensor:
    """Of after − before and a goal of length 1. Where nothing moved it is 0: rounding errors of
    equal features are no direction."""
    moved = after - before
    floor = 1e-4 * before.norm(dim=-1)
    size = torch.maximum(moved.norm(dim=-1), floor.clamp(min=torch.finfo(moved.dtype).tiny))
    return (moved * goal).sum(-1) / size


def _parameters_to_buffers(module: nn.Module) -> None:
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach())
