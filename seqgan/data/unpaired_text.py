"""Two kinds of text that are never paired in training: what cycle games on sequences learn from.

The sides are languages, or articles and headlines, or plain text and its cipher. Where it is known
which test line translates which, rows of equal number belong together (`paired`): that serves
reports only, and neither training nor selection may change when the rows of one side are shuffled.

`load_unpaired_text` reads them from files. Its decisions:

- Which lines of the training files are learned from is decided in `unpaired_lines.py`.
- Paired held-out files keep their rows: a blank line or another number of lines is an error, and a
  pair of which one side is dropped as too long is dropped on both. Pairs are given for validation
  and for testing, or for neither; then a share of each side is held out and nothing is scored.
- The vocabulary comes from the training splits: one of both sides together, or one per side.
- Training rows that pair are no error, since no row ever meets its number on the other side, but
  they make the task easier than truly unpaired text is: the report warns of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.plain import JsonObject
from seqgan.core.scripts import first_words, set_apart
from seqgan.core.types import SequenceSpace
from seqgan.data.corpus import (
    EncodedSplit,
    Fitted,
    check_size,
    describe_splits,
    fit_sentences,
    to_split,
)
from seqgan.data.neighbours import WordForWord
from seqgan.data.sources import Canonical, Sentences, hold_out, read_unbroken
from seqgan.data.text_pair_config import TextFilesConfig, UnpairedTextConfig
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.data.unknown_tokens import unknown_warnings
from seqgan.data.unpaired_lines import find_excluded, read_training_lines, rows_pair

Scorer = Callable[[str, list[str], list[str], list[str]], dict[str, float]]
"""`scorer(way, sources, outputs, references)`: named scores against the truth; way: a2b or b2a."""


@dataclass(frozen=True, slots=True)
class TextSide:
    """One kind of text, encoded."""

    space: SequenceSpace
    tokenizer: Tokenizer
    train: EncodedSplit
    valid: EncodedSplit
    test: EncodedSplit


Baselines = Callable[["UnpairedText", str, list[str]], dict[str, list[str]]]
"""`baselines(text, way, sources)`: by name, what simple rules make of the sources."""


@dataclass(frozen=True, slots=True)
class UnpairedText:
    """Both kinds. `report` is plain JSON with a branch for each side, as `Corpus.report` has."""

    a: TextSide
    b: TextSide
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
    """What the tokenizers see of a line: words of sources and translations are compared so."""


def load_unpaired_text(
    config: UnpairedTextConfig,
    tokenizers: tuple[Tokenizer, Tokenizer] | None = None,
    scorer: Scorer | None = None,
) -> UnpairedText:
    """Read, split, tokenize and count both sides. `tokenizers` are a run's own; None builds them.

    `scorer` scores held-out pairs; without pairs it is left out. Raises `UserError` for files and
    sentences that cannot be used.
    """
    if (config.valid is None) != (config.test is None):
        given, missing = ("test", "valid") if config.valid is None else ("valid", "test")
        raise UserError(
            f"data.{missing}=null: data.{given} has pairs, {missing} data would have none; cut the "
            f"files of data.{given} in two, or set both to null"
        )
    canonical = config.tokenizer.build_canonical()
    files = {"a": config.a, "b": config.b}
    training = read_training_lines(config, canonical)
    pools = training.pools
    keys = {side: [canonical(line) for line in pool.lines] for side, pool in pools.items()}
    if set(keys["a"]) == set(keys["b"]):
        raise UserError(
            f"data.b.path: {pools['b'].source} has the same lines as {pools['a'].source} of "
            f"data.a.path; name text of another kind"
        )
    if config.aligned and len(keys["a"]) != len(keys["b"]):
        raise UserError(
            f"data.aligned=true: {pools['a'].source} gives {len(keys['a'])} training lines, "
            f"{pools['b'].source} {len(keys['b'])}; give files that are aligned line by line"
        )
    if config.aligned:
        _check_beside(pools["a"], pools["b"])
    excluded = find_excluded(config, keys, canonical)
    splits, learned = {}, {}
    for side, pool in pools.items():
        limits, field = files[side], f"data.{side}"
        splits[side] = _cut(config, _drop(pool, excluded[side], field), limits, canonical)
        lines = splits[side]["train"].lines
        learned[side] = config.tokenizer.lines_to_learn_from(lines, limits.length, limits.overlong)
        unfitted = Fitted(learned[side], [], len(lines) - len(learned[side]), 0, 0)
        check_size("train", unfitted, pool.source, limits, field)
    if tokenizers is None:
        tokenizers = _build_tokenizers(config, learned["a"], learned["b"])
    ours = dict(zip("ab", tokenizers, strict=True))
    if config.joint:
        ours["b"] = ours["a"]
    long_pairs = _read_pairs(config, splits, ours)

    sides, reports = {}, {}
    for side, tokenizer in ours.items():
        fitted = {
            name: fit_sentences(part, tokenizer, files[side], f"data.{side}")
            for name, part in splits[side].items()
        }
        fitted |= {name: replace(fitted[name], dropped=lost) for name, lost in long_pairs.items()}
        for name, part in fitted.items():
            check_size(name, part, splits[side][name].source, files[side], f"data.{side}")
        sides[side] = _side(fitted, tokenizer, files[side].length)
        reports[side] = describe_splits(fitted, tokenizer, files[side].length, canonical)
        reports[side]["excluded"] = sum(excluded[side])
        reports[side]["blank"] = len(pools[side].blank)
    report: JsonObject = {
        **reports,
        "paired": config.valid is not None,
        "paired_rows": not config.aligned and rows_pair(keys["a"], keys["b"]),
        "common_tokens": len(_tokens(sides["a"]) & _tokens(sides["b"])),
        "shorter_articles": _shorter_articles(config, splits, canonical),
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
    report["warnings"] = training.warnings + _warnings(config, keys["a"], keys["b"], report)
    for side in "ab":
        report["warnings"] += unknown_warnings(
            reports[side], config.tokenizer.counts_words, f"data.{side}"
        )
    a, b = sides["a"], sides["b"]
    word_for_word = WordForWord(a.train.lines, b.train.lines)
    text = UnpairedText(
        a,
        b,
        paired=False,
        scorer=None,
        report=report,
        word_for_word=word_for_word,
        left_out=left_out,
        canonical=canonical,
    )
    if config.valid is None:
        return text
    baselines = _lead if "rouge" in config.score else _word_for_word
    return replace(text, paired=True, scorer=scorer, baselines=baselines)


# ── Lines ─────────────────────────────────────────────────────────────────────────────────────


def _check_beside(a: Sentences, b: Sentences) -> None:
    """Aligned files keep their rows: a blank line of one has to be blank in the other."""
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


def _cut(
    config: UnpairedTextConfig, pool: Sentences, limits: TextFilesConfig, canonical: Canonical
) -> dict[str, Sentences]:
    """The training split, and the held-out ones where there are no pairs."""
    splits = {"train": pool}
    if config.valid is None:
        fractions = dict.fromkeys(("test", "valid"), config.valid_fraction)
        splits = hold_out(pool, fractions, config.split_seed, canonical)
    train = splits["train"]
    splits["train"] = train.take(range(len(train.lines))[: limits.max_train])
    return splits


def _read_pairs(
    config: UnpairedTextConfig,
    splits: dict[str, dict[str, Sentences]],
    tokenizers: dict[str, Tokenizer],
) -> dict[str, int]:
    """Add the splits of paired files; how many pairs of each were dropped as too long."""
    dropped = {}
    for name, files in (("valid", config.valid), ("test", config.test)):
        if files is None:
            continue
        pair = {
            "a": read_unbroken(files.a, f"data.{name}.a"),
            "b": read_unbroken(files.b, f"data.{name}.b"),
        }
        counts = {side: len(part.lines) for side, part in pair.items()}
        if counts["a"] != counts["b"]:
            raise UserError(
                f"data.{name}: {files.a} has {counts['a']} lines, {files.b} has {counts['b']}, "
                f"but line i of one must belong to line i of the other; give files that are "
                f"aligned line by line"
            )
        kept = set(range(counts["a"]))
        for side, limits in (("a", config.a), ("b", config.b)):
            if limits.overlong == "drop":
                encode = tokenizers[side].encode
                lines = pair[side].lines
                kept &= {row for row in kept if len(encode(lines[row])) < limits.length}
        for side, part in pair.items():
            splits[side][name] = part.take(sorted(kept))
        dropped[name] = counts["a"] - len(kept)
    return dropped


# ── What is wrong with them ───────────────────────────────────────────────────────────────────


def _warnings(
    config: UnpairedTextConfig, keys_a: list[str], keys_b: list[str], report: JsonObject
) -> list[str]:
    warnings = []
    if report["paired_rows"]:
        warnings.append(
            "data.a, data.b: training lines of equal number belong together; for unpaired text "
            "set data.a.take=odd and data.b.take=even (or auto for both)"
        )
    mean_a, mean_b = (
        float(np.mean([len(set_apart(key).split()) for key in keys])) if keys else 0.0
        for keys in (keys_a, keys_b)
    )
    if "rouge" in config.score and mean_a < mean_b:
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
    if config.joint and not report["common_tokens"]:
        warnings.append(
            "data.a, data.b: the training texts have no token in common, nothing that generator "
            "pointer could copy or that noise mix could teach; check the files, or use neither"
        )
    return warnings


def _shorter_articles(
    config: UnpairedTextConfig, splits: dict[str, dict[str, Sentences]], canonical: Canonical
) -> dict[str, int]:
    """By split the held-out articles of fewer words than their summaries; {} for other text."""
    if config.valid is None or "rouge" not in config.score:
        return {}
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


def _build_tokenizers(
    config: UnpairedTextConfig, a: list[str], b: list[str]
) -> tuple[Tokenizer, Tokenizer]:
    if config.joint:
        tokenizer = config.tokenizer.build(a + b)
        return tokenizer, tokenizer
    return config.tokenizer.build(a), config.tokenizer.build(b)


def _side(fitted: dict[str, Fitted], tokenizer: Tokenizer, length: int) -> TextSide:
    encoded = {name: to_split(part, length, tokenizer.end_id) for name, part in fitted.items()}
    space = SequenceSpace(tokenizer.vocab_size, length, tokenizer.end_id)
    return TextSide(space, tokenizer, **encoded)


def encode_lines(lines: list[str], side: TextSide) -> tuple[Tensor, Tensor]:
    """Lines as ids of at most the side's length, and the columns in use, the end included."""
    space = side.space
    fill = 0 if space.end_id is None else space.end_id
    ids_NT = np.full((len(lines), space.length), fill, dtype=np.int64)
    mask_NT = np.zeros(ids_NT.shape, dtype=bool)
    for row, line in enumerate(lines):
        ids = side.tokenizer.encode(line)[: space.length]
        ids_NT[row, : len(ids)] = ids
        mask_NT[row, : len(ids) + (space.end_id is not None)] = True
    return torch.from_numpy(ids_NT), torch.from_numpy(mask_NT)


def _tokens(side: TextSide) -> set[str]:
    """What the training text of a side is written in."""
    vocabulary = side.tokenizer.vocabulary()
    special = {side.tokenizer.end_id, side.tokenizer.unk_id}
    used = set(side.train.ids_NT.unique().tolist()) - special
    return {vocabulary[index] for index in used}


def _word_for_word(text: UnpairedText, way: str, sources: list[str]) -> dict[str, list[str]]:
    """By the lexicon of `data/neighbours.py`, which knows no pair."""
    assert text.word_for_word is not None
    return {"word_for_word": text.word_for_word(way, sources)}


def _lead(text: UnpairedText, way: str, sources: list[str]) -> dict[str, list[str]]:
    """The first words of an article, as many as a training summary has on average."""
    if way != "a2b":
        return {}
    counts = [len(set_apart(line).split()) for line in text.b.train.lines]
    words = round(sum(counts) / len(counts))
    return {f"lead_{words}": [first_words(line, words) for line in sources]}
