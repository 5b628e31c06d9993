"""Event summaries: what holds for every article and headline, and what the scores count."""

from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from seqgan.data.corpus import Corpus
from seqgan.data.unpaired_text import UnpairedText
from seqgan.tasks.events.config import EventsDataConfig
from seqgan.tasks.events.grammar import (
    HEADLINES,
    LENGTH_A,
    LENGTH_B,
    SLOTS,
    STOP,
    build_event_tokenizer,
    event_baselines,
    headline_template,
    lead_n,
    main_event,
    parse_headline,
    score_events,
)

SPLITS = ("train", "valid", "test")


def load_events(**fields: int) -> UnpairedText:
    sizes = {"train": 1500, "valid": 200, "test": 300}
    return EventsDataConfig(**{**sizes, **fields}).build_text()


@pytest.fixture(scope="module")
def data() -> UnpairedText:
    return load_events()


def events_of(side: Corpus, split: str, headlines: bool) -> list[tuple[str, ...]]:
    lines = getattr(side, split).lines
    read = parse_headline if headlines else main_event
    found = [read(line.split()) for line in lines]
    return [tuple(event[slot] for slot in SLOTS) for event in found if event is not None]


def test_the_grammar_is_unambiguous() -> None:
    words = [word for values in SLOTS.values() for word in values]
    assert len(words) == len(set(words))
    vocabulary = build_event_tokenizer().vocabulary()
    assert set(words) < set(vocabulary)
    assert 220 <= len(vocabulary) <= 260
    assert vocabulary[2:] == sorted(vocabulary[2:])
    assert sum(HEADLINES.values()) == pytest.approx(1)
    for template in HEADLINES:
        assert sorted(word for word in template.split() if word in SLOTS) == sorted(SLOTS)
        assert 5 <= len(template.split()) <= 8
        assert not {word for word in template.split() if word not in SLOTS} & set(words)


def test_articles_and_headlines_have_the_promised_lengths(data: UnpairedText) -> None:
    assert (data.a.space.length, data.b.space.length) == (LENGTH_A, LENGTH_B) == (32, 10)
    assert data.a.tokenizer is data.b.tokenizer
    for split in SPLITS:
        for line in getattr(data.a, split).lines:
            words = line.split()
            assert len(words) < LENGTH_A
            assert 20 <= len(words) - words.count(STOP) <= 30
            assert len(line.split(f" {STOP} ")) == 5
        assert {len(line.split()) for line in getattr(data.b, split).lines} == {7, 8}


def test_ids_spell_the_lines_without_unknown_words(data: UnpairedText) -> None:
    for side in (data.a, data.b):
        for split in SPLITS:
            encoded = getattr(side, split)
            decoded = [side.tokenizer.decode(ids) for ids in encoded.ids_NT.tolist()]
            assert decoded == encoded.lines
            assert not (encoded.ids_NT == side.tokenizer.unk_id).any()
            assert encoded.mask_NT.sum(1).tolist() == [
                len(line.split()) + 1 for line in encoded.lines
            ]


def test_each_slot_of_an_article_has_two_candidates_one_of_them_twice(data: UnpairedText) -> None:
    for line in data.a.train.lines:
        for values in SLOTS.values():
            counts = Counter(word for word in line.split() if word in values)
            assert sorted(counts.values()) == [1, 2]
        clauses = [clause.split() for clause in line.split(STOP)]
        for value in main_event(line.split()).values():
            assert sum(value in clause for clause in clauses) == 2


def test_held_out_headlines_state_their_articles_event(data: UnpairedText) -> None:
    for split in ("valid", "test"):
        articles, headlines = events_of(data.a, split, False), events_of(data.b, split, True)
        assert articles == headlines
        assert len(articles) == len(getattr(data.a, split).lines)


def test_the_form_of_a_headline_does_not_depend_on_the_article(data: UnpairedText) -> None:
    """Each side is drawn from a stream of its own: from the article's other event nobody can guess
    the headline's template."""
    templates: dict[str, Counter[str | None]] = defaultdict(Counter)
    for article, headline in zip(data.a.test.lines, data.b.test.lines, strict=True):
        words = Counter(article.split())
        (other,) = (word for word in SLOTS["WHO"] if words[word] == 1)
        templates[other][headline_template(headline.split())] += 1
    guessed = sum(max(counts.values()) for counts in templates.values())
    assert guessed < 0.6 * len(data.a.test.lines), "the commonest template has a share of 0.3"


def test_events_of_the_splits_and_sides_are_disjoint(data: UnpairedText) -> None:
    parts = [
        set(events_of(data.a, "train", False)),
        set(events_of(data.b, "train", True)),
        set(events_of(data.a, "valid", False)),
        set(events_of(data.a, "test", False)),
    ]
    assert [len(part) for part in parts] == [1500, 1500, 200, 300]
    assert len(set.union(*parts)) == sum(map(len, parts))


def test_a_seed_decides_everything_and_held_out_rows_do_not_depend_on_the_training_set(
    data: UnpairedText,
) -> None:
    again, other, aligned = load_events(), load_events(seed=1), load_events(train=700, aligned=True)
    assert again.report == data.report
    for split in SPLITS:
        assert torch.equal(getattr(again.a, split).ids_NT, getattr(data.a, split).ids_NT)
        assert torch.equal(getattr(again.b, split).ids_NT, getattr(data.b, split).ids_NT)
        assert getattr(other.a, split).lines[:50] != getattr(data.a, split).lines[:50]
    assert aligned.a.test.lines == data.a.test.lines
    assert aligned.b.valid.lines == data.b.valid.lines
    assert events_of(aligned.a, "train", False) == events_of(aligned.b, "train", True)
    assert events_of(data.a, "train", False)[:700] == events_of(aligned.a, "train", False)


def test_values_are_far_from_uniform(data: UnpairedText) -> None:
    for slot, (first, *_, last) in SLOTS.items():
        counts = Counter(event[slot] for event in map(parse, data.b.train.lines))
        assert counts[first] > 1.8 * counts[last], slot


def parse(line: str) -> dict[str, str]:
    event = parse_headline(line.split())
    assert event is not None
    return event


# ---------------------------------------------------------------- scores


def score(data: UnpairedText, outputs: list[str]) -> dict[str, float]:
    return score_events("a2b", data.a.test.lines, outputs, data.b.test.lines)


def test_references_are_perfect(data: UnpairedText) -> None:
    scores = score(data, data.b.test.lines)
    for name in ("strict_f1", "slot_f1", "in_grammar", "exact"):
        assert scores[name] == 1
    assert scores["hallucination"] == 0
    entropy = -sum(share * np.log(share) for share in HEADLINES.values())
    assert scores["templates"] == pytest.approx(np.exp(entropy), abs=0.2)
    assert 7 < scores["length"] < 8


def test_another_template_of_the_same_event_is_exact() -> None:
    reference = "miners blocked ports in kano monday over wages"
    for template in HEADLINES:
        event = parse(reference)
        output = " ".join(event.get(word, word) for word in template.split())
        assert headline_template(output.split()) == template
        scores = score_events("a2b", [reference], [output], [reference])
        assert scores["exact"] == scores["strict_f1"] == 1
        assert scores["templates"] == pytest.approx(1)


def test_bags_of_the_right_words_and_leads_have_no_strict_score(data: UnpairedText) -> None:
    rng = np.random.default_rng(0)
    shuffled = [" ".join(rng.permutation(line.split())) for line in data.b.test.lines]
    scores = score(data, shuffled)
    assert scores["slot_f1"] == 1
    assert scores["strict_f1"] < 0.02
    lead = score(data, [lead_n(line, 8) for line in data.a.test.lines])
    assert lead["strict_f1"] == lead["in_grammar"] == lead["templates"] == 0
    assert 0.3 < lead["slot_f1"] < 0.7


def test_a_rule_that_knows_the_grammar_states_every_event(data: UnpairedText) -> None:
    rows = event_baselines(data, "a2b", data.a.test.lines)
    assert list(rows) == ["lead_8", "lead_10", "main_event"]
    assert {len(line.split()) for line in rows["lead_10"]} == {10}
    scores = score(data, rows["main_event"])
    assert scores["exact"] == scores["strict_f1"] == 1
    assert scores["templates"] == pytest.approx(1)
    assert rows["main_event"][0].split()[3] == "in", "the commonest of the templates"
    assert event_baselines(data, "b2a", data.b.test.lines) == {}


def test_wrong_values_cost_their_share_and_foreign_words_are_counted() -> None:
    article = "miners blocked ports . on monday kano debated wages . nurses closed roads"
    reference = "miners blocked ports in kano monday over wages"
    outputs = [
        "nurses blocked ports in kano monday over wages",  # in the article, but not the event's
        "divers blocked ports in kano monday over wages",  # not in the article
        "kano kano kano <unk>",
        "",
    ]
    one, two, three, four = (
        score_events("a2b", [article], [output], [reference]) for output in outputs
    )
    assert one["strict_f1"] == one["slot_f1"] == pytest.approx(5 / 6)
    assert (one["hallucination"], one["exact"], one["in_grammar"]) == (0, 0, 1)
    assert two["hallucination"] == pytest.approx(1 / 6)
    assert three["slot_f1"] == pytest.approx(2 / 9)
    assert (three["strict_f1"], three["hallucination"]) == (0, 1 / 4)
    assert four == dict.fromkeys(four, 0)
    pooled = score_events("a2b", [article] * 4, outputs, [reference] * 4)
    assert pooled["hallucination"] == pytest.approx(2 / 16)
    assert pooled["strict_f1"] == pytest.approx(10 / 24)
    assert pooled["length"] == 5


def test_expansions_are_measured_by_what_they_keep() -> None:
    headline = "miners blocked ports in kano monday over wages"
    scores = score_events("b2a", [headline], ["miners blocked ports . kano slept"], [""])
    assert scores == {"slot_recall": pytest.approx(4 / 6), "length": 6}


def test_lead_leaves_full_stops_out() -> None:
    assert lead_n("a b . c d . e", 3) == "a b c"
