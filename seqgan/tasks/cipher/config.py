"""Configuration of ciphers. No torch here."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.drawn import check_drawn
from seqgan.core.numbers import Length, Sampled, Seed
from seqgan.data.text_pair_config import TextPairConfig

if TYPE_CHECKING:
    from seqgan.data.unpaired_text import UnpairedText
    from seqgan.tasks.cipher.windows import Ints


class CipherDataConfig(TextPairConfig):
    """Plain text (side a) and cipher text of other sentences (side b), token by token."""

    name: Literal["cipher"] = "cipher"
    path: str | None = None
    """Sentences, one per line, plain or .gz; without a file the text is generated in code."""
    kind: Literal["substitution", "vigenere"] = "substitution"
    """One permutation of the 27 tokens, or shifts that depend on the position in the window."""
    period: Annotated[int, Field(gt=0, le=26)] = 3
    """Length of a Vigenère key; a substitution has none."""
    key_seed: Seed = 0
    """Seed of the key."""
    length: Length = 100
    """Tokens per window."""
    train: Sampled = 10_000
    """Training windows per side, at most: a file may have fewer."""
    valid: Sampled = 200
    """Validation windows, paired."""
    test: Sampled = 500
    """Test windows, paired."""
    seed: Seed = 0
    """Seed of the generated text and of the order of sentences."""

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        if self.path is None:
            check_drawn(self, self.length, f"length={self.length}")
        return self

    def build_text(self) -> "UnpairedText":
        from seqgan.tasks.cipher.baselines import cipher_baselines
        from seqgan.tasks.cipher.windows import make_cipher

        vigenere = self.kind == "vigenere"
        return make_cipher(
            self.build_sentences(),
            self.build_table(),
            self.length,
            self._sizes,
            self.aligned,
            cipher_baselines(self.period if vigenere else 1, shifts=vigenere),
        )

    def build_sentences(self) -> dict[str, list[str]]:
        """Sentences of `valid`, `test`, `a` and `b`; those of a and b train."""
        from seqgan.tasks.cipher.windows import split_sentences

        return split_sentences(self.path, self.length, self._sizes, self.seed)

    def build_table(self) -> "Ints":
        """The key as a table [period, 27]."""
        from seqgan.tasks.cipher.windows import cipher_table

        return cipher_table(self.kind, self.period, self.key_seed)

    @property
    def _sizes(self) -> dict[str, int]:
        return {"train": self.train, "valid": self.valid, "test": self.test}
