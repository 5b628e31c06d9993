"""Word for word with a lexicon from pairs: the classical row beside learned translations.

A word becomes the one whose lines are most nearly its own (Dice 1945, on lines that translate each
other): the v with the largest 2 c(w, v) / (c(w) + c(v)), the c counting lines. Order stays,
words that no pair has are copied. It reads pairs, so it is no unsupervised row.

    python scripts/word_by_word.py --pairs train.en train.fr --input test.en --output test.out
    sacrebleu test.fr -i test.out
"""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from seqgan.core.errors import UserError
from seqgan.core.text_files import read_lines
from seqgan.data.words import cut_words, replace_words


def dice_lexicon(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The translation of every word of the first of each pair."""
    of_source: Counter[str] = Counter()
    of_target: Counter[str] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for source, target in pairs:
        words, others = (dict.fromkeys(cut_words(line)) for line in (source, target))
        of_source.update(words.keys())
        of_target.update(others.keys())
        both.update((word, other) for word in words for other in others)
    best: dict[str, tuple[float, str]] = {}
    for (word, other), count in both.items():
        dice = 2 * count / (of_source[word] + of_target[other])
        best[word] = max(best.get(word, (0.0, "")), (dice, other))
    return {word: other for word, (_, other) in best.items()}


def translate(line: str, lexicon: dict[str, str]) -> str:
    """Every word by itself."""
    return replace_words(line, lambda word: lexicon.get(word, word))


def main(
    pairs: Annotated[tuple[Path, Path], typer.Option(help="Two files, aligned line by line.")],
    input: Annotated[Path, typer.Option(help="Lines of the first file's language.")],
    output: Annotated[Path, typer.Option(help="Their translations.")],
) -> None:
    """Translate a file word for word with a lexicon learned from pairs."""
    try:
        sides = [read_lines(path, keep_blank=True) for path in pairs]
        if len(sides[0]) != len(sides[1]):
            raise UserError(
                f"--pairs: {pairs[0]} has {len(sides[0])} lines, {pairs[1]} {len(sides[1])}; give "
                "files that are aligned line by line"
            )
        sources = read_lines(input, keep_blank=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    lexicon = dice_lexicon(list(zip(*sides, strict=True)))
    lines = [translate(line, lexicon) for line in sources]
    output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"{len(lexicon)} words, {len(lines)} lines: {output}")


if __name__ == "__main__":
    typer.run(main)
