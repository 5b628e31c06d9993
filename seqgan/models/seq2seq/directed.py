"""Translators in both directions: two networks, or one with a handle for each direction.

The style is a learned vector added to every embedding of the source and to the decoder's start
vector (a direction token, as Johnson et al. 2017 put one before the source).
"""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.types import Generator, Hidden, SequenceSpace, SpacePair, State, StepOut
from seqgan.models.seq2seq.pointer import PointerGenerator
from seqgan.models.seq2seq.transformer import EncoderDecoder

StyledGenerator = PointerGenerator | EncoderDecoder


class Directed(Generator):
    """A network with styles, bound to one of them.

    Several may hold one network, also after `deepcopy` of a module that holds all of them.
    """

    def __init__(self, network: StyledGenerator, style: int) -> None:
        super().__init__()
        assert 0 <= style < network.styles, f"style {style} of {network.styles}"
        self.network = network
        self.style = style
        self.vocab_size = network.vocab_size

    @property
    def training(self) -> bool:
        """The network's mode, whichever handle set it: nested `evaluating` blocks rely on it."""
        return self.network.training

    @training.setter
    def training(self, mode: bool) -> None:
        """`train` sets the mode of the network too."""

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return self.network.start(batch, cond, style=self.style)

    def step(self, x: Tensor, state: State) -> StepOut:
        return self.network.step(x, state)  # the style is in the state already

    def repeated_attention(self, tokens: Tensor, cond: Tensor) -> Tensor:
        assert isinstance(self.network, PointerGenerator), "other networks have no coverage"
        return self.network.repeated_attention(tokens, cond, style=self.style)

    def copied_columns(self, ids_BT: Tensor, cond: Tensor, unk_id: int) -> Tensor | None:
        if isinstance(self.network, PointerGenerator):
            return self.network.copied_columns(ids_BT, cond, unk_id, style=self.style)
        return None

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self.network(tokens, cond, style=self.style)

    def hidden(self, tokens: Tensor, cond: Tensor | None = None) -> Hidden:
        return self.network.hidden(tokens, cond, style=self.style)


def make_pair(
    make_network: Callable[..., StyledGenerator], pair: SpacePair, shared: bool
) -> nn.ModuleDict:
    """Translators `a2b` and `b2a`: two networks, or with `shared` one that has two styles.

    `make_network(source, space)` or `make_network(source, space, styles=2)`. Raises `UserError`
    where the spaces have no vocabulary to share.
    """
    a, b = pair.a, pair.b
    assert isinstance(a, SequenceSpace)
    assert isinstance(b, SequenceSpace)
    if not shared:
        return nn.ModuleDict({"a2b": make_network(a, b), "b2a": make_network(b, a)})
    if a.vocab_size != b.vocab_size or a.end_id != b.end_id:
        raise UserError(
            f"generator.shared=true: one network needs one vocabulary, these have {a.vocab_size} "
            f"and {b.vocab_size} tokens (ends: {a.end_id}, {b.end_id}); set it to false"
        )
    space = replace(a, length=max(a.length, b.length))
    network = make_network(space, space, styles=2)
    return nn.ModuleDict({"a2b": Directed(network, 0), "b2a": Directed(network, 1)})
