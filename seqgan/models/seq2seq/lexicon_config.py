"""Configuration of the symbol-by-symbol translator."""

from typing import Annotated, Literal

from pydantic import Field

from seqgan.core.config import Config


class LexiconConfig(Config):
    """A table that says what each symbol becomes; neighbours may change places."""

    name: Literal["lexicon"]
    """Kind of generator."""
    period: Annotated[int, Field(gt=0)] = 1
    """Tables that are used in turn, one a column; 3 for a Vigenère cipher with a key of three."""
    reach: Annotated[int, Field(ge=0)] = 0
    """Columns to either side from which a symbol may be translated; 0: its own column only."""
    width: Annotated[int, Field(gt=0)] = 16
    """Width of the embedding that decides between neighbours; for `reach` above 0."""
    frequency_prior: Annotated[float, Field(ge=0)] = 0.0
    """Start with logits −s · |ln frequency of source symbol − ln frequency of target symbol|, s
    being this number: what is equally frequent is a likelier translation. 0: all are alike."""
    init_std: Annotated[float, Field(ge=0)] = 0.1
    """Standard deviation of the table's first logits."""
