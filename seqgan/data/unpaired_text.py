"""Two kinds of text that are never paired in training: what cycle games on sequences learn from.

Where it is known which test line translates which, rows of equal number belong together (`paired`):
that serves reports only. Neither training nor selection changes when rows of one side are shuffled.

Decisions of `load_unpaired_text`:

- Which lines of the training files are learned from is decided in `unpaired_lines.py`.
- Paired held-out files keep their rows: a blank line or another number of lines is an error, and a
  pair of which one side is dropped as too long is dropped on both. Pairs are given for validation
  and for testing, or for neither; then a share of each side is held out and nothing is scored.
- The vocabulary comes from the training splits: one of both sides together, or one per side.
- Training rows that pair are no error, but the task is easier than with unpaired text: the report
  warns of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.plain import JsonObject
from seqgan.core.scripts import first_words, set_apart
from seqgan.data.corpus import Corpus, encode_corpus, lines_to_learn_from, pad
from seqgan.data.counts import unknown_warnings
from seqgan.data.neighbours import WordForWord
from seqgan.data.sources import Sentences, complete_splits, read_unbroken
from seqgan.data.tokenizer_contract import Canonical, Tokenizer, TokenizerRecipe
from seqgan.data.unpaired_lines import (
    TrainingFiles,
    find_excluded,
    read_training_lines,
    rows_pair,
)

Scorer = Callable[[str, list[str], list[str], list[str]], dict[str, float]]
"""`scorer(direction, sources, outputs, references)`: named scores against the truth."""

Baselines = Callable[["UnpairedText", str, list[str]], dict[str, list[str]]]
"""`baselines(text, direction, sources)`: by name, what simple rules make of the sources."""

Splits = dict[str, Sentences]


@dataclass(frozen=True, slots=True)
class UnpairedText:
    """Both kinds. `report` is plain JSON with a branch for each side."""

    a: Corpus
    b: Corpus
    paired: bool
    """Whether row i of a held-out split of one side translates row i of the other's."""
    scorer: Scorer | None
    """Scores that need the truth; None where nothing is paired."""
    report: JsonObject
    baselines: Baselines | None = None
    """Simple rules to compare with, besides copying the source."""
    lexicons: dict[str, dict[str, str]] = field(default_factory=dict)
    """By direction (a2b, b2a) the true translation of every word, where there is such a thing."""
    word_for_word: WordForWord | None = None
    """Translates by a lexicon that is counted from the training text, where words are words."""
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    """By side, how many lines of its training files are not learned from, by reason."""
    canonical: Canonical = str
    """What the tokenizers read of a line: words of sources and translations are compared so."""

    def sides(self, direction: str) -> tuple[Corpus, Corpus]:
        """(source, target) of a direction."""
        return (self.a, self.b) if direction == "a2b" else (self.b, self.a)


def load_unpaired_text(
    files: dict[str, TrainingFiles],
    recipe: TokenizerRecipe,
    *,
    joint: bool,
    pairs: dict[str, tuple[str, str]],
    fraction: float,
    seed: int,
    exclude: list[str],
    aligned: bool,
    summaries: bool,
    tokenizers: tuple[Tokenizer, Tokenizer] | None = None,
    scorer: Scorer | None = None,
) -> UnpairedText:
    """Read, split, tokenize and count both sides. `tokenizers` are a run's own; None builds them.

    `joint`: one vocabulary. `pairs` has the files of `valid` and `test`; without them `fraction`
    of each side is held out for either. `exclude` are files whose lines are not learned from,
    `aligned`: training rows are pairs, `summaries`: b summarizes a. `scorer` scores held-out pairs.

    Raises `UserError` for files and sentences that cannot be used.
    """
    canonical = recipe.canonical
    training = read_training_lines(files, canonical, aligned)
    pools = training.pools
    keys = {side: [canonical(line) for line in pool.lines] for side, pool in pools.items()}
    _check_apart(pools, keys, aligned)
    excluded = find_excluded(exclude, keys, canonical, aligned)
    fractions = {} if pairs else dict.fromkeys(("test", "valid"), fraction)
    splits, learned = {}, {}
    for side, pool in pools.items():
        limits = files[side].limits
        kept = {"train": _drop(pool, excluded[side], limits.field)}
        splits[side] = complete_splits(kept, fractions, seed, canonical, limits.max_train)
        learned[side] = lines_to_learn_from(splits[side]["train"], recipe, limits, pool.source)
    if tokenizers is None and joint:
        tokenizers = (recipe.build(learned["a"] + learned["b"]),) * 2
    elif tokenizers is None:
        tokenizers = recipe.build(learned["a"]), recipe.build(learned["b"])
    ours = {"a": tokenizers[0], "b": tokenizers[0 if joint else 1]}
    dropped = {name: _add_pairs(name, paths, splits, files, ours) for name, paths in pairs.items()}
    a, b = (
        encode_corpus(splits[side], ours[side], files[side].limits, canonical, dropped=dropped)
        for side in "ab"
    )
    reports = {"a": a.report, "b": b.report}
    for side, counts in reports.items():
        counts |= {"excluded": sum(excluded[side]), "blank": len(pools[side].blank)}
    shorter = _shorter_articles(splits, canonical) if summaries and pairs else {}
    report: JsonObject = {
        **reports,
        "paired": bool(pairs),
        "paired_rows": not aligned and rows_pair(keys["a"], keys["b"]),
        "common_tokens": len(_tokens(a) & _tokens(b)),
        "shorter_articles": shorter,
    }
    left_out = {
        side: {
            "not_taken": training.not_taken[side],
            "blank": reports[side]["blank"],
            "excluded": reports[side]["excluded"],
            "overlong": reports[side]["train"]["dropped"],
        }
        for side in "ab"
    }
    report["warnings"] = training.warnings + _warnings(keys, report, joint, summaries)
    for side in "ab":
        report["warnings"] += unknown_warnings(
            reports[side], recipe.counts_words, files[side].limits.field
        )
    return UnpairedText(
        a,
        b,
        paired=bool(pairs),
        scorer=scorer if pairs else None,
        report=report,
        baselines=(_lead if summaries else _word_for_word) if pairs else None,
        word_for_word=WordForWord(a.train.lines, b.train.lines),
        left_out=left_out,
        canonical=canonical,
    )


# ── Lines ─────────────────────────────────────────────────────────────────────────────────────


def _check_apart(pools: Splits, keys: dict[str, list[str]], aligned: bool) -> None:
    """The sides are text of two kinds. Aligned files keep their rows: a blank line of one has to
    be blank in the other."""
    a, b = pools["a"], pools["b"]
    if set(keys["a"]) == set(keys["b"]):
        raise UserError(
            f"data.b.path: {b.source} has the same lines as {a.source} of data.a.path; name text "
            "of another kind"
        )
    if not aligned:
        return
    if len(a.lines) != len(b.lines):
        raise UserError(
            f"data.aligned=true: {a.source} gives {len(a.lines)} training lines, {b.source} "
            f"{len(b.lines)}; give files that are aligned line by line"
        )
    for of_a, of_b in zip(a.numbers, b.numbers, strict=True):
        if of_a != of_b:
            raise UserError(
                f"data.aligned=true: without blank lines, line {of_a} of {a.source} stands beside "
                f"line {of_b} of {b.source}; fill or delete blanks in both"
            )


def _drop(pool: Sentences, excluded: list[bool], field: str) -> Sentences:
    kept = [row for row, out in enumerate(excluded) if not out]
    if excluded and not kept:
        raise UserError(
            f"{pool.source}: all {len(excluded)} lines of {field} stand in the files of "
            f"data.exclude; leave those out of data.exclude, or give other text"
        )
    return pool.take(kept)


def _add_pairs(
    name: str,
    paths: tuple[str, str],
    splits: dict[str, Splits],
    files: dict[str, TrainingFiles],
    tokenizers: dict[str, Tokenizer],
) -> int:
    """Read a paired split into those of both sides, and count the pairs that are dropped as too
    long on one side."""
    pair = {
        side: read_unbroken(path, f"data.{name}.{side}")
        for side, path in zip("ab", paths, strict=True)
    }
    counts = [len(part.lines) for part in pair.values()]
    if counts[0] != counts[1]:
        raise UserError(
            f"data.{name}: {paths[0]} has {counts[0]} lines, {paths[1]} has {counts[1]}, "
            f"but line i of one must belong to line i of the other; give files that are "
            f"aligned line by line"
        )
    kept = set(range(counts[0]))
    for side, part in pair.items():
        limits = files[side].limits
        if limits.overlong == "drop":
            encode = tokenizers[side].encode
            kept = {row for row in kept if len(encode(part.lines[row])) < limits.length}
    for side, part in pair.items():
        splits[side][name] = part.take(sorted(kept))
    return counts[0] - len(kept)


# ── Warnings ───────────────────────────────────────────────────────────────────


def _warnings(
    keys: dict[str, list[str]], report: JsonObject, joint: bool, summaries: bool
) -> list[str]:
    warnings = []
    if report["paired_rows"]:
        warnings.append(
            "data.a, data.b: training lines of equal number belong together; for unpaired text "
            "set data.a.take=odd and data.b.take=even (or auto for both)"
        )
    mean_a, mean_b = (
        float(np.mean([len(set_apart(key).split()) for key in keys[side]])) if keys[side] else 0.0
        for side in "ab"
    )
    if summaries and mean_a < mean_b:
        warnings.append(
            f"data.a, data.b: summaries (data.b, {mean_b:.1f} words) are longer than what they "
            f"summarize (data.a, {mean_a:.1f} words); swap the two"
        )
    for split, count in report["shorter_articles"].items():
        if count:
            warnings.append(
                f"data.{split}: {count} articles have fewer words than their summaries; check "
                f"that these pairs belong together"
            )
    blank = {f"data.{side}": report[side]["blank"] for side in "ab"}
    if any(blank.values()):
        counts = ", ".join(f"{count} of {name}" for name, count in blank.items())
        warnings.append(f"data.a, data.b: blank training lines were left out, {counts}")
    if joint and not report["common_tokens"]:
        warnings.append(
            "data.a, data.b: the training texts have no token in common, nothing that generator "
            "pointer could copy or that noise mix could teach; check the files, or use neither"
        )
    return warnings


def _shorter_articles(splits: dict[str, Splits], canonical: Canonical) -> dict[str, int]:
    """By split the held-out articles of fewer words than their summaries."""
    lengths = {
        (side, name): [len(set_apart(canonical(line)).split()) for line in splits[side][name].lines]
        for side in "ab"
        for name in ("valid", "test")
    }
    return {
        name: sum(map(int.__lt__, lengths["a", name], lengths["b", name]))
        for name in ("valid", "test")
    }


# ── Tokens ───────────────────────────────────────────────────────────────────────────────────


def encode_lines(lines: list[str], side: Corpus) -> tuple[Tensor, Tensor]:
    """Lines as ids of at most the side's length, and the columns in use, the end included."""
    length, end_id = side.space.length, side.space.end_id
    rows = [side.tokenizer.encode(line)[:length] for line in lines]
    used_N1 = torch.tensor([len(ids) + (end_id is not None) for ids in rows]).view(-1, 1)
    return pad(rows, length, 0 if end_id is None else end_id), torch.arange(length) < used_N1


def _tokens(side: Corpus) -> set[str]:
    """What the training text of a side is written in."""
    vocabulary = side.tokenizer.vocabulary()
    special = {side.tokenizer.end_id, side.tokenizer.unk_id}
    used = set(side.train.ids_NT.unique().tolist()) - special
    return {vocabulary[index] for index in used}


def _word_for_word(text: UnpairedText, direction: str, sources: list[str]) -> dict[str, list[str]]:
    """By the lexicon of `data/neighbours.py`, which is counted without pairs."""
    assert text.word_for_word is not None
    return {"word_for_word": text.word_for_word(direction, sources)}


def _lead(text: UnpairedText, direction: str, sources: list[str]) -> dict[str, list[str]]:
    """The first words of an article, as many as a training summary has on average."""
    if direction != "a2b":
        return {}
    counts = [len(set_apart(line).split()) for line in text.b.train.lines]
    words = round(sum(counts) / len(counts))
    return {f"lead_{words}": [first_words(line, words) for line in sources]}
