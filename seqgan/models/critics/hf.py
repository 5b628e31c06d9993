"""A network of the `transformers` library as a critic, with a linear read-out of its own.

encoder   bidirectional, such as BERT or RoBERTa (Devlin et al. 2019, Liu et al. 2019): the score is
          read from the mean over the columns that count, or (`pooling: first`) from a summary
          column in front of them.
causal    a language model, such as GPT-2: the score is read at the last token that counts, as the
          critic of generative adversarial distillation does (Ye et al. 2025, GAD). A start token
          stands in front, as in the generator.

Deviations. The summary column is a learned vector that begins as the embedding of the network's
begin token where its configuration names one (BERT's [CLS] is named by its tokenizer only), and no
separator follows the sentence. No pooler. GAD's critic starts as a copy of its student and reads a
prompt: those are `from_generator` and the prompts of the data.

Columns behind the end are hidden from attention and from the mean.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from seqgan.core.types import Scores, SequenceSpace
from seqgan.models.critics.start import copy_layers
from seqgan.models.generators.hf import HfGenerator
from seqgan.models.layers import SequenceCritic
from seqgan.models.pretrained import check_columns, column_of, embed, load_network, start_token

_FIELD = "critic"


class HfCritic(SequenceCritic):
    """A pretrained network with a read-out: `score_B`, and `features_BF` that it is read from, of
    ids [B, T] or simplices [B, T, V].

    `path` is a hub id or a folder; with `random_init` only its configuration is taken. Raises
    `UserError` where it cannot be loaded, or cannot read the space's sequences.

        HfCritic(space, "distilbert-base-uncased", pooling="first")(ids_BT, mask_BT).score
    """

    def __init__(
        self,
        space: SequenceSpace,
        path: str,
        kind: Literal["encoder", "causal"] = "encoder",
        pooling: Literal["mean", "first"] = "mean",
        random_init: bool = False,
    ) -> None:
        super().__init__()
        self.network = load_network(path, random_init, space, _FIELD, "trunk")
        self.causal_trunk = kind == "causal"
        self.summary_E: nn.Parameter | None = None
        if self.causal_trunk:
            self.start_id = start_token(self.network, _FIELD, path)
        elif pooling == "first":
            self.summary_E = nn.Parameter(self._first_summary())
        in_front = self.causal_trunk or self.summary_E is not None
        columns = space.length + in_front
        self.features = check_columns(self.network, columns, self.causal_trunk, _FIELD, path)
        self.readout = nn.Linear(self.features, 1)

    def start_from(self, generator: nn.Module) -> None:
        """From an `HfGenerator` of the same path."""
        if not isinstance(generator, HfGenerator):
            return super().start_from(generator)
        copy_layers(self.network, generator.network.base_model)

    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        features_BF = self._features(tokens, mask_BT)
        return Scores(self.readout(features_BF)[:, 0], features_BF=features_BF)

    def _features(self, tokens: Tensor, mask_BT: Tensor) -> Tensor:
        x_BTE = embed(self.network, tokens)
        if self.causal_trunk:
            start_B1E = column_of(self.network, self.start_id, len(tokens))
            last_B = mask_BT.sum(1)  # the start token moves everything by one
            row_B = torch.arange(len(last_B), device=last_B.device)
            return self._read(start_B1E, x_BTE, mask_BT)[row_B, last_B]
        if self.summary_E is not None:
            summary_B1E = self.summary_E.expand(len(tokens), 1, -1)
            return self._read(summary_B1E, x_BTE, mask_BT)[:, 0]
        h_BTE = self._read(x_BTE[:, :0], x_BTE, mask_BT)
        return (h_BTE * mask_BT[..., None]).sum(1) / mask_BT.sum(1, keepdim=True)

    def _read(self, front_BSE: Tensor, x_BTE: Tensor, mask_BT: Tensor) -> Tensor:
        """What the network makes of S columns that always count and T that may."""
        visible = torch.cat([mask_BT.new_ones(front_BSE.shape[:2]), mask_BT], 1).long()
        x = torch.cat([front_BSE, x_BTE], 1)
        return self.network(inputs_embeds=x, attention_mask=visible, use_cache=False)[0]

    def _first_summary(self) -> Tensor:
        """The begin token's vector, else a random one of the embeddings' size."""
        weight = self.network.get_input_embeddings().weight.detach()
        begin = getattr(self.network.config, "bos_token_id", None)
        if isinstance(begin, int):
            return weight[begin].clone()
        return torch.randn_like(weight[0]) * weight.std()
