"""Configuration of ciphers. No torch here."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.drawn import check_drawn
from seqgan.core.numbers import Length, Sampled, Seed
from seqgan.core.parts import TextPairPart, Words

if TYPE_CHECKING:
    from seqgan.evaluation.task import Task, TaskSetup


class CipherDataConfig(TextPairPart):
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
    aligned: bool = False
    """Encrypt side a's own training windows, so that rows are pairs: for supervised ceilings."""

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        if self.path is None:
            check_drawn(self, self.length, f"length={self.length}")
        return self

    @property
    def gives(self) -> Words:
        return super().gives | ({"training rows that are pairs"} if self.aligned else set())

    def build(self, setup: "TaskSetup") -> "Task":
        from dataclasses import replace

        from seqgan.evaluation.sequence_tasks import text_pair_task
        from seqgan.tasks.cipher.baselines import cipher_baselines
        from seqgan.tasks.cipher.windows import load_cipher

        text = replace(load_cipher(self), baselines=cipher_baselines(self))
        return text_pair_task(setup, text)
