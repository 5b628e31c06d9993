"""Give lines labels by their words: categories for conditional games where a corpus has none.

A line's label is the first of the keywords that it holds, in the line's order; lines without one
are left out. One JSON object {"label": …, "response": …} a line, what `data.name=prompted_text`
reads with `source: {name: jsonl, prompt: label}` and `prompt_length: 1`.

    python scripts/label_lines.py --words man,woman,cat,train --input in.txt --output out.jsonl
"""

import json
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Annotated

import regex
import typer

from seqgan.core.errors import UserError
from seqgan.core.scripts import is_unspaced
from seqgan.core.text_files import read_lines


def label(line: str, keywords: list[str]) -> str | None:
    """The first keyword in the line that stands by itself, whatever its case; in scripts without
    spaces between words every occurrence does."""
    longest_first = sorted(keywords, key=len, reverse=True)
    found = regex.search("|".join(map(_by_itself, longest_first)), _canonical(line))
    return found and found[0]


def _by_itself(keyword: str) -> str:
    before = "" if is_unspaced(keyword[0]) else r"(?<!\w)"
    behind = "" if is_unspaced(keyword[-1]) else r"(?!\w)"
    return before + regex.escape(keyword) + behind


def _canonical(text: str) -> str:
    """In small letters, with composed accents: the same letters are the same characters."""
    return unicodedata.normalize("NFC", text.lower())


def _write(output: Path, labelled: list[tuple[str | None, str]]) -> None:
    rows = [{"label": name, "response": line} for name, line in labelled if name is not None]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}; name another file") from None


def main(
    words: Annotated[str, typer.Option(help="Keywords, separated by commas.")],
    input: Annotated[Path, typer.Option(help="Sentences, one per line, plain or .gz.")],
    output: Annotated[Path, typer.Option(help="Where the labelled lines go.")],
) -> None:
    """Label the lines of a file by the keywords in them."""
    keywords = [_canonical(word.strip()) for word in words.split(",") if word.strip()]
    try:
        if len(set(keywords)) < 2:
            raise UserError(f"--words {words!r}: name at least two different keywords")
        labelled = [(label(line, keywords), line) for line in read_lines(input)]
        counts = Counter(name for name, _ in labelled if name is not None)
        missing = [word for word in keywords if not counts[word]]
        if missing:
            raise UserError(
                f"--words: no line of {input} has {missing[0]!r} as its first keyword; leave it out"
            )
        _write(output, labelled)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    found = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    print(f"{sum(counts.values())} of {len(labelled)} lines ({found}): {output}")


if __name__ == "__main__":
    typer.run(main)
