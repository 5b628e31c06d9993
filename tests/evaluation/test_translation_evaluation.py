"""What the metrics of translations say of translators whose worth is known."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import tiny_experiment, unpaired_text
from torch import Tensor, nn

from seqgan.assembly import build_task
from seqgan.core.batches import spread
from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.types import Generator, SequenceSpace, State, StepOut
from seqgan.data.unpaired_text import UnpairedText
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.config import EvaluationConfig
from seqgan.evaluation.translation import TranslationEvaluator
from seqgan.models.seq2seq.lexicon import Lexicon
from seqgan.tasks.cipher.config import CipherDataConfig
from seqgan.tasks.cipher.windows import inverse_table
from seqgan.tasks.language_pair.config import LanguagePairConfig

CPU = torch.device("cpu")
WAYS = ("a2b", "b2a")
CIPHER = CipherDataConfig(
    name="cipher", kind="vigenere", period=3, length=40, train=400, valid=100, test=100
)
SETTING = DecodingSetting(EvaluationConfig().temperature)


@pytest.fixture(scope="module")
def cipher() -> UnpairedText:
    return CIPHER.build_text()


@pytest.fixture(scope="module")
def languages() -> UnpairedText:
    config = LanguagePairConfig(
        name="language_pair", words=40, train=600, valid=80, test=80, reorder=False
    )
    return config.build_text()


def evaluator_of(
    text: UnpairedText, ways: tuple[str, ...] = WAYS, cycle: bool = True
) -> TranslationEvaluator:
    return TranslationEvaluator(text, ways, cycle, CPU, 3)


def sure(table: np.ndarray, source: SequenceSpace, space: SequenceSpace) -> Lexicon:
    """A lexicon that is certain of the table [period, V]."""
    lexicon = Lexicon(source, space, period=len(table))
    logits = torch.full(lexicon.table_PUV.shape, -20.0)
    for phase, row in enumerate(table):
        logits[phase, range(len(row)), torch.from_numpy(row)] = 20.0
    lexicon.table_PUV.data = logits
    return lexicon.eval()


def true_tables(text: UnpairedText) -> dict[str, Lexicon]:
    table = CIPHER.build_table()
    a, b = text.a.space, text.b.space
    return {"a2b": sure(table, a, b), "b2a": sure(inverse_table(table), b, a)}


class Constant(Generator):
    """Writes one row, whatever it reads, and gives every sentence the same probability."""

    def __init__(self, row_T: Tensor, space: SequenceSpace) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self._logits_TV = 5.0 * nn.functional.one_hot(row_T, space.vocab_size).float()

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return StepOut(self._logits_TV[0].expand(batch, -1), (0,))

    def step(self, x: Tensor, state: State) -> StepOut:
        column = state[0] + 1
        return StepOut(self._logits_TV[column].expand(len(x), -1), (column,))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self._logits_TV[: tokens.shape[1]].expand(len(tokens), -1, -1)


def likeliest_row(text: UnpairedText, way: str) -> Tensor:
    """The training sentence that an n-gram model finds the most fluent."""
    target = text.b if way == "a2b" else text.a
    evaluator = evaluator_of(text, (way,))
    nll_N = evaluator._models[way].nll_NT(target.train.ids_NT.numpy(), target.train.mask_NT.numpy())
    return target.train.ids_NT[int(nll_N.sum(1).argmin())]


# ── The truth ─────────────────────────────────────────────────────────────────────────────────


def test_the_true_key_reaches_everything(cipher: UnpairedText) -> None:
    evaluator = evaluator_of(cipher)
    found = evaluator.generated(true_tables(cipher), "test", 100, SETTING)
    real = evaluator.real("test", 100)
    for way in WAYS:
        assert found[f"accuracy_{way}"] == 1
        # It writes the references themselves.
        for name in ("lm_nll", "unigram_kl", "distinct", "length"):
            assert found[f"{name}_{way}"] == real[f"{name}_{way}"]
        assert 0 <= found[f"unigram_kl_{way}"] < 0.02
        assert found[f"round_trip_{way}"] < 1e-4
        assert found[f"shuffled_{way}"] > 10
        assert found[f"length_{way}"] == 40


def test_the_true_lexicon_reaches_everything(languages: UnpairedText) -> None:
    assert languages.scorer is not None
    generators = {}
    for way in WAYS:
        source, target = (languages.a, languages.b)[:: 1 if way == "a2b" else -1]
        lexicon = languages.scorer.of(way)
        ids = {word: index for index, word in enumerate(target.tokenizer.vocabulary())}
        entries = source.tokenizer.vocabulary()
        row = np.array([ids[lexicon[word]] if word in lexicon else 1 for word in entries])
        generators[way] = sure(row[None], source.space, target.space)
    evaluator = evaluator_of(languages)
    found = evaluator.generated(generators, "valid", 80, SETTING)
    real = evaluator.real("valid", 80)
    for way in WAYS:
        for name in ("lexicon", "word_accuracy", "exact"):
            assert found[f"{name}_{way}"] == 1
        for name in ("lm_nll", "unigram_kl", "distinct", "length"):
            assert found[f"{name}_{way}"] == real[f"{name}_{way}"]
        assert 4 <= found[f"length_{way}"] <= 12  # words, without the end
        assert found[f"copied_{way}"] == 0
    assert "lexicon_a2b" not in real


def test_one_wrong_entry_is_one_wrong_word(languages: UnpairedText) -> None:
    """Of forty."""
    assert languages.scorer is not None
    lexicon = languages.scorer.of("a2b")
    ids = {word: index for index, word in enumerate(languages.b.tokenizer.vocabulary())}
    entries = languages.a.tokenizer.vocabulary()
    row = np.array([ids[lexicon[word]] if word in lexicon else 1 for word in entries])
    row[5], row[6] = row[6], row[5]
    generators = {"a2b": sure(row[None], languages.a.space, languages.b.space)}
    evaluator = evaluator_of(languages, ("a2b",), cycle=False)
    found = evaluator.generated(generators, "valid", 80, SETTING)
    assert found["lexicon_a2b"] == pytest.approx(38 / 40)
    assert found["word_accuracy_a2b"] < 1


# ── What is fluent and says nothing ───────────────────────────────────────────────────────────


def test_one_fluent_sentence_for_ever_has_a_low_lm_nll_and_is_found_out(
    cipher: UnpairedText,
) -> None:
    evaluator = evaluator_of(cipher)
    good = evaluator.generated(true_tables(cipher), "test", 100, SETTING)
    rows = {way: likeliest_row(cipher, way) for way in WAYS}
    spaces = {"a2b": cipher.b.space, "b2a": cipher.a.space}
    constant = {way: Constant(rows[way], spaces[way]) for way in WAYS}
    found = evaluator.generated(constant, "test", 100, SETTING)
    for way in WAYS:
        assert found[f"lm_nll_{way}"] < 0.8 * good[f"lm_nll_{way}"]
        assert found[f"unigram_kl_{way}"] > 0.2 > 10 * good[f"unigram_kl_{way}"]
        assert found[f"distinct_{way}"] == 1 / 100
        assert found[f"label_free_{way}"] > good[f"label_free_{way}"] + 1
        assert found[f"accuracy_{way}"] < 0.3
        # The backward translator learns nothing from it: other translations serve as well.
        assert found[f"shuffled_{way}"] == found[f"round_trip_{way}"]
    assert found["label_free"] > good["label_free"] + 2


def test_tokens_in_the_right_shares_without_order_are_not_fluent(cipher: UnpairedText) -> None:
    """A wrong one-to-one table is used like the language only where the shares agree."""
    evaluator = evaluator_of(cipher, ("b2a",))
    good = evaluator.generated(true_tables(cipher), "test", 100, SETTING)
    rotated = inverse_table(CIPHER.build_table())[[1, 2, 0]]
    wrong = true_tables(cipher) | {"b2a": sure(rotated, cipher.b.space, cipher.a.space)}
    found = evaluator.generated(wrong, "test", 100, SETTING)
    assert found["lm_nll_b2a"] > good["lm_nll_b2a"] + 1
    assert found["unigram_kl_b2a"] > 0.1
    assert found["accuracy_b2a"] < 0.2


# ── Whether the source is still in there ──────────────────────────────────────────────────────


class Deaf(Lexicon):
    """A way there that reads only how long its source is."""

    def emit(self, cond: Tensor) -> Tensor:
        return super().emit(cond * 0)


def test_shuffled_is_round_trip_where_the_source_is_ignored_and_far_above_elsewhere(
    cipher: UnpairedText,
) -> None:
    evaluator = evaluator_of(cipher, ("a2b",))
    true = true_tables(cipher)
    deaf = Deaf(cipher.a.space, cipher.b.space, init_std=2.0).eval()
    ignored = evaluator.generated({"a2b": deaf, "b2a": true["b2a"]}, "valid", 100, SETTING)
    assert ignored["shuffled_a2b"] == ignored["round_trip_a2b"] > 10
    carried = evaluator.generated(true, "valid", 100, SETTING)
    assert carried["shuffled_a2b"] > carried["round_trip_a2b"] + 10


def test_round_trip_and_shuffled_are_means_over_sentences_of_nats_a_token(
    languages: UnpairedText,
) -> None:
    """Sentence by sentence; and `shuffled` gives each sentence the translation before its own."""
    torch.manual_seed(0)
    spaces = (languages.a.space, languages.b.space)
    config = {"init_std": 2.0}
    ways = {"a2b": Lexicon(*spaces, **config), "b2a": Lexicon(*spaces[::-1], **config)}
    found = evaluator_of(languages, ("a2b",)).generated(ways, "valid", 30, SETTING)
    rows_R = spread(len(languages.a.valid.lines), 30)
    ids, mask = languages.a.valid.ids_NT[rows_R], languages.a.valid.mask_NT[rows_R]
    with torch.no_grad():
        made = ways["a2b"].emit(ids).argmax(-1)
        for name, given in (("round_trip", made), ("shuffled", made.roll(1, 0))):
            logp = ways["b2a"].emit(given).log_softmax(-1)
            rows = [
                -float(logp[n, range(k), ids[n, :k]].mean())
                for n, k in enumerate(mask.sum(1).tolist())
            ]
            assert found[f"{name}_a2b"] == pytest.approx(sum(rows) / 30, rel=1e-4)
    assert found["shuffled_a2b"] != found["round_trip_a2b"]


# ── Sums and names ────────────────────────────────────────────────────────────────────────────


def random_tables(text: UnpairedText) -> dict[str, Any]:
    torch.manual_seed(1)
    config = {"period": 3, "init_std": 2.0}
    a, b = text.a.space, text.b.space
    return {"a2b": Lexicon(a, b, **config).eval(), "b2a": Lexicon(b, a, **config).eval()}


@pytest.mark.parametrize("cycle", [True, False])
@pytest.mark.parametrize("ways", [WAYS, ("a2b",), ("b2a",)], ids=str)
def test_label_free_is_the_documented_sum(
    ways: tuple[str, ...], cycle: bool, cipher: UnpairedText
) -> None:
    evaluator = evaluator_of(cipher, ways, cycle)
    found = evaluator.generated(random_tables(cipher), "valid", 50, SETTING)
    parts = ("lm_nll", "unigram_kl", "round_trip") if cycle else ("lm_nll", "unigram_kl")
    total = 0.0
    for way in ways:
        assert found[f"label_free_{way}"] == pytest.approx(sum(found[f"{p}_{way}"] for p in parts))
        total += found[f"label_free_{way}"]
        assert (f"round_trip_{way}" in found) == (f"shuffled_{way}" in found) == cycle
    assert found["label_free"] == pytest.approx(total)
    assert {name[-3:] for name in found if name != "label_free"} == set(ways)


def test_metrics_are_of_the_split_and_the_sentences_asked_for(cipher: UnpairedText) -> None:
    evaluator, tables = evaluator_of(cipher, ("a2b",)), random_tables(cipher)
    measured = {
        (split, count): evaluator.generated(tables, split, count, SETTING)["lm_nll_a2b"]
        for split in ("valid", "test")
        for count in (20, 100, 5000)
    }
    assert len(set(measured.values())) == 4
    assert measured["valid", 100] == measured["valid", 5000]
    target = cipher.b.train
    asked_NT = cipher.a.test.ids_NT[spread(len(cipher.a.test.lines), 20)]
    made = tables["a2b"].emit(asked_NT).argmax(-1)
    model = evaluator._models["a2b"].fit(target.ids_NT.numpy(), target.mask_NT.numpy())
    nll = model.nll_NT(made.numpy(), mask_until_end(made, None).numpy())
    assert measured["test", 20] == pytest.approx(float(nll.mean()))


def test_simple_rules_are_measured_like_translations(cipher: UnpairedText) -> None:
    """The copy is the identity's row; a rule that knows the key is perfect."""

    def rule(text: UnpairedText, way: str, sources: list[str]) -> dict[str, list[str]]:
        target = text.b if way == "a2b" else text.a
        return {"key": target.test.lines[: len(sources)]}

    text = UnpairedText(
        cipher.a, cipher.b, cipher.paired, cipher.scorer, cipher.report, baselines=rule
    )
    evaluator = evaluator_of(text)
    rows = evaluator.baselines("test", 100)
    assert list(rows) == ["copy", "key"]
    real = evaluator.real("test", 100)
    assert rows["key"] == pytest.approx(real)
    a, b = cipher.a.space, cipher.b.space
    same = {
        "a2b": sure(np.arange(27)[None], a, b),
        "b2a": sure(np.arange(27)[None], b, a),
    }
    found = evaluator.generated(same, "test", 100, SETTING)
    for name, value in rows["copy"].items():
        assert found[name] == pytest.approx(value), name
    assert not any(name.startswith(("round_trip", "label_free")) for name in rows["copy"])


def test_lines_for_people_show_source_and_translation(cipher: UnpairedText) -> None:
    shown = evaluator_of(cipher).show(true_tables(cipher), SETTING).lines
    assert len(shown) == 16
    rows = spread(len(cipher.a.valid.lines), 8).tolist()
    for number, line in enumerate(shown):
        source, made = (cipher.a, cipher.b) if number < 8 else (cipher.b, cipher.a)
        row = rows[number % 8]
        assert line == f"{source.valid.lines[row]}  →  {made.valid.lines[row]}"


@pytest.mark.parametrize("package", ["sacrebleu", "rouge_score.rouge_scorer"])
def test_packages_are_asked_for_where_their_scores_are(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is trained, and only then."""
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    score = "bleu" if package == "sacrebleu" else "rouge"
    tree = unpaired_text(tmp_path / "text")
    tree["data"] |= {"score": [score]}
    with pytest.raises(UserError, match=f"package {package.split('.')[0].replace('_', '-')}"):
        build_task(tiny_experiment(tree), CPU, None)
    tree["data"] |= {"valid": None, "test": None}
    build_task(tiny_experiment(tree), CPU, None)
