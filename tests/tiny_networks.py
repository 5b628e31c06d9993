"""Networks and tokenizers of the `transformers` library, small, random, and made in a folder.

Nothing is fetched: every configuration stands here, and `save_pretrained` writes it.
"""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

transformers.utils.logging.disable_progress_bar()

VOCAB = 12
_SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_BEGIN_AND_END = {"bos_token_id": 1, "eos_token_id": 2}
_ROTARY = {**_SIZES, **_BEGIN_AND_END, "num_key_value_heads": 1, "max_position_embeddings": 16}


def _gpt2(**fields: Any) -> Any:
    settings = {"vocab_size": VOCAB, "n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2}
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(**(settings | _BEGIN_AND_END | fields))
    )


def _gemma() -> Any:
    """Scales its embeddings, and half of its layers see few columns."""
    kinds = ["sliding_attention", "full_attention"]
    config = transformers.Gemma3TextConfig(
        **_ROTARY, head_dim=8, sliding_window=3, layer_types=kinds, pad_token_id=0
    )
    return transformers.Gemma3ForCausalLM(config)


def _mamba() -> Any:
    config = transformers.MambaConfig(
        vocab_size=VOCAB, hidden_size=16, num_hidden_layers=1, state_size=4, **_BEGIN_AND_END
    )
    return transformers.MambaForCausalLM(config)


def _bert(**fields: Any) -> Any:
    config = transformers.BertConfig(**_SIZES, max_position_embeddings=16, **fields)
    return transformers.BertForMaskedLM(config)


NETWORKS = {
    "gpt2": _gpt2,
    "llama": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**_ROTARY)),
    "gemma": _gemma,
    "mamba": _mamba,
    "bert": _bert,
    "bert with ends": lambda: _bert(**_BEGIN_AND_END),
    "roberta": lambda: transformers.RobertaForMaskedLM(
        transformers.RobertaConfig(**_SIZES, max_position_embeddings=16)
    ),
}


def write_network(name: str, folder: Path, **fields: Any) -> str:
    """Save a network whose outputs differ a lot from token to token; returns the path."""
    torch.manual_seed(0)
    network = NETWORKS[name](**fields)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.data.mul_(8)
    network.save_pretrained(folder)
    return str(folder)


LINES = ["the cat sat on the mat", "a dog sat on the cat", "the mat, the dog"]


def write_byte_tokenizer(folder: Path) -> str:
    """GPT-2's kind: bytes, and one special token that is begin, end and unknown."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=270,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    end = "<|endoftext|>"
    _wrap(tokenizer, eos_token=end, bos_token=end, unk_token=end).save_pretrained(folder)
    return str(folder)


def write_word_tokenizer(folder: Path, **specials: str) -> str:
    """BERT's kind: words in lower case, with a separator instead of an end token."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "##s", "sat", "mat"]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    _wrap(tokenizer, **(specials or {"sep_token": "[SEP]"}), unk_token="[UNK]").save_pretrained(
        folder
    )
    return str(folder)


def _wrap(tokenizer: Tokenizer, **specials: str) -> Any:
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **specials)
