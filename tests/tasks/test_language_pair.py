"""Invented languages: the truth by other means, disjoint splits, scores and baselines."""

import builtins
import random
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from seqgan.core.types import SequenceSpace
from seqgan.data.corpus import Corpus
from seqgan.data.lexicons import (
    co_occurrence_lexicon,
    frequency_lexicon,
    prior_logits,
    word_by_word,
)
from seqgan.data.unpaired_text import UnpairedText
from seqgan.tasks.cipher.attacks import hill_climb
from seqgan.tasks.language_pair.config import LanguagePairConfig
from seqgan.tasks.language_pair.languages import (
    CLASSES,
    LanguagePairScorer,
    lexicon_accuracy,
)

SMALL = {"words": 60, "train": 2_000, "valid": 50, "test": 200}
SIZES = {"det": 2, "prep": 3, "adv": 4, "adj": 12, "verb": 14, "noun": 25}
SWAPPED = {("adj", "noun"), ("verb", "adv")}


def config(**fields: Any) -> LanguagePairConfig:
    return LanguagePairConfig(name="language_pair", **{**SMALL, **fields})


@pytest.fixture(scope="module")
def data() -> UnpairedText:
    return config().build_text()


def lexicon_of(data: UnpairedText) -> dict[str, str]:
    assert isinstance(data.scorer, LanguagePairScorer)
    return data.scorer.lexicon


def classes(lexicon: dict[str, str]) -> dict[str, str]:
    """The class of every word of a: the lexicon lists them class after class."""
    names = [name for name in CLASSES for _ in range(SIZES[name])]
    return dict(zip(lexicon, names, strict=True))


def translate(line: str, lexicon: dict[str, str]) -> str:
    """From a to b by swaps of neighbours, unlike the loader, which permutes slots."""
    words, kinds = line.split(), [classes(lexicon)[word] for word in line.split()]
    column = 0
    while column + 1 < len(words):
        if (kinds[column], kinds[column + 1]) in SWAPPED:
            words[column : column + 2] = reversed(words[column : column + 2])
            column += 1
        column += 1
    return " ".join(lexicon[word] for word in words)


def test_heldout_rows_translate_each_other(data: UnpairedText) -> None:
    lexicon = lexicon_of(data)
    assert len(lexicon) == len(set(lexicon.values())) == 60
    assert not set(lexicon) & set(lexicon.values())
    for a, b in ((data.a.valid, data.b.valid), (data.a.test, data.b.test)):
        assert [translate(line, lexicon) for line in a.lines] == b.lines


def test_without_reordering_words_correspond() -> None:
    data = config(reorder=False).build_text()
    assert word_by_word(lexicon_of(data), data.a.test.lines) == data.b.test.lines


def test_no_sentence_is_said_twice(data: UnpairedText) -> None:
    lexicon = lexicon_of(data)
    of_a = [line for split in splits(data.a) for line in split.lines]
    in_b = [translate(line, lexicon) for line in of_a]
    everything = in_b + data.b.train.lines
    assert len(set(everything)) == len(everything)


def test_sentences_are_tensors_with_an_end(data: UnpairedText) -> None:
    for side in (data.a, data.b):
        assert side.space == SequenceSpace(62, 14, 0)
        for split, rows in zip(splits(side), (2_000, 50, 200), strict=True):
            lengths = np.array([len(line.split()) for line in split.lines])
            assert split.ids_NT.shape == (rows, 14)
            assert lengths.min() >= 4
            assert lengths.max() <= 12
            np.testing.assert_array_equal(split.mask_NT.sum(1), lengths + 1)
            assert (split.ids_NT != side.tokenizer.unk_id).all()
            assert [side.tokenizer.decode(row) for row in split.ids_NT.tolist()] == split.lines


def splits(side: Corpus) -> tuple:
    return side.train, side.valid, side.test


def test_the_seed_decides(data: UnpairedText) -> None:
    again = config().build_text()
    assert again.report == data.report
    assert torch.equal(again.b.train.ids_NT, data.b.train.ids_NT)
    other = config(seed=1).build_text()
    assert lexicon_of(other) != lexicon_of(data)
    assert other.report["a"]["train"]["sha256"] != data.report["a"]["train"]["sha256"]


def test_aligned_training_rows_are_pairs() -> None:
    data = config(aligned=True).build_text()
    lexicon = lexicon_of(data)
    assert [translate(line, lexicon) for line in data.a.train.lines] == data.b.train.lines


@pytest.mark.parametrize("way", ["a2b", "b2a"])
def test_scores(data: UnpairedText, way: str) -> None:
    pytest.importorskip("sacrebleu", reason="pip install 'seqgan[corpora]'")
    assert data.scorer is not None
    source, target = (data.a, data.b) if way == "a2b" else (data.b, data.a)
    sources, references = source.test.lines, target.test.lines
    assert data.scorer(way, sources, references, references) == {
        "word_accuracy": 1.0,
        "exact": 1.0,
        "bleu": pytest.approx(100.0),
    }
    shuffled = random.Random(0).sample(references, len(references))
    chance = data.scorer(way, sources, shuffled, references)
    assert chance["word_accuracy"] < 0.45  # determiners are in every sentence
    assert chance["exact"] < 0.05
    assert chance["bleu"] < 10
    assert data.scorer(way, sources, [""] * len(sources), references)["word_accuracy"] == 0.0


def test_words_count_as_often_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any) -> Any:
        if name == "sacrebleu":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    scorer = LanguagePairScorer({"x": "u", "y": "v"})
    scores = scorer("a2b", ["x x y"], ["v w u"], ["u u v"])
    assert scores == {"word_accuracy": pytest.approx(2 / 3), "exact": 0.0}  # bleu is left out


def test_baselines(data: UnpairedText) -> None:
    assert data.baselines is not None
    assert data.scorer is not None
    rows = data.baselines(data, "a2b", data.a.test.lines)
    scores = {
        name: data.scorer("a2b", data.a.test.lines, lines, data.b.test.lines)
        for name, lines in rows.items()
    }
    assert scores["true_lexicon"]["word_accuracy"] == 1.0
    assert scores["true_lexicon"]["exact"] < 0.5
    assert 0.2 < scores["frequency_lexicon"]["word_accuracy"] < 0.9
    assert scores["co_occurrence_lexicon"]["word_accuracy"] > 0.95


def test_accuracy_of_a_lexicon(data: UnpairedText) -> None:
    lexicon = lexicon_of(data)
    said = data.a.train.lines
    assert lexicon_accuracy(lambda lines: word_by_word(lexicon, lines), lexicon, said) == 1.0
    by_rank = frequency_lexicon(data)
    right = np.mean([by_rank.get(word) == lexicon[word] for word in lexicon])
    found = lexicon_accuracy(lambda lines: word_by_word(by_rank, lines), lexicon, said)
    assert found == pytest.approx(right, abs=0.05)  # one line can be right by accident
    assert right < 0.9


def test_a_word_counts_as_known_where_most_of_its_sentences_have_its_translation() -> None:
    lexicon = {"x": "u", "y": "v", "z": "w", "never": "said"}
    lines = ["x y", "y", "x x z", "z", "x", "z y", "x z"]
    outputs = {"x y": "v u", "y": "w", "x x z": "u w", "z": "v", "x": "u", "z y": "w v"}
    # x: right in "x y" and "x", but once too few in "x x z"; the fourth sentence is not looked at.
    # y: right in "x y" and "z y", wrong alone. z: right with x and y, wrong alone.
    asked: list[str] = []

    def translate(wanted: list[str]) -> list[str]:
        asked.extend(wanted)
        return [outputs[line] for line in wanted]

    assert lexicon_accuracy(translate, lexicon, lines) == 1.0
    assert "x z" not in asked
    outputs["x"] = "u u"
    assert lexicon_accuracy(translate, lexicon, lines) == pytest.approx(2 / 3)


@pytest.mark.parametrize("way", ["a2b", "b2a"])
def test_co_occurrence_finds_the_lexicon_whatever_the_order(data: UnpairedText, way: str) -> None:
    assert isinstance(data.scorer, LanguagePairScorer)
    truth, found = data.scorer.of(way), co_occurrence_lexicon(data, way)
    right = sum(found.get(word) == meaning for word, meaning in truth.items())
    assert right >= 0.9 * len(truth)
    assert len(set(found.values())) == len(found)


def test_co_occurrence_in_vocabularies_of_different_size(data: UnpairedText) -> None:
    """A word of one side that the other never says takes nobody's place."""
    lexicon, side = lexicon_of(data), data.b.train
    rare = min(lexicon.values(), key=lambda word: sum(word in line.split() for line in side.lines))
    lines = [line for line in side.lines if rare not in line.split()]
    assert 0 < len(lines) < len(side.lines)
    fewer = replace(data, b=replace(data.b, train=replace(side, lines=lines)))
    found = co_occurrence_lexicon(fewer)
    assert rare not in found.values()
    assert sum(found.get(a) == b for a, b in lexicon.items()) >= 0.85 * len(lexicon)


def test_frequencies_fall_like_zipf_and_words_choose_each_other(data: UnpairedText) -> None:
    kinds = classes(lexicon_of(data))
    verbs: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for line in data.a.train.lines:
        words = line.split()
        subject = next(word for word in words if kinds[word] == "noun")
        verb = next(word for word in words if kinds[word] == "verb")
        verbs[verb] += 1
        pairs[subject, verb] += 1
    counts = [count for _, count in verbs.most_common()]
    assert counts[0] > 5 * counts[len(counts) // 2]
    nouns = Counter(noun for noun, _ in pairs.elements())
    surprise = sum(
        count * np.log(count * len(data.a.train.lines) / (nouns[noun] * verbs[verb]))
        for (noun, verb), count in pairs.items()
    )
    assert surprise / len(data.a.train.lines) > 0.3  # nats that a subject tells of its verb


def test_co_occurrence_identifies_the_words() -> None:
    data = config(reorder=False, train=10_000).build_text()
    (table,) = hill_climb(data.b.train.ids_NT.numpy(), data.a.train.ids_NT.numpy(), 62, restarts=5)
    of_a, of_b = data.a.tokenizer.vocabulary(), data.b.tokenizer.vocabulary()
    found = {of_b[row]: of_a[guess] for row, guess in enumerate(table)}
    truth = {b: a for a, b in lexicon_of(data).items()}
    said = data.b.train.lines
    assert lexicon_accuracy(lambda lines: word_by_word(found, lines), truth, said) > 0.9


@pytest.mark.parametrize("way", ["a2b", "b2a"])
def test_frequencies_are_those_of_sentences_without_their_padding(
    data: UnpairedText, way: str
) -> None:
    """−s · |ln share − ln share|, half an occurrence added to each count; an end a sentence."""
    sides = (data.a, data.b) if way == "a2b" else (data.b, data.a)
    shares = []
    for side in sides:
        counts = Counter(word for line in side.train.lines for word in line.split())
        vocabulary = side.tokenizer.vocabulary()
        numbers = np.array([counts[word] for word in vocabulary], dtype=float)
        numbers[side.tokenizer.end_id] = len(side.train.lines)
        shares.append(np.log((numbers + 0.5) / (numbers + 0.5).sum()))
    expected = -3.0 * np.abs(shares[0][:, None] - shares[1])
    np.testing.assert_allclose(prior_logits(data, way, 3.0, 0.0), expected, rtol=1e-5, atol=1e-5)
