"""Two invented languages of equal meaning: the translation of every word is known.

A sentence has 4 to 12 words, in language a

    det [adj] noun  verb [adv]  [det [adj] noun]  [prep det [adj] noun]

and every word of a has one translation in b (`lexicon`, one to one). With `reorder` language b
puts adjectives behind their nouns and adverbs before their verbs: swaps of neighbours.

It can be solved from unpaired text, since words have Zipf frequencies and depend on each other:
determiners, adjectives and verbs on their noun; objects, adverbs and prepositions on their verb;
nouns on their preposition. Word w follows from h with

    p(w | h) ∝ exp(1.5 ε_hw) / (rank of w + 1),     ε ~ N(0, 1), drawn once,

so that each word has a few favourites, and co-occurrence separates words of similar frequency.

Scores (`LanguagePairScorer`; over all rows, in [0, 1] but for BLEU)

    word_accuracy  share of the sources' words whose translation is among the output's words, each
                   occurrence there counted once; order and superfluous words do not matter
    exact          share of outputs that equal their reference
    bleu           sacrebleu's corpus BLEU, tokenize none, 0 to 100; only where it is installed

Decisions
- No sentence stands in two splits, or in the training text of both sides (`aligned` excepted).
- Ids are alphabetical and the languages have different syllables: neither hints at the lexicon.
- The tokenizers hold the whole lexicon, so nothing is unknown.
- `baselines`: the lexicon by ranks of frequency, the one that matches which words co-occur, and
  the true one word by word, which is the most that can be reached without learning the order.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from seqgan.core.types import SequenceSpace
from seqgan.data.corpus import Corpus, pad
from seqgan.data.lexicons import co_occurrence_lexicon, frequency_lexicon, word_by_word
from seqgan.data.tokenizers import WordTokenizer
from seqgan.data.unpaired_text import UnpairedText
from seqgan.tasks.drawn_pair import Ints, drawn_corpus

LENGTH = 14
"""Columns: 12 words, the end, and one more, so that there is room to be wrong."""

CLASSES = ("det", "prep", "adv", "adj", "verb", "noun")
_SHARES = {"det": 0.03, "prep": 0.05, "adv": 0.07, "adj": 0.2, "verb": 0.23}
"""Of the lexicon; the rest are nouns."""
_SYLLABLES = {"det": 1, "prep": 1, "adv": 2, "adj": 2, "verb": 2, "noun": 2}

_PHRASE = ("det", "adj", "noun")
_SLOTS = (*_PHRASE, "verb", "adv", *_PHRASE, "prep", *_PHRASE)
_REORDERED = (0, 2, 1, 4, 3, 5, 7, 6, 8, 9, 11, 10)
"""Slots in language b's order."""
_PREFERENCE = 1.5
_P_ADJECTIVE, _P_ADVERB, _P_OBJECT, _P_PLACE = 0.5, 0.4, 0.75, 0.4

_SOUNDS = {
    "a": (list("bdfgklmnprstv"), list("aeiou"), ["", "", "n", "r", "s"]),
    "b": (["ch", "sh", "z", "h", "j", "th", "w", "y"], ["ai", "ee", "ou", "ia"], ["", "x", "lk"]),
}
"""Beginnings, vowels and ends of the syllables of each language."""
_MORE_AT_ONCE = 8_192

_CARRIERS = 3
"""Sentences in which a word's translation is looked for."""


@dataclass(frozen=True, slots=True)
class LanguagePairScorer:
    """A `Scorer` by the true lexicon."""

    lexicon: dict[str, str]
    """From words of a to words of b."""

    def __call__(
        self, direction: str, sources: list[str], outputs: list[str], references: list[str]
    ) -> dict[str, float]:
        lexicon = self.of(direction)
        found = wanted = 0
        for source, output in zip(sources, outputs, strict=True):
            right = Counter(lexicon[word] for word in source.split())
            found += (right & Counter(output.split())).total()
            wanted += right.total()
        pairs = zip(outputs, references, strict=True)
        exact = sum(output.split() == reference.split() for output, reference in pairs)
        scores = {
            "word_accuracy": found / max(wanted, 1),
            "exact": exact / max(len(outputs), 1),
        }
        try:
            sacrebleu = import_module("sacrebleu")
        except ImportError:
            return scores
        bleu = sacrebleu.BLEU(tokenize="none", force=True).corpus_score(outputs, [references])
        return scores | {"bleu": float(bleu.score)}

    def of(self, direction: str) -> dict[str, str]:
        return self.lexicon if direction == "a2b" else {b: a for a, b in self.lexicon.items()}


def draw_language_pair(
    vocabulary: int, sizes: dict[str, int], reorder: bool, seed: int, aligned: bool
) -> UnpairedText:
    """Draw languages of `vocabulary` words and `sizes` sentences of each split.

    `reorder`: b has an order of its own; `aligned`: b's training sentences translate those of a.
    """
    stream = np.random.RandomState(seed)
    classes = _class_sizes(vocabulary)
    words = {name: _invent_words(sounds, classes, stream) for name, sounds in _SOUNDS.items()}
    scorer = LanguagePairScorer(dict(zip(words["a"], words["b"], strict=True)))
    wanted = sum(sizes.values()) + (0 if aligned else sizes["train"])
    rows_N12 = _draw_sentences(wanted, classes, stream)
    ends = np.cumsum([sizes["valid"], sizes["test"], sizes["train"]])
    valid, test, train, other = np.split(rows_N12, ends)
    of_a = {"valid": valid, "test": test, "train": train}
    of_b = of_a if aligned else of_a | {"train": other}
    order_b = np.array(_REORDERED if reorder else range(len(_SLOTS)))
    a = _encode(of_a, words["a"])
    b = _encode({split: rows[:, order_b] for split, rows in of_b.items()}, words["b"])
    report = {"a": a.report, "b": b.report}
    lexicons = {direction: scorer.of(direction) for direction in ("a2b", "b2a")}
    return UnpairedText(a, b, True, scorer, report, baselines, lexicons)


def baselines(text: UnpairedText, direction: str, sources: list[str]) -> dict[str, list[str]]:
    """Word-by-word translations by two counted lexicons and by the true one."""
    lexicons = {
        "frequency_lexicon": frequency_lexicon(text, direction),
        "co_occurrence_lexicon": co_occurrence_lexicon(text, direction),
        "true_lexicon": text.lexicons[direction],
    }
    return {name: word_by_word(lexicon, sources) for name, lexicon in lexicons.items()}


def lexicon_accuracy(
    translate: Callable[[list[str]], list[str]], lexicon: dict[str, str], lines: list[str]
) -> float:
    """Share of words that are translated rightly where they stand.

    `translate` maps lines to lines; `lexicon` is that of the direction. Of the first three `lines`
    that contain a word, more than half must have translations that contain its translation as
    often as they contain the word. Words of no line do not count.
    """
    said_in: dict[str, list[int]] = {word: [] for word in lexicon}
    for row, line in enumerate(lines):
        for word in set(line.split()):
            if len(said_in[word]) < _CARRIERS:
                said_in[word].append(row)
    wanted = sorted({row for rows in said_in.values() for row in rows})
    outputs = dict(zip(wanted, translate([lines[row] for row in wanted]), strict=True))

    def is_right(word: str, row: int) -> bool:
        return outputs[row].split().count(lexicon[word]) == lines[row].split().count(word)

    right = [
        2 * sum(is_right(word, row) for row in rows) > len(rows)
        for word, rows in said_in.items()
        if rows
    ]
    return sum(right) / max(len(right), 1)


# ── The languages ─────────────────────────────────────────────────────────────────────────────


def _class_sizes(words: int) -> dict[str, int]:
    sizes = {name: round(share * words) for name, share in _SHARES.items()}
    return sizes | {"noun": words - sum(sizes.values())}


def _first_words(sizes: dict[str, int]) -> dict[str, int]:
    """Where the words of each class begin in the lexicon."""
    ends = np.cumsum([sizes[name] for name in CLASSES]).tolist()
    return dict(zip(CLASSES, [0, *ends[:-1]], strict=True))


def _invent_words(
    sounds: tuple[list[str], list[str], list[str]],
    sizes: dict[str, int],
    stream: np.random.RandomState,
) -> list[str]:
    """Different word forms, class after class."""
    begins, vowels, ends = sounds
    forms: dict[str, None] = {}
    for name in CLASSES:
        wanted = len(forms) + sizes[name]
        tries = 0
        while len(forms) < wanted:
            syllables = _SYLLABLES[name] + tries // 200  # short forms run out
            form = "".join(
                begins[stream.randint(len(begins))] + vowels[stream.randint(len(vowels))]
                for _ in range(syllables)
            )
            forms[form + ends[stream.randint(len(ends))]] = None
            tries += 1
    return list(forms)


def _choices(
    given: int, sizes: dict[str, int], chosen: str, stream: np.random.RandomState
) -> NDArray[np.float64]:
    """Cumulative p(w | h) for `given` words h over the words w of class `chosen`, a row each."""
    favour = np.exp(_PREFERENCE * stream.standard_normal((given, sizes[chosen])))
    weight = favour / (np.arange(sizes[chosen]) + 2.0)
    return np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True)


def _draw_sentences(wanted: int, sizes: dict[str, int], stream: np.random.RandomState) -> Ints:
    """`wanted` different sentences: a word's number in each slot, −1 for none."""
    pairs = ["noun det", "noun adj", "noun verb", "verb adv", "verb noun", "verb prep", "prep noun"]
    cumulative = {
        pair: _choices(sizes[pair.split()[0]], sizes, pair.split()[1], stream) for pair in pairs
    }
    cumulative["noun"] = np.cumsum(1 / (np.arange(sizes["noun"]) + 2.0))[None]
    cumulative["noun"] /= cumulative["noun"][0, -1]

    def draw(name: str, given_N: Ints) -> Ints:
        # Row h of the table lies in [h, h + 1): one search serves all rows.
        table = cumulative[name]
        rows, columns = table.shape
        flat = (table + np.arange(rows)[:, None]).ravel()
        found = np.searchsorted(flat, given_N + stream.random_sample(len(given_N)), "right")
        return np.clip(found - given_N * columns, 0, columns - 1)

    def phrase(noun_N: Ints) -> list[Ints]:
        return [draw("noun det", noun_N), draw("noun adj", noun_N), noun_N]

    first = _first_words(sizes)
    offset_12 = np.array([first[name] for name in _SLOTS])
    seen: dict[bytes, None] = {}
    while len(seen) < wanted:
        count = _MORE_AT_ONCE
        subject_N = draw("noun", np.zeros(count, dtype=np.int64))
        verb_N = draw("noun verb", subject_N)
        object_N = draw("verb noun", verb_N)
        prep_N = draw("verb prep", verb_N)
        place_N = draw("prep noun", prep_N)
        slots = [*phrase(subject_N), verb_N, draw("verb adv", verb_N)]
        slots += [*phrase(object_N), prep_N, *phrase(place_N)]
        rows_N12 = np.where(_present(count, stream), np.stack(slots, 1) + offset_12, -1)
        seen.update(dict.fromkeys(row.tobytes() for row in rows_N12.astype(np.int64)))
    rows = np.frombuffer(b"".join(list(seen)[:wanted]), dtype=np.int64)
    return rows.reshape(wanted, len(_SLOTS))


def _present(count: int, stream: np.random.RandomState) -> NDArray[np.bool_]:
    """Which slots of the sentences are filled; three words alone get an adverb."""
    shares = [*[_P_ADJECTIVE] * 3, _P_ADVERB, _P_OBJECT, _P_PLACE]
    some = stream.random_sample((count, 6)) < shares
    adjective_N3, adverb_N, object_N, place_N = some[:, :3], some[:, 3], some[:, 4], some[:, 5]
    adverb_N = adverb_N | ~(adjective_N3[:, 0] | object_N | place_N)
    always_N = np.ones(count, dtype=bool)
    columns = [always_N, adjective_N3[:, 0], always_N, always_N, adverb_N]
    columns += [object_N, object_N & adjective_N3[:, 1], object_N]
    columns += [place_N, place_N, place_N & adjective_N3[:, 2], place_N]
    return np.stack(columns, 1)


def _encode(splits: dict[str, Ints], words: list[str]) -> Corpus:
    tokenizer = WordTokenizer(sorted(words), lowercase=True, split_punctuation=False)
    encoded = {}
    for name, rows_N12 in splits.items():
        lines = [" ".join(words[word] for word in row if word >= 0) for row in rows_N12.tolist()]
        ids_NT = pad([tokenizer.encode(line) for line in lines], LENGTH, tokenizer.end_id)
        encoded[name] = ids_NT, lines
    space = SequenceSpace(tokenizer.vocab_size, LENGTH, tokenizer.end_id)
    return drawn_corpus(space, tokenizer, encoded)
