"""What classical attacks make of cipher text: the rows beside every learned decipherer.

They read what the game reads, cipher text and other plain text, and are given the period of the
key; "period guessed" takes the one that the index of coincidence suggests.
"""

import numpy as np

from seqgan.data.unpaired_text import Baselines, UnpairedText
from seqgan.tasks.cipher.attacks import (
    frequency_match,
    hill_climb,
    index_of_coincidence,
    solve_vigenere,
)
from seqgan.tasks.cipher.windows import apply_table, inverse_table

LONGEST_PERIOD = 12
"""Periods that are tried where the key's is unknown."""


def cipher_baselines(period: int, shifts: bool) -> Baselines:
    """Rank by frequency, and hill climbing with the period known and unknown; shifts, if any."""

    def baselines(text: UnpairedText, direction: str, sources: list[str]) -> dict[str, list[str]]:
        cipher, plain = text.b.train.ids_NT.numpy(), text.a.train.ids_NT.numpy()
        vocab = text.a.space.vocab_size
        guessed = index_of_coincidence(cipher, LONGEST_PERIOD)
        tables = {
            "frequency ranks": frequency_match(cipher, plain, vocab, period),
            "hill climb": hill_climb(cipher, plain, vocab, period),
            "hill climb, period guessed": hill_climb(cipher, plain, vocab, guessed),
        }
        if shifts:
            tables["shifts"] = solve_vigenere(cipher, plain, vocab, period)
        tokenizer = text.a.tokenizer
        ids_NT = np.array([tokenizer.encode(line) for line in sources])
        decoded = {
            name: apply_table(table if direction == "b2a" else inverse_table(table), ids_NT)
            for name, table in tables.items()
        }
        return {name: [tokenizer.decode(row) for row in rows] for name, rows in decoded.items()}

    return baselines
