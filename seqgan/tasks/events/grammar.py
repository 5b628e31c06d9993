"""Event summaries: articles and headlines of a small grammar, so that every score is exact.

An event is six values, one a slot: who, action, target, place, day, cause. Its *headline* states
all six in 7 or 8 words:

    kano miners blocked ports over wages monday

Its *article* (25 to 27 words and four full stops) is five clauses in random order. One states all
six values of the event; two more, of three slots each, state them a second time; the last two are
made like these about a distractor, an event that differs in every slot:

    on friday nurses debated rents . miners in kano blocked ports on monday over wages .
    lagos saw roads painted . miners blocked ports . wages worried kano on monday

Decisions
- An article identifies its event: each value of the event stands there twice, each value of the
  distractor once (`main_event` is that rule). The *set* of an article's words does not identify it.
- A grammatical headline has all six slots and one parse: no word belongs to two slots, and no two
  templates have the same pattern of slots and function words.
- Values follow p ∝ 1 / (rank + 2), rank from 1 in the order of the lists here, independently slot
  by slot; the forms of an article are uniform over those that fit. Verbs have one form for past
  and participle, so that every word of a slot can be copied from the article.
- Events of articles, headlines, validation and test data are disjoint, but with `aligned` the
  training headlines are those of the training articles, row by row. Held-out rows are always
  paired, and depend on neither `train` nor `aligned`.
- One tokenizer for both sides holds all words of the grammar, sorted.

Scores of a summary (direction a2b), of pooled lists:

    slot_f1        F1 of the slots' values found anywhere in the output, counted as a multiset;
                   ungrammatical output can score high
    strict_f1      the same, but 0 for an output that is not a grammatical headline
    in_grammar     share of grammatical headlines
    exact          share of outputs that are grammatical and state the reference's event, in
                   whichever template
    hallucination  share of the outputs' words, function words of headlines left out, that the
                   article lacks
    templates      exp of the entropy of the templates among grammatical outputs: their effective
                   number; 0 where nothing is grammatical
    length         words per output

F1 scores are means over the outputs. Of an expansion (direction b2a) there is no truth to compare
with: `slot_recall` is the share of the headline's values that the output mentions, `length` its
words.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from seqgan.data.corpus import Corpus, encode_corpus
from seqgan.data.sources import Limits, Sentences
from seqgan.data.tokenizers import WordTokenizer
from seqgan.data.unpaired_text import UnpairedText

Ints = NDArray[np.int64]

_WORDS = {
    "WHO": (
        "miners nurses farmers teachers pilots dockers students bakers drivers rangers sailors "
        "monks clerks weavers masons fishers tailors porters guards butchers brewers plumbers "
        "welders painters singers dancers actors writers editors printers judges lawyers doctors "
        "dentists chemists surgeons cooks waiters barbers cleaners gardeners hunters loggers "
        "smiths potters cyclists runners climbers skaters boxers wrestlers divers"
    ),
    "ACTION": (
        "blocked closed seized painted opened occupied repaired guarded cleaned burned flooded "
        "searched damaged ignored defended boycotted admired inspected measured rented raided "
        "emptied locked marked mapped praised rejected restored robbed sealed stormed surrounded "
        "toured visited wrecked abandoned"
    ),
    "TARGET": (
        "ports roads bridges schools banks farms parks ships trains trucks towers tunnels markets "
        "museums temples churches hospitals hotels stadiums theatres factories offices prisons "
        "courts libraries airports stations canals dams forests gardens gates halls kitchens mills "
        "pipelines reservoirs shops stables studios villas warehouses wells barns"
    ),
    "PLACE": (
        "kano lagos cairo oslo prague lima tunis accra dakar nairobi kampala lusaka harare durban "
        "maputo luanda bergen turku tallinn riga vilnius gdansk krakow vienna graz zagreb sofia "
        "athens izmir ankara tbilisi yerevan baku tashkent kabul lahore delhi mumbai dhaka colombo "
        "hanoi manila jakarta perth sydney quito bogota caracas santiago havana boston denver"
    ),
    "DAY": "monday friday tuesday sunday wednesday thursday saturday",
    "CAUSE": (
        "wages rents taxes prices layoffs pensions fees tariffs fines quotas permits subsidies "
        "loans debts bonuses contracts shifts holidays noise smoke waste traffic fuel water power "
        "bread"
    ),
}
SLOTS = {slot: words.split() for slot, words in _WORDS.items()}
"""The values of every slot, the most frequent first."""

HEADLINES = {
    "WHO ACTION TARGET in PLACE DAY over CAUSE": 0.3,
    "PLACE WHO ACTION TARGET over CAUSE DAY": 0.25,
    "PLACE TARGET ACTION by WHO over CAUSE DAY": 0.2,
    "amid CAUSE row PLACE WHO ACTION TARGET DAY": 0.15,
    "DAY WHO ACTION PLACE TARGET over CAUSE": 0.1,
}
"""Templates of headlines and their probabilities."""

WHOLE = (
    "WHO in PLACE ACTION TARGET on DAY over CAUSE",
    "on DAY WHO in PLACE ACTION TARGET over CAUSE",
    "on DAY PLACE TARGET were ACTION by WHO over CAUSE",
    "amid CAUSE row WHO ACTION TARGET in PLACE on DAY",
)
"""Clauses that state a whole event."""

HALVES = (
    (
        ("WHO ACTION TARGET", "TARGET were ACTION by WHO"),
        ("on DAY PLACE debated CAUSE", "CAUSE worried PLACE on DAY"),
    ),
    (
        ("CAUSE worried WHO in PLACE", "WHO in PLACE debated CAUSE"),
        ("on DAY TARGET were ACTION", "by DAY TARGET were ACTION"),
    ),
    (
        ("on DAY WHO debated CAUSE", "CAUSE worried WHO on DAY"),
        ("PLACE saw TARGET ACTION", "TARGET in PLACE were ACTION"),
    ),
)
"""Ways to state an event in two clauses, with two forms of each clause."""

STOP = "."
LENGTH_A = 32
"""Columns of an article; longer ones are never written."""
LENGTH_B = 10
"""Columns of a headline: one more than it takes, so that there is room to be wrong."""

_SLOT_OF = {word: slot for slot, words in SLOTS.items() for word in words}
_PATTERNS = {tuple(template.split()): template for template in HEADLINES}
_FUNCTION_WORDS = {word for pattern in _PATTERNS for word in pattern if word not in SLOTS}


def draw_events(sizes: dict[str, int], seed: int, aligned: bool) -> UnpairedText:
    """Articles and headlines, `sizes` of each split; `aligned`: of the same training events."""
    order = ("valid", "test", "train")
    counts = [*map(sizes.__getitem__, order), 0 if aligned else sizes["train"]]
    events = _draw_events(_generator(seed, 0), sum(counts))
    *of_a, train_b = np.split(events, np.cumsum(counts)[:-1])
    of_b = [*of_a[:2], of_a[2] if aligned else train_b]
    # Each split of each side has a stream of its own.
    articles = {
        split: write_articles(rows, _generator(seed, stream))
        for stream, split, rows in zip((1, 2, 3), order, of_a, strict=True)
    }
    headlines = {
        split: write_headlines(rows, _generator(seed, stream))
        for stream, split, rows in zip((4, 5, 6), order, of_b, strict=True)
    }
    tokenizer = build_event_tokenizer()
    a, b = _encode(articles, tokenizer, LENGTH_A), _encode(headlines, tokenizer, LENGTH_B)
    report = {"a": a.report, "b": b.report, "aligned": aligned}
    return UnpairedText(
        a, b, paired=True, scorer=score_events, report=report, baselines=event_baselines
    )


def _encode(lines: dict[str, list[str]], tokenizer: WordTokenizer, length: int) -> Corpus:
    splits = {
        split: Sentences("events", part, [*range(1, len(part) + 1)])
        for split, part in lines.items()
    }
    return encode_corpus(splits, tokenizer, Limits(length), str)


def build_event_tokenizer() -> WordTokenizer:
    """All words of the grammar."""
    templates = [*HEADLINES, *WHOLE, *_half_forms(), STOP]
    words = {word for template in templates for word in template.split()} - SLOTS.keys()
    return WordTokenizer(sorted(words | _SLOT_OF.keys()), lowercase=True, split_punctuation=True)


# ── Reading ───────────────────────────────────────────────────────────────────────────────────


def parse_headline(words: Sequence[str]) -> dict[str, str] | None:
    """The value of every slot, or None where the words are no grammatical headline."""
    if headline_template(words) is None:
        return None
    return {_SLOT_OF[word]: word for word in words if word in _SLOT_OF}


def headline_template(words: Sequence[str]) -> str | None:
    """Which template the words follow, if any."""
    return _PATTERNS.get(tuple(_SLOT_OF.get(word, word) for word in words))


def main_event(article: Sequence[str]) -> dict[str, str]:
    """The values that an article mentions twice, by slot: those of its event."""
    counts = Counter(word for word in article if word in _SLOT_OF)
    return {_SLOT_OF[word]: word for word, count in counts.items() if count == 2}


def lead_n(article: str, n: int) -> str:
    """The first n words, full stops left out: what a summary has to beat."""
    return " ".join([word for word in article.split() if word != STOP][:n])


def event_baselines(text: UnpairedText, direction: str, sources: list[str]) -> dict[str, list[str]]:
    """Leads, and a headline by the rules of the grammar; none for b2a."""
    if direction == "b2a":
        return {}
    return {
        "lead_8": [lead_n(article, 8) for article in sources],
        "lead_10": [lead_n(article, 10) for article in sources],
        "main_event": [state_main_event(article) for article in sources],
    }


def state_main_event(article: str) -> str:
    """The main event in the commonest template."""
    commonest = max(HEADLINES, key=HEADLINES.__getitem__)
    return _fill(commonest, main_event(article.split()))


def score_events(
    direction: str, sources: list[str], outputs: list[str], references: list[str]
) -> dict[str, float]:
    """The scores that the module's head defines; a `Scorer`."""
    written = [output.split() for output in outputs]
    length = _mean([len(words) for words in written])
    if direction == "b2a":
        mentioned = [
            word in words
            for source, words in zip(sources, written, strict=True)
            for word in source.split()
            if word in _SLOT_OF
        ]
        return {"slot_recall": _mean(mentioned), "length": length}
    templates = [headline_template(words) for words in written]
    pairs = zip(written, map(str.split, references), strict=True)
    f1 = [_slot_f1(words, reference) for words, reference in pairs]
    strict = [score if template else 0.0 for score, template in zip(f1, templates, strict=True)]
    foreign = [
        word not in known
        for known, words in zip(map(set, map(str.split, sources)), written, strict=True)
        for word in words
        if word not in _FUNCTION_WORDS
    ]
    return {
        "strict_f1": _mean(strict),
        "slot_f1": _mean(f1),
        "in_grammar": _mean([template is not None for template in templates]),
        "exact": _mean([score == 1.0 for score in strict]),
        "hallucination": _mean(foreign),
        "templates": _effective_number(Counter(filter(None, templates))),
        "length": length,
    }


def _slot_f1(words: list[str], reference: list[str]) -> float:
    ours, theirs = (Counter(filter(_SLOT_OF.get, line)) for line in (words, reference))
    return 2 * (ours & theirs).total() / max(ours.total() + theirs.total(), 1)


def _effective_number(counts: Counter[str]) -> float:
    if not counts:
        return 0.0
    shares = np.array(list(counts.values())) / counts.total()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(len(values), 1)


# ── Writing ───────────────────────────────────────────────────────────────────────────────────


def write_headlines(events: Ints, rng: np.random.Generator) -> list[str]:
    """One headline per event; events are rows of ranks in the order of `SLOTS`."""
    templates = list(HEADLINES)
    choice = rng.choice(len(templates), size=len(events), p=list(HEADLINES.values()))
    chosen = zip(choice.tolist(), _values(events), strict=True)
    return [_fill(templates[index], values) for index, values in chosen]


def write_articles(events: Ints, rng: np.random.Generator) -> list[str]:
    """One article per event."""
    others = _draw_others(rng, events)
    plans = _plans()
    choice = rng.integers(len(plans), size=len(events)).tolist()
    orders = rng.permuted(np.tile(np.arange(5), (len(events), 1)), axis=1).tolist()
    lines = []
    for index, order, *both in zip(choice, orders, _values(events), _values(others), strict=True):
        forms = plans[index]
        clauses = [_fill(forms[number], both[number >= 3]) for number in order]
        lines.append(f" {STOP} ".join(clauses))
    return lines


def _plans() -> list[tuple[str, ...]]:
    """Forms of an article that fits: a whole clause, two halves of it, two of the distractor."""
    halves = [pair for forms in HALVES for pair in product(*forms)]
    plans = [(whole, *main, *other) for whole, main, other in product(WHOLE, halves, halves)]
    return [plan for plan in plans if len(f" {STOP} ".join(plan).split()) < LENGTH_A]


def _half_forms() -> list[str]:
    return [form for clauses in HALVES for forms in clauses for form in forms]


def _fill(template: str, values: dict[str, str]) -> str:
    return " ".join(values.get(word, word) for word in template.split())


def _values(events: Ints) -> Iterator[dict[str, str]]:
    for row in events.tolist():
        yield {slot: words[rank] for (slot, words), rank in zip(SLOTS.items(), row, strict=True)}


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, stream])))


def _draw(rng: np.random.Generator, count: int) -> Ints:
    columns = []
    for words in SLOTS.values():
        weights = 1 / (np.arange(len(words)) + 3)
        columns.append(rng.choice(len(words), size=count, p=weights / weights.sum()))
    return np.stack(columns, axis=1)


def _draw_events(rng: np.random.Generator, count: int) -> Ints:
    """So many distinct events, in the order in which they were drawn first."""
    events = np.empty((0, len(SLOTS)), np.int64)
    while len(events) < count:
        events = np.concatenate([events, _draw(rng, 4096)])
        if len(events) >= count:
            first = np.unique(events, axis=0, return_index=True)[1]
            events = events[np.sort(first)]
    return events[:count]


def _draw_others(rng: np.random.Generator, events: Ints) -> Ints:
    """A distractor for every event, drawn like it, that differs from it in every slot."""
    others = _draw(rng, len(events))
    while (same := others == events).any():
        others = np.where(same, _draw(rng, len(events)), others)
    return others
