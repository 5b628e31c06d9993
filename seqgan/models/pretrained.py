"""Networks of the `transformers` library: loading them, and reading tokens with them.

Tokens enter as vectors (`inputs_embeds`), ids and points of the simplex alike. Parameters are
float32 and come from safetensors files only: nothing is unpickled, and no code of a hub repository
is run.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.hub import import_transformers, is_local, loading
from seqgan.core.types import SequenceSpace


def load_network(
    path: str,
    random_init: bool,
    space: SequenceSpace,
    field: str,
    kind: Literal["language_model", "trunk"],
) -> Any:
    """The network at `path`, a hub id or a folder, on the CPU and in training mode.

    With `random_init` its parameters are drawn anew. `field` is the section of the configuration
    that messages name; a trunk has no read-out over the vocabulary. Raises `UserError` where
    nothing can be loaded, where parameters are missing from the file (the library would draw them
    at random), or where the network has fewer tokens than `space`.
    """
    transformers = import_transformers(f"{field}.name='hf'")
    causal_lm, trunk = transformers.AutoModelForCausalLM, transformers.AutoModel
    loader = causal_lm if kind == "language_model" else trunk
    local = is_local(path)
    with loading(f"{field}.path", path, "config.json and model.safetensors"):
        settings = transformers.AutoConfig.from_pretrained(path, local_files_only=local)
        if random_init:
            network = loader.from_config(settings, dtype=torch.float32)
            missing: list[str] = []
        else:
            network, found = loader.from_pretrained(
                path,
                local_files_only=local,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
            )
            missing = sorted(found["missing_keys"])
    if getattr(network, "pooler", None) is not None:
        network.pooler = None  # BERT's: reads one column only, and nothing here reads it
        missing = [name for name in missing if not name.startswith("pooler.")]
    if missing:
        raise UserError(
            f"{field}.path={path!r}: its file lacks {len(missing)} parameters of a "
            f"{type(network).__name__}, such as '{missing[0]}'; give a network of this kind"
        )
    known = len(network.get_input_embeddings().weight)
    if space.vocab_size > known:
        raise UserError(
            f"{field}.path={path!r} has {known} tokens, but the data have "
            f"{space.vocab_size}; take its own tokenizer (data.tokenizer.name=hf), or a larger "
            "network"
        )
    return network.train()


def check_columns(network: Any, columns: int, causal: bool, field: str, path: str) -> int:
    """Let the network read `columns` columns; returns the width of what it makes of them.

    Raises `UserError` where it cannot, or where it is to be `causal` and an earlier column depends
    on a later one.
    """
    twice = torch.zeros(2, columns, dtype=torch.long)
    twice[1, -1] = 1
    training = network.training
    try:
        with torch.no_grad():
            output_BTE = network.eval()(inputs_embeds=embed(network, twice), use_cache=False)[0]
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        most = getattr(network.config, "max_position_embeddings", None)
        raise UserError(
            f"{field}.path={path!r} cannot read {columns} columns ({reason}; its "
            f"max_position_embeddings is {most}); use shorter sequences, or another network"
        ) from error
    finally:
        network.train(training)
    first_TE, second_TE = output_BTE[:, :-1]
    if causal and not torch.allclose(first_TE, second_TE, rtol=1e-4, atol=1e-4):
        raise UserError(
            f"{field}.path={path!r} is no causal language model: its earlier columns see later "
            "ones; use a decoder such as distilgpt2"
        )
    return output_BTE.shape[-1]


def start_token(network: Any, field: str, path: str) -> int:
    """The id that stands in front of every sentence: the network's begin token, or its end."""
    for name in ("bos_token_id", "eos_token_id"):
        token = getattr(network.config, name, None)
        if isinstance(token, list):  # several tokens may end a text
            token = token[0]
        if token is not None:
            return token
    raise UserError(
        f"{field}.path={path!r}: its config.json names neither bos_token_id nor eos_token_id, so "
        "there is no start token; add one of them to the file"
    )


def embed(network: Any, tokens: Tensor) -> Tensor:
    """[..., E] of ids [...] (long) or simplices [..., V] (float) over the first V tokens."""
    table = network.get_input_embeddings()
    if not tokens.is_floating_point():
        return table(tokens)
    vocab = tokens.shape[-1]
    if type(table).forward is nn.Embedding.forward:
        return tokens @ table.weight[:vocab]
    # Some scale what they look up, or add adapters to it.
    return tokens @ table(torch.arange(vocab, device=tokens.device))


def column_of(network: Any, token: int, batch: int) -> Tensor:
    """[B, 1, E]: the same token in every row."""
    weight = network.get_input_embeddings().weight
    return embed(network, torch.full((batch, 1), token, device=weight.device))
