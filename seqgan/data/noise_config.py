"""Configuration of noise: what is done to a sentence that is to be written again."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from seqgan.core.config import Config
from seqgan.core.extensions import ByName

if TYPE_CHECKING:
    import torch

    from seqgan.data.noise import Noise
    from seqgan.data.unpaired_text import UnpairedText

Share = Annotated[float, Field(ge=0, lt=1)]


class WordNoiseConfig(Config):
    """Drop and blank whole words, and shuffle them locally (Lample et al. 2018)."""

    name: Literal["words"] = "words"
    drop: Share = 0.1
    """Probability that a word is left out; one word always stays."""
    blank: Share = 0.0
    """Probability that a word is replaced by the unknown token."""
    shuffle: Annotated[float, Field(ge=0)] = 3.0
    """Words move by less than about so many places; 0: they stay where they are."""
    gloss: bool = False
    """Translate the sentence word for word into the other language first, by a lexicon that is
    counted from the unpaired text: what is repaired then looks like what will be read."""

    def build(self, text: "UnpairedText", direction: str, device: "torch.device") -> "Noise":
        """Noise for the translator of a direction."""
        from seqgan.data.text_noise import word_noise

        return word_noise(text, direction, device, **self.model_dump(exclude={"name"}))


class MixNoiseConfig(Config):
    """Scatter the words of a short text over a long one: a summary that is to be found again.

    A random text of the other side gives its words as a background, those of the sample are put
    in at random places, `copies` times.
    """

    name: Literal["mix"] = "mix"
    copies: Annotated[int, Field(gt=0)] = 2
    """Times that each word of the sample is put in."""
    ordered: bool = False
    """Keep the order of the sample's words, in every copy: the summary is a selection. Else they
    come in a random order, and the generator learns to put them right."""
    within: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the long text's columns, from the first on, over which they are scattered. News says
    first what matters: less than 1 says so to the generator."""
    drop: Share = 0.1
    """Probability that one of these copies is left out."""
    background: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the other text's words that stay."""
    shuffle: Annotated[float, Field(ge=0)] = 3.0
    """Words of the background move by less than about so many places; 0: they keep their order."""

    def build(self, text: "UnpairedText", direction: str, device: "torch.device") -> "Noise":
        """Noise for the translator of a direction."""
        from seqgan.data.text_noise import mix_noise

        return mix_noise(text, direction, device, **self.model_dump(exclude={"name"}))


NoiseConfig = Annotated[WordNoiseConfig | MixNoiseConfig, ByName()]
