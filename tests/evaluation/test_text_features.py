"""Measures of text on features: rows that must differ, scores by hand, names and the store."""

import json
from math import log
from pathlib import Path

import pytest
import torch
from tiny_runs import text_data, train

from seqgan.cli import run
from seqgan.core.batches import spread, take
from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.types import Batch
from seqgan.evaluation import text_extractor
from seqgan.evaluation.extractor_store import parameters_hash
from seqgan.evaluation.text_extractor import (
    Encoder,
    LanguageModel,
    LanguageModelSpec,
    kept_language_model,
    train_language_model,
    updates_of,
)
from seqgan.evaluation.text_features import TextFeatures

WORDS, LENGTH = 12, 8
UNK = 1


def sentences(rows: int, seed: int) -> Batch:
    """Words that rise by one or two, from a start of their own; 0 ends and pads."""
    stream = torch.Generator().manual_seed(seed)
    steps_NT = torch.randint(1, 3, (rows, LENGTH), generator=stream)
    first_N1 = torch.randint(0, WORDS - 2, (rows, 1), generator=stream)
    ids_NT = 2 + (first_N1 + steps_NT.cumsum(1)) % (WORDS - 2)
    length_N1 = torch.randint(3, LENGTH, (rows, 1), generator=stream)
    columns_T = torch.arange(LENGTH)
    return Batch(ids_NT * (columns_T < length_N1), columns_T <= length_N1)


SPEC = LanguageModelSpec(WORDS, LENGTH, updates=60)
TRAIN, HELD_OUT = sentences(300, 0), sentences(200, 1)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(train_language_model(SPEC, TRAIN))


def features(model: LanguageModel) -> TextFeatures:
    return TextFeatures(lambda: model, TRAIN, HELD_OUT, WORDS, UNK)


# ── The language model ────────────────────────────────────────────────────────────────────────


def test_it_learns_the_sentences(model: LanguageModel) -> None:
    test = sentences(200, 2)
    assert test.mask is not None
    nll = -float(model.log_probs(test).sum() / test.mask.sum())
    assert nll < 0.75 * log(WORDS)
    known = -float(model.log_probs(TRAIN).sum() / TRAIN.mask.sum())
    assert nll - known < 0.1, "training sentences are known hardly better"


def test_features_are_the_mean_over_the_tokens_of_a_sentence(model: LanguageModel) -> None:
    found_NF = model.features(HELD_OUT)
    assert found_NF.shape == (200, text_extractor.WIDTH)
    for row in (0, 7, 199):
        ids_1T = HELD_OUT.x[row : row + 1, : int(HELD_OUT.mask[row].sum())]
        with torch.no_grad():
            h_TH = model._network.hidden(ids_1T).h_BTH[0]
        torch.testing.assert_close(found_NF[row], h_TH.mean(0), atol=1e-5, rtol=1e-4)


def test_what_stands_behind_the_end_and_how_rows_are_grouped_is_nothing(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.features(HELD_OUT)
    junk = HELD_OUT.x.where(HELD_OUT.mask, torch.tensor(5))
    torch.testing.assert_close(model.features(Batch(junk, HELD_OUT.mask)), whole)
    monkeypatch.setattr(text_extractor, "AT_ONCE", 7)
    torch.testing.assert_close(model.features(HELD_OUT), whole, atol=1e-5, rtol=1e-4)


def test_same_seed_same_network_whatever_the_global_stream() -> None:
    spec = LanguageModelSpec(WORDS, LENGTH, updates=3)
    names = set()
    for seed in (0, 1):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        names.add(LanguageModel(train_language_model(spec, TRAIN)).name)
        assert torch.equal(torch.get_rng_state(), state)
    (name,) = names
    assert name.startswith("lm-")
    other = LanguageModelSpec(WORDS, LENGTH, updates=3, seed=1)
    assert LanguageModel(train_language_model(other, TRAIN)).name != name


def test_few_sentences_are_not_learned_by_heart() -> None:
    assert updates_of(LanguageModelSpec(9, 9, updates=1500), 64) == 100
    assert updates_of(LanguageModelSpec(9, 9, updates=1500), 3200) == 500
    assert updates_of(LanguageModelSpec(9, 9, updates=1500), 1_000_000) == 1500
    assert updates_of(LanguageModelSpec(9, 9, updates=10), 3200) == 10


def test_a_kept_model_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQGAN_CACHE", str(tmp_path))
    spec, trained = LanguageModelSpec(WORDS, LENGTH, updates=2), []

    def counted(*arguments: object) -> torch.nn.Module:
        trained.append(arguments)
        return train_language_model(*arguments)

    monkeypatch.setattr(text_extractor, "train_language_model", counted)
    first = kept_language_model(spec, TRAIN)
    again = kept_language_model(spec, Batch(TRAIN.x.clone(), TRAIN.mask.clone()))
    assert first.name == again.name
    assert torch.equal(first.features(HELD_OUT), again.features(HELD_OUT))
    assert len(trained) == 1
    changed = TRAIN.x.clone()
    changed[0, 0] = 2 + (changed[0, 0] - 1) % 10
    kept_language_model(spec, Batch(changed, TRAIN.mask))
    kept_language_model(LanguageModelSpec(WORDS, LENGTH, updates=2, seed=1), TRAIN)
    assert len(trained) == 3


# ── Measures ──────────────────────────────────────────────────────────────────────────────────


def named(model: LanguageModel, metrics: dict[str, float | None]) -> dict[str, float]:
    """Without the network's name."""
    return {k.removesuffix(f"@{model.name}"): v for k, v in metrics.items() if v is not None}


def test_real_text_is_ahead_of_every_control(model: LanguageModel) -> None:
    measures = features(model)
    fresh = named(model, measures.measure(sentences(200, 3), copies=True))
    rows = {
        name: named(model, measures.measure(batch, copies=True))
        for name, batch in measures.controls(200).items()
    }
    copies, shuffled, one = rows.values()
    for bad in (shuffled, one):
        assert bad["fed"] > 3 * fresh["fed"]
        assert bad["mauve"] < fresh["mauve"] - 0.03
        assert bad["coverage"] < fresh["coverage"]
        assert bad["two_sample_low"] > fresh["two_sample_high"]
        assert bad["reverse_lm_score@trigram"] > fresh["reverse_lm_score@trigram"] + 0.1
    assert shuffled["lm_score"] > fresh["lm_score"] + 0.5
    assert shuffled["lm_score@trigram"] > fresh["lm_score@trigram"] + 0.3
    assert one["recall"] < 0.1
    assert (copies["duplicates"], copies["nearest_ratio"]) == (1, 0)
    assert fresh["duplicates"] < 0.9
    assert copies["fed"] < 3 * fresh["fed"], "only the memorisation gives a copier away"
    assert abs(fresh["mauve_spread"]) < 0.2
    assert measures.notes["text_extractor"] == model.name
    assert measures.notes["lm_score_of_references"] == pytest.approx(fresh["lm_score"], abs=0.1)


def test_controls() -> None:
    measures = TextFeatures(lambda: None, TRAIN, HELD_OUT, WORDS, UNK)  # type: ignore[arg-type,return-value]
    copies, shuffled, one = measures.controls(250).values()
    train = {tuple(row) for row in TRAIN.x.tolist()}
    assert {tuple(row) for row in copies.x.tolist()} <= train
    assert len(one.x.unique(dim=0)) == 1
    some = take(TRAIN, spread(len(TRAIN.x), 250))
    assert torch.equal(shuffled.mask, some.mask)
    assert torch.equal(shuffled.x.sort(1).values, some.x.sort(1).values)
    assert torch.equal(shuffled.x == 0, some.x == 0), "ends and padding stay"
    moved = (shuffled.x != some.x).any(1).float().mean()
    assert moved > 0.6
    again = list(measures.controls(250).values())
    assert torch.equal(again[0].x, copies.x)
    assert torch.equal(again[1].x, shuffled.x)


def test_the_scores_by_hand(model: LanguageModel) -> None:
    """One known bigram text: the trigram model's probabilities counted here; `<unk>` left out."""
    ids = torch.tensor([[2, 3, 0], [2, UNK, 0]]).repeat(10, 1)
    batch = Batch(ids, torch.ones_like(ids, dtype=torch.bool))
    model_ = TextFeatures(lambda: model, TRAIN, batch, WORDS, UNK)
    found = model_.measure(batch, copies=False)

    # Witten–Bell: c tokens behind a context, t of them different.
    def smoothed(count: int, total: int, types: int, lower: float) -> float:
        return (count + types * lower) / (total + types)

    unigram = {
        token: smoothed(count, 60, 4, 1 / WORDS) for token, count in ((2, 20), (3, 10), (0, 20))
    }
    first = smoothed(20, 20, 1, smoothed(20, 20, 1, unigram[2]))
    three = smoothed(10, 20, 2, smoothed(10, 20, 2, unigram[3]))
    end = smoothed(10, 10, 1, smoothed(10, 10, 1, unigram[0]))
    expected = -(2 * log(first) + log(three) + 2 * log(end)) / 5
    assert found["lm_score@trigram"] == pytest.approx(expected)
    assert found["reverse_lm_score@trigram"] == pytest.approx(expected)
    assert not any("duplicates" in name for name in found)
    known = model.log_probs(batch)[batch.x != UNK].mean()
    assert found[f"lm_score@{model.name}"] == pytest.approx(-float(known), rel=1e-5)


def test_the_two_directions_are_not_mixed_up(model: LanguageModel) -> None:
    """Samples that are all alike are likely, and know little of the references."""
    found = features(model).measure(features(model).controls(200)["one sentence"], copies=False)
    assert found["lm_score@trigram"] < found["reverse_lm_score@trigram"] - 1


def test_what_does_not_change_between_rows_is_computed_once(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    measures, read = features(model), []

    def counted(network: LanguageModel, batch: Batch) -> torch.Tensor:
        read.append(len(batch.x))
        return plain(network, batch)

    plain = LanguageModel.features
    monkeypatch.setattr(LanguageModel, "features", counted)
    for seed in (3, 4):
        measures.measure(sentences(60, seed), copies=True)
    assert sorted(read) == [60, 60, 200, 300]


def test_too_few_sentences_are_not_measured() -> None:
    def refuse() -> LanguageModel:
        raise AssertionError("no network is trained for nothing")

    few = sentences(19, 4)
    measures = TextFeatures(refuse, TRAIN, HELD_OUT, WORDS, UNK)
    assert measures.measure(few, copies=True) == {}
    assert TextFeatures(refuse, TRAIN, few, WORDS, UNK).measure(HELD_OUT, copies=True) == {}
    assert measures.notes == {}


def test_bfloat16_changes_neither_the_network_nor_its_features(model: LanguageModel) -> None:
    expected = features(model).measure(sentences(60, 5), copies=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert features(model).measure(sentences(60, 5), copies=False) == expected


# ── Runs ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features")
    data = text_data(folder / "corpus.txt")
    data["data"] |= {"test_fraction": 0.4, "valid_fraction": 0.1}
    return train(folder / "run", data)


def labelled(folder: Path) -> dict[str, dict[str, float]]:
    found = json.loads((folder / "evaluation.json").read_text())
    return {row["label"]: row["metrics"] for row in found["rows"]}


def on_features(metrics: dict[str, float]) -> set[str]:
    return {name.partition("@")[0] for name in metrics if "@lm-" in name}


def test_evaluate_measures_features_and_training_does_not(text_run: Path) -> None:
    assert not any("@" in name for row in labelled(text_run).values() for name in row)
    changed = ["evaluation.text_features.updates=2"]
    assert run(["evaluate", str(text_run), *changed]) == 0
    rows = labelled(text_run)
    assert list(rows) == [
        "generator, T = 1", "generator, T = 0.5", "generator, T = 1.5",
        "training sentences, drawn again", "shuffled words", "one sentence", "real data",
    ]  # fmt: skip
    everywhere = {"fed", "precision", "recall", "density", "coverage", "mauve", "mauve_spread"}
    everywhere |= {"two_sample_accuracy", "two_sample_low", "two_sample_high", "lm_score"}
    copies = {"duplicates", "nearest_ratio", "copy_p_value"}
    for label, metrics in rows.items():
        assert on_features(metrics) == everywhere | (copies if label != "real data" else set())
        assert "reverse_lm_score@trigram" in metrics
        assert "bleu_4" in metrics
    notes = json.loads((text_run / "evaluation.json").read_text())["notes"]
    assert notes["text_extractor"].startswith("lm-")
    assert rows["training sentences, drawn again"]["in_train"] == 1
    assert run(["evaluate", str(text_run), "evaluation.text_features.measure=never"]) == 0
    assert list(labelled(text_run)) == ["generator, T = 1", "real data"]


def test_always_is_at_the_end_of_training_and_not_in_its_validation(tmp_path: Path) -> None:
    data = text_data(tmp_path / "corpus.txt")
    data["data"] |= {"test_fraction": 0.4, "valid_fraction": 0.1}
    asked = {
        "evaluation.text_features": {"measure": "always", "updates": 2},
        "evaluation.samples_during_training": 32,
    }
    folder = train(tmp_path / "run", data | asked)
    assert all(on_features(row) for row in labelled(folder).values())
    assert "@" not in (folder / "metrics.jsonl").read_text()


def test_a_sweep_measures_features_on_test_data_only(text_run: Path) -> None:
    changed = ["evaluation.text_features.updates=2", "evaluation.sweep_temperatures=[0.5,2.0]"]
    assert run(["evaluate", str(text_run), "--sweep", "evaluation.sweep_top_p=[]", *changed]) == 0
    rows = labelled(text_run)
    assert list(rows)[:4] == [
        "generator, T = 1", "generator, T = 0.5", "generator, T = 2", "generator, T = 1.5",
    ]  # fmt: skip
    assert all(on_features(row) for row in rows.values())


# ── An encoder from elsewhere ─────────────────────────────────────────────────────────────────

ENCODED = ["", "the", "the", "cat", "sat", "on", "mat"]


def decode(ids: list[int]) -> str:
    """Words of `ENCODED`; 0 ends a sentence."""
    return " ".join(ENCODED[index] for index in ids[: ids.index(0)])


def batch_of(*rows: list[int]) -> Batch:
    ids_NT = torch.zeros(len(rows), max(map(len, rows)) + 1, dtype=torch.long)
    for row, ids in enumerate(rows):
        ids_NT[row, : len(ids)] = torch.tensor(ids, dtype=torch.long)
    return Batch(ids_NT, mask_until_end(ids_NT, 0))


def test_an_encoders_features_are_the_mean_of_its_states(tmp_path: Path) -> None:
    networks = pytest.importorskip("tiny_networks", reason="pip install 'seqgan[hf]'")
    path = networks.write_network("bert", tmp_path)
    networks.write_word_tokenizer(tmp_path, pad_token="[PAD]", sep_token="[SEP]")
    encoder = Encoder(path, decode, torch.device("cpu"))
    rows = [[1, 3, 4], [5], [], [1, 3, 4, 5, 2, 6] * 5]
    together = encoder.features(batch_of(*rows))
    alone = torch.cat([encoder.features(batch_of(row)) for row in rows])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)  # padding is nothing
    ids = torch.tensor([[4, 5, 7]])  # the cat sat, in its own vocabulary
    with torch.no_grad():
        states = encoder._network(input_ids=ids)[0][0]
    torch.testing.assert_close(together[0], states.mean(0), atol=1e-5, rtol=1e-4)
    assert encoder.name == f"encoder-{parameters_hash(encoder._network)[:8]}"
    measures = TextFeatures(lambda: encoder, batch_of(*rows * 6), batch_of(*rows * 6), 7, -1)
    found = measures.measure(batch_of(*rows * 5), copies=True)
    assert f"fed@{encoder.name}" in found
    assert not any(name.startswith("lm_score@encoder") for name in found), "it has no density"
    assert found["lm_score@trigram"] is not None
    assert measures.notes == {"text_extractor": encoder.name}


def test_an_encoder_that_cannot_be_used_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    networks = pytest.importorskip("tiny_networks", reason="pip install 'seqgan[hf]'")
    path = networks.write_network("bert", tmp_path)
    networks.write_word_tokenizer(tmp_path)
    with pytest.raises(UserError, match=r"text_features\.path=.* no token to pad with; name a"):
        Encoder(path, decode, torch.device("cpu"))
    with pytest.raises(UserError, match=r"text_features\.path='no/where': cannot be loaded"):
        Encoder("no/where", decode, torch.device("cpu"))


def test_evaluate_takes_an_encoder(text_run: Path, tmp_path: Path) -> None:
    networks = pytest.importorskip("tiny_networks", reason="pip install 'seqgan[hf]'")
    path = networks.write_network("bert", tmp_path)
    networks.write_word_tokenizer(tmp_path, pad_token="[PAD]", sep_token="[SEP]")
    assert run(["evaluate", str(text_run), f"evaluation.text_features.path={path}"]) == 0
    for metrics in labelled(text_run).values():
        assert any(name.startswith("mauve@encoder-") for name in metrics)
