"""How large a set that is drawn may be."""

from seqgan.core.config import Config

MOST_TOKENS = 1_000_000_000
"""Of a set that is drawn; with more, training would begin hours later."""


def check_drawn(sets: Config, length: int, field: str) -> None:
    """Raises `ValueError` if a set of sequences, each of `length` tokens, is too large to draw."""
    for name in ("train", "valid", "test"):
        count = getattr(sets, name)
        if count * length > MOST_TOKENS:
            raise ValueError(
                f"{name}={count}: with {field} these are {count * length:,} tokens, of which "
                f"{MOST_TOKENS:,} at most can be drawn; lower one of them"
            )
