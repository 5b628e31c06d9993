"""From configurations to translators in both directions."""

from dataclasses import replace

from torch import nn

from seqgan.core.errors import UserError
from seqgan.core.types import SequenceSpace
from seqgan.models.seq2seq.config import EncoderDecoderConfig, PointerConfig
from seqgan.models.seq2seq.directed import Directed
from seqgan.models.seq2seq.pointer import PointerGenerator
from seqgan.models.seq2seq.transformer import EncoderDecoder


def build_pair(
    config: PointerConfig | EncoderDecoderConfig, a: SequenceSpace, b: SequenceSpace
) -> nn.ModuleDict:
    """Translators `a2b` and `b2a`, freshly initialised on the CPU.

    They are two networks, or with `shared` one that is told the direction. Raises `UserError`
    where the spaces do not allow that.
    """
    if not config.shared:
        return nn.ModuleDict({"a2b": _build(config, a, b), "b2a": _build(config, b, a)})
    if a.vocab_size != b.vocab_size or a.end_id != b.end_id:
        raise UserError(
            f"generator.shared=true: one network needs one vocabulary, these have {a.vocab_size} "
            f"and {b.vocab_size} tokens (ends: {a.end_id}, {b.end_id}); set it to false"
        )
    space = replace(a, length=max(a.length, b.length))
    network = _build(config, space, space, styles=2)
    return nn.ModuleDict({"a2b": Directed(network, 0), "b2a": Directed(network, 1)})


def _build(
    config: PointerConfig | EncoderDecoderConfig,
    source: SequenceSpace,
    space: SequenceSpace,
    styles: int = 0,
) -> PointerGenerator | EncoderDecoder:
    if isinstance(config, PointerConfig):
        return PointerGenerator(source, space, config, styles)
    return EncoderDecoder(source, space, config, styles)
