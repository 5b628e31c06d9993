"""BLEU, chrF and ROUGE by hand, and a published system's outputs under our scorer."""

import gzip
import sys
import unicodedata
from math import exp
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

from seqgan.core.errors import UserError
from seqgan.metrics.translation import chrf, copied_share, corpus_bleu, rouge

GIGAWORD = Path(__file__).parents[2].parent / "shared/data/summarization/gigaword"


def test_bleu_pools_counts_over_the_corpus() -> None:
    outputs = ["a b c d e", "f g h i"]
    references = ["a b c d x", "f g h i"]
    precisions = [(4 + 4) / (5 + 4), (3 + 3) / (4 + 3), (2 + 2) / (3 + 2), (1 + 1) / (2 + 1)]
    product = 1.0
    for precision in precisions:
        product *= precision
    assert corpus_bleu(outputs, references)[0] == pytest.approx(100 * product**0.25)


def test_bleu_has_a_brevity_penalty() -> None:
    score, signature = corpus_bleu(["a b c d"], ["a b c d e f"])
    assert score == pytest.approx(100 * exp(1 - 6 / 4))
    assert "tok:none" in signature
    assert "version:" in signature


def test_bleu_cuts_raw_text_where_asked() -> None:
    plain, cut = ["one two three four five."], ["one two three four five ."]
    assert corpus_bleu(plain, cut, tokenize="none")[0] < 100
    score, signature = corpus_bleu(plain, cut, tokenize="13a")
    assert score == pytest.approx(100)
    assert "tok:13a" in signature


def test_chrf_of_characters() -> None:
    assert chrf(["abc"], ["abc"]) == pytest.approx(100)
    assert chrf(["xyz"], ["abc"]) == 0
    # "ab" against "ac": order 1 has precision = recall = 1/2, order 2 has 0; longer ones have none
    assert chrf(["ab"], ["ac"]) == pytest.approx(25)


def test_rouge_stems_and_averages_over_outputs() -> None:
    # unigrams: 2 of 2 in 2 of 4 -> F1 2/3; bigrams: 1 of 1 in 1 of 3 -> 1/2
    first = rouge(["cats sleep"], ["cat sleeps all day"])
    assert first == pytest.approx({"rouge1": 200 / 3, "rouge2": 50, "rougeL": 200 / 3})
    both = rouge(["cats sleep", ""], ["cat sleeps all day", "dogs"])
    assert both == pytest.approx({name: value / 2 for name, value in first.items()})


@pytest.mark.parametrize(
    "line",
    [
        "他 在 看 书",
        "他在看书",
        "été à Zürich",
        "мы идём домой",
        "हिन्दी भाषा",
        "ไปโรงเรียน",
        "مرحبا بكم",
    ],
)
def test_rouge_reads_every_script(line: str) -> None:
    expected = pytest.approx({"rouge1": 100, "rouge2": 100, "rougeL": 100})
    assert rouge([line], [line]) == expected
    assert rouge([unicodedata.normalize("NFD", line)], [line]) == expected
    assert rouge([line], ["something else"])["rouge1"] == 0


def test_rouge_does_not_cut_accents() -> None:
    assert rouge(["été à Zürich"], ["t z rich"])["rouge1"] == 0
    assert rouge(["un café"], ["un caf"])["rouge1"] == pytest.approx(50)
    assert rouge(["un café"], ["UN CAFÉ!"])["rouge1"] == pytest.approx(100)


def test_characters_are_words_where_there_are_no_spaces() -> None:
    """3 of 4 characters, 2 of 3 pairs of them; and BLEU's n-grams of them."""
    scores = rouge(["他在看书"], ["他在看报"])
    assert scores == pytest.approx({"rouge1": 75, "rouge2": 200 / 3, "rougeL": 75})
    assert copied_share(["他在看报"], ["他在看书"]) == 3 / 4
    raw, cut = ["他在看一本书。"], ["他 在 看 一 本 书 。"]
    other = ["他在看一本报。"]
    assert corpus_bleu(raw, other, "13a")[0] == pytest.approx(
        corpus_bleu(cut, ["他 在 看 一 本 报 。"])[0]
    )
    assert corpus_bleu(raw, other, "13a")[0] > 50


def test_rouge_of_ascii_is_the_packages() -> None:
    """Bit for bit, with numbers, marks, capitals and underscores."""
    outputs = ["U.S.-led forces seized 1,000 weapons", "a_b isn't running, flies"]
    references = ["US forces seize 1,000 weapon's", "A B is not run: fly"]
    package = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    scores = [package.score(r, o) for o, r in zip(outputs, references, strict=True)]
    for name, value in rouge(outputs, references).items():
        assert value == 100 * sum(score[name].fmeasure for score in scores) / 2


def test_rouge_l_is_about_order() -> None:
    scores = rouge(["b a"], ["a b"])
    assert scores == pytest.approx({"rouge1": 100, "rouge2": 0, "rougeL": 50})


def test_copied_share_counts_each_occurrence_once() -> None:
    assert copied_share(["a b c"], ["a a b d"]) == 2 / 4
    assert copied_share(["a b c", "d"], ["a", "e e e"]) == 1 / 4
    assert copied_share(["a"], [""]) == 0


def test_rows_must_agree() -> None:
    for score in (corpus_bleu, chrf, rouge):
        with pytest.raises(ValueError, match="1 outputs and 2 references"):
            score(["a"], ["a", "b"])
        with pytest.raises(ValueError, match="0 references"):
            score([], [])


@pytest.mark.parametrize("package", ["sacrebleu", "rouge_score"])
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    score = corpus_bleu if package == "sacrebleu" else rouge
    with pytest.raises(UserError, match=package.replace("_", "-") + r".*seqgan\[corpora\]"):
        score(["a"], ["a"])


@pytest.mark.skipif(not GIGAWORD.exists(), reason="Gigaword is not in ../shared/data/summarization")
def test_a_published_summarizer_gets_its_published_scores() -> None:
    """seq3 (Baziotis et al. 2019) on the 1,897 articles of more than eight words."""
    outputs = _lines(GIGAWORD / "seq3_outputs/gigaword_seq3.full_preds.txt")
    references = _lines(GIGAWORD / "test_1951/task1_ref0_min8.txt")
    assert len(outputs) == len(references) == 1897
    scores = rouge(outputs, references)
    assert scores == pytest.approx({"rouge1": 25.41, "rouge2": 8.22, "rougeL": 22.70}, abs=0.01)
    sources = _lines(GIGAWORD / "test_1951/input_min8.txt.gz")
    assert copied_share(sources, outputs) > 0.9


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return [line.replace("<eos>", "").strip() for line in text.removesuffix("\n").split("\n")]
