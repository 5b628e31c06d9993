"""Translations and long samples with and without caches."""

from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.naive import CHECK_VOCAB
from benchmarks.sizes import Sizes
from benchmarks.timing import Json, alternate, ratio
from seqgan.core.types import (
    Generator,
    SequenceSpace,
)
from seqgan.decoding import Ancestral, sample
from seqgan.models.base_config import SequenceGeneratorConfig
from seqgan.models.config import (
    HfGeneratorConfig,
    TransformerGeneratorConfig,
)
from seqgan.models.seq2seq.transformer import EncoderDecoder
from seqgan.translate import translate


@torch.no_grad()
def bench_translate(sizes: Sizes, device: torch.device) -> Json:
    """Both sides in batches of 100; sources and translations have all their columns."""
    network = EncoderDecoder(sizes.space, sizes.space, width=128, layers=2).to(device).eval()
    shape = (sizes.translations, sizes.length)
    batches = torch.randint(sizes.vocab, shape, device=device).split(100)
    found: dict[str, list[Tensor]] = {}

    def ours() -> None:
        found["ours"] = [translate(network, sizes.space, cond).ids_BT for cond in batches]

    def naive() -> None:
        found["naive"] = [naive_translation(network, cond, sizes.length) for cond in batches]

    translate(network, sizes.space, batches[0])  # warm up
    naive_translation(network, batches[0], 2)
    result = ratio(alternate({"naive": naive, "ours": ours}, sizes.repeats, device))
    same_N = torch.cat(found["ours"]).eq(torch.cat(found["naive"])).all(1)
    result["checks"] = {"same_translations": float(same_N.float().mean())}
    return result


def naive_translation(network: EncoderDecoder, cond: Tensor, length: int) -> Tensor:
    """`ids_BT` without a state: every token reads the source and the prefix from the start."""
    ids_BT = cond.new_zeros(len(cond), 0)
    for _ in range(length):
        asked_BT = F.pad(ids_BT, (0, 1))  # the last column is predicted, not read
        ids_BT = torch.cat([ids_BT, network(asked_BT, cond)[:, -1:].argmax(-1)], 1)
    return ids_BT


@torch.no_grad()
def bench_kv_cache(sizes: Sizes, device: torch.device) -> Json:
    """Both sides draw with the same random numbers, so they write the same tokens. There are few
    of them: the naive side computes the logits of every column, and should not lose by that."""
    space = SequenceSpace(CHECK_VOCAB, sizes.cached_length)
    with TemporaryDirectory() as folder:
        configs: dict[str, SequenceGeneratorConfig] = {
            "transformer": cached_config(sizes),
            "hf": cached_hf_config(sizes, folder),
        }
        generators = {name: config.build(space) for name, config in configs.items()}
    return {
        name: _cache_ratio(generator.to(device).eval(), space, sizes, device)
        for name, generator in generators.items()
    }


def cached_config(sizes: Sizes) -> TransformerGeneratorConfig:
    return TransformerGeneratorConfig(
        name="transformer", width=sizes.cached_width, layers=sizes.cached_layers, heads=4
    )


def cached_hf_config(sizes: Sizes, folder: str) -> HfGeneratorConfig:
    """A GPT-2 of the same size, whose configuration is written into `folder`."""
    from transformers import GPT2Config

    settings = GPT2Config(
        vocab_size=CHECK_VOCAB,
        n_positions=sizes.cached_length,
        n_embd=sizes.cached_width,
        n_layer=sizes.cached_layers,
        n_head=4,
        bos_token_id=0,
        eos_token_id=0,
    )
    settings.save_pretrained(folder)
    return HfGeneratorConfig(name="hf", path=folder, random_init=True)


def _cache_ratio(
    generator: Generator, space: SequenceSpace, sizes: Sizes, device: torch.device
) -> Json:
    found: dict[str, Tensor] = {}

    def ours() -> None:
        torch.manual_seed(0)
        found["ours"] = sample(generator, space, sizes.batch, Ancestral()).ids_BT

    def naive() -> None:
        torch.manual_seed(0)
        found["naive"] = without_cache(generator, sizes.batch, space.length, device)

    sample(generator, space, 2, Ancestral())  # warm up
    without_cache(generator, 2, 2, device)
    result = ratio(alternate({"naive": naive, "ours": ours}, sizes.repeats, device))
    same_B = found["ours"].eq(found["naive"]).all(1)
    return {**result, "checks": {"same_samples": float(same_B.float().mean())}}


def without_cache(generator: Generator, rows: int, length: int, device: torch.device) -> Tensor:
    """`ids_BT`: every token reads all those before it from the start."""
    ids_BT = torch.zeros(rows, 0, dtype=torch.long, device=device)
    for _ in range(length):
        asked_BT = F.pad(ids_BT, (0, 1))  # the last column is predicted, not read
        drawn = Ancestral()(generator(asked_BT)[:, -1], 1)
        ids_BT = torch.cat([ids_BT, drawn.ids_R[:, None]], 1)
    return ids_BT
