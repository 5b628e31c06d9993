"""Extractors are repeatable, named by what they are, learn what they should, are kept unharmed."""

import resource
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seqgan.core.errors import UserError
from seqgan.core.pictures import to_unit
from seqgan.evaluation import feature_extractor as module
from seqgan.evaluation.extractor_store import parameters_hash, rate_factor
from seqgan.evaluation.feature_extractor import (
    AT_ONCE,
    ExtractorSpec,
    cached_extractor,
    shifted,
    train_extractor,
    turned,
)
from seqgan.models.image.feature_net import FEATURES, FeatureNet
from seqgan.tasks.faces.anatomy import LABEL_SIZES
from seqgan.tasks.faces.drawing import draw_faces, sample_labels
from seqgan.training.checkpoint import load_tree, save_tree

MNIST = Path(__file__).parents[2].parent / "shared/data/images/mnist/mnist.npz"
CPU = torch.device("cpu")
LABELS = ExtractorSpec("labels", (4, 2), channels=1, updates=60, batch_size=32)
ROTATIONS = replace(LABELS, kind="rotations", label_sizes=())
RANDOM = replace(LABELS, kind="random", label_sizes=())
SHORT = replace(LABELS, updates=2, batch_size=4)


def spots(count, seed, size=16, channels=1):
    """Noise with a spot: which quarter it lies in, and whether it is bright or dark."""
    stream = torch.Generator().manual_seed(seed)
    labels_NA = torch.stack([torch.randint(n, (count,), generator=stream) for n in (4, 2)], 1)
    x_NCHW = torch.randint(100, 156, (count, channels, size, size), generator=stream)
    half, edge = size // 2, size // 8
    for x, (quarter, bright) in zip(x_NCHW, labels_NA.tolist(), strict=True):
        top, left = half * (quarter // 2) + edge, half * (quarter % 2) + edge
        x[:, top : top + half - 2 * edge, left : left + half - 2 * edge] = 240 * bright
    return x_NCHW.to(torch.uint8), labels_NA


def lit_from_above(count, seed, size=16):
    """Bright at the top, dark at the bottom, and noise: every turn shows."""
    stream = torch.Generator().manual_seed(seed)
    ramp_H1 = torch.linspace(190, 60, size)[:, None]
    noise = torch.randint(-50, 50, (count, 1, size, size), generator=stream)
    return (ramp_H1 + noise).to(torch.uint8)


X, Y = spots(400, 1)


@pytest.fixture(scope="module")
def extractor():
    return train_extractor(LABELS, X, Y, CPU)


# ── Training ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("spec", [LABELS, ROTATIONS, RANDOM], ids=lambda spec: spec.kind)
def test_same_seed_same_extractor_whatever_the_global_stream(spec):
    spec = replace(spec, updates=5)
    names = set()
    for seed in (0, 1):
        torch.manual_seed(seed)
        names.add(train_extractor(spec, X, Y, CPU).name)
    assert len(names) == 1
    assert train_extractor(replace(spec, seed=1), X, Y, CPU).name not in names


def test_same_extractor_on_any_number_of_threads():
    x_NCHW, labels_NA = spots(256, 5, size=28)
    spec = replace(LABELS, updates=3, batch_size=128)
    names = set()
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            names.add(train_extractor(spec, x_NCHW, labels_NA, CPU).name)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len(names) == 1


def test_threads_are_given_back_after_an_error():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyboardInterrupt):
            train_extractor(SHORT, X, Y, CPU, interrupt)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def interrupt():
    raise KeyboardInterrupt


def test_reads_labels(extractor):
    test_x, test_y = spots(300, 2)
    accuracy = extractor.accuracy(test_x, test_y)
    assert len(accuracy) == 2
    assert min(accuracy) >= 0.99
    assert extractor.labels(test_x).dtype == torch.long
    rolled = extractor.accuracy(test_x, test_y.roll(1, 0))  # control: labels of other pictures
    assert max(rolled) < 0.7


def test_columns_of_labels_are_told_apart(extractor):
    test_x, test_y = spots(300, 2)
    wrong_second = test_y.clone()
    wrong_second[:, 1] = 1 - wrong_second[:, 1]
    first, second = extractor.accuracy(test_x, wrong_second)
    assert first >= 0.99
    assert second <= 0.01


def test_learns_rotations():
    extractor = train_extractor(ROTATIONS, lit_from_above(300, 1), None, CPU)
    torch.manual_seed(0)
    x, quarters_N1 = turned(to_unit(lit_from_above(300, 2)))
    with torch.no_grad():
        _, (logits,) = extractor.network(x)
    assert (logits.argmax(1) == quarters_N1[:, 0]).float().mean() >= 0.99
    assert not extractor.reads_labels
    with pytest.raises(AssertionError, match="only feature extractors of labels"):
        extractor.labels(X)


def test_rotations_do_not_look_at_labels():
    spec = replace(ROTATIONS, updates=2)
    assert train_extractor(spec, X, Y, CPU).name == train_extractor(spec, X, None, CPU).name


def test_names_tell_the_kind(extractor):
    rotations = train_extractor(replace(ROTATIONS, updates=1), X, None, CPU)
    random = train_extractor(RANDOM, X, None, CPU)
    assert extractor.name == f"cnn-{parameters_hash(extractor.network)[:8]}"
    assert rotations.name.startswith("rotnet-")
    assert random.name.startswith("randconv-")


def test_random_extractors_see_pictures_but_learn_nothing():
    x_NCHW, _ = spots(600, 3, size=28)
    extractor = train_extractor(RANDOM, x_NCHW, None, CPU)
    with torch.random.fork_rng():
        torch.manual_seed(RANDOM.seed)
        untouched = FeatureNet(1, ())
    for ours, drawn in zip(extractor.network.parameters(), untouched.parameters(), strict=True):
        assert torch.equal(ours, drawn)
    spread_F = extractor.features(spots(300, 4, size=28)[0]).std(0)
    assert (spread_F == 0).float().mean() < 0.25
    assert spread_F.mean() > 0.01


def test_advance_is_called_after_every_update():
    calls = []
    train_extractor(replace(SHORT, updates=5), X, Y, CPU, lambda: calls.append(1))
    assert len(calls) == 5


@pytest.mark.parametrize("updates", [*range(1, 13), 19, 20, 700])
def test_rate_rises_to_its_peak_and_falls(updates):
    rates = [rate_factor(k, updates) for k in range(updates)]
    peak = max(1, updates // 10) - 1
    assert rates[peak] == 1
    assert min(rates) > 0
    assert rates == sorted(rates[: peak + 1]) + sorted(rates[peak + 1 :], reverse=True)
    assert updates < 100 or max(rates[0], rates[-1]) < 0.02


def test_wrong_requests_are_refused():
    with pytest.raises(
        UserError, match=r"evaluation\.feature_extractor\.kind='labels': the pictures have non"
    ):
        train_extractor(LABELS, X, None, CPU)
    with pytest.raises(UserError, match=r"16×12 .* quarter turns need squares; set data\.size"):
        train_extractor(ROTATIONS, X[..., :12], None, CPU)


def test_turns():
    x = torch.arange(40 * 9).view(40, 1, 3, 3)
    torch.manual_seed(0)
    y, quarters_N1 = turned(x)
    assert set(quarters_N1.flatten().tolist()) == {0, 1, 2, 3}
    for before, after, quarters in zip(x, y, quarters_N1.flatten().tolist(), strict=True):
        assert np.array_equal(np.rot90(before[0].numpy(), quarters), after[0].numpy())


def test_shifts_move_the_batch_and_repeat_the_border():
    x = torch.randn(2, 1, 8, 8)
    torch.manual_seed(0)
    moves = set()
    for _ in range(200):
        y = shifted(x)
        (move,) = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(y, x[:, :, clamped(down)][..., clamped(right)])
        ]
        moves.add(move)
    assert len(moves) == 25


def clamped(move):
    return (torch.arange(8) + move).clamp(0, 7)


# ── Measuring ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (17, 3), (28, 1), (32, 3), (64, 3)])
def test_features_of_any_size(size, channels):
    x, _ = spots(5, 1, size, channels)
    features_NF = train_extractor(replace(RANDOM, channels=channels), x, None, CPU).features(x)
    assert features_NF.shape == (5, FEATURES)
    assert features_NF.dtype == torch.float32
    assert not features_NF.requires_grad


def test_features_do_not_depend_on_the_rest_of_the_batch(extractor, monkeypatch):
    """Evaluation mode: no statistics of the batch; and chunks come back in order."""
    whole = extractor.features(X)
    alone = torch.cat([extractor.features(x[None]) for x in X[:20]])
    torch.testing.assert_close(alone, whole[:20], atol=1e-4, rtol=1e-4)
    monkeypatch.setattr(module, "AT_ONCE", 7)
    assert len(X) < AT_ONCE
    torch.testing.assert_close(extractor.features(X), whole, atol=1e-4, rtol=1e-4)
    assert torch.equal(
        extractor.labels(X[:50]), torch.cat([extractor.labels(x[None]) for x in X[:50]])
    )


def test_measuring_changes_nothing(extractor):
    name = f"cnn-{parameters_hash(extractor.network)[:8]}"
    torch.manual_seed(3)
    state = torch.get_rng_state()
    extractor.features(X)
    extractor.accuracy(X, Y)
    assert f"cnn-{parameters_hash(extractor.network)[:8]}" == name == extractor.name
    assert torch.equal(torch.get_rng_state(), state)


def test_the_hash_covers_every_number_that_counts():
    network = FeatureNet(1, (4, 2))
    first = parameters_hash(network)
    for key, value in network.state_dict().items():
        former = value.clone()
        value[(-1,) * value.dim()] += 1e-3 if value.is_floating_point() else 1
        changed = parameters_hash(network) != first
        assert changed == (not key.endswith("num_batches_tracked")), key
        value.copy_(former)
    assert parameters_hash(network) == first


# ── The store ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def trainings(monkeypatch):
    """Counts trainings."""
    calls = []

    def counted(*arguments):
        calls.append(arguments[0])
        return train_extractor(*arguments)

    monkeypatch.setattr(module, "train_extractor", counted)
    return calls


def test_a_kept_extractor_is_not_trained_again(tmp_path, trainings):
    first = cached_extractor(SHORT, X, Y, CPU, tmp_path)
    again = cached_extractor(SHORT, X.clone(), Y.clone(), CPU, tmp_path)
    assert len(trainings) == 1
    assert first.name == again.name == train_extractor(SHORT, X, Y, CPU).name
    assert torch.equal(first.features(X), again.features(X))
    assert torch.equal(first.labels(X), again.labels(X))
    assert len(list(tmp_path.iterdir())) == 1  # nothing half-written stays


def test_whatever_decides_a_extractor_is_in_its_key(tmp_path, trainings, monkeypatch):
    pixel, label = X.clone(), Y.clone()
    pixel[-1, 0, 3, 3] ^= 1
    label[-1, 1] = 1 - label[-1, 1]
    requests = [
        (SHORT, X, Y),
        (SHORT, pixel, Y),
        (SHORT, X, label),
        (SHORT, X.transpose(2, 3), Y),
        (SHORT, X[:200], Y[:200]),
        *[(replace(SHORT, **{name: 3}), X, Y) for name in ("seed", "updates", "batch_size")],
        (replace(ROTATIONS, updates=2), X, None),
        (RANDOM, X, None),
        (RANDOM, X.view(-1, 1, 32, 32), None),  # the same bytes
    ]
    for request in requests:
        cached_extractor(*request, CPU, tmp_path)
    assert len(trainings) == len(requests)
    monkeypatch.setattr(torch, "__version__", "99")
    cached_extractor(SHORT, X, Y, CPU, tmp_path)
    assert len(trainings) == len(requests) + 1
    assert len(list(tmp_path.iterdir())) == len(trainings)  # an entry more, none replaced


def change_a_parameter(entry):
    tree = load_tree(entry)
    tree["parameters"]["hidden.bias"][5] += 1e-3
    save_tree(tree, entry)


def cut_off(entry):
    tensors = entry / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-100])


def take_from_another(entry):
    save_tree({"parameters": {}, "sha256": ""}, entry)


def empty(entry):
    shutil.rmtree(entry)
    entry.mkdir()


def garble(entry):
    (entry / "state.json").write_text("{")


@pytest.mark.parametrize("damage", [change_a_parameter, cut_off, take_from_another, empty, garble])
def test_a_damaged_extractor_is_trained_again(damage, tmp_path, trainings):
    name = cached_extractor(SHORT, X, Y, CPU, tmp_path).name
    (entry,) = tmp_path.iterdir()
    damage(entry)
    assert cached_extractor(SHORT, X, Y, CPU, tmp_path).name == name
    assert len(trainings) == 2
    assert cached_extractor(SHORT, X, Y, CPU, tmp_path).name == name
    assert len(trainings) == 2, "what was damaged is replaced"


def test_a_full_disk_costs_a_extractor_and_nothing_else(tmp_path, trainings):
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, former[1]))  # no file can grow: a full disk
    try:
        name = cached_extractor(SHORT, X, Y, CPU, tmp_path).name
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert list(tmp_path.iterdir()) == []
    assert cached_extractor(SHORT, X, Y, CPU, tmp_path).name == name
    assert len(trainings) == 2


def test_of_two_processes_the_first_to_store_counts(tmp_path, monkeypatch):
    """As if the other process were a machine whose convolutions round differently."""
    first = []

    def train_slowly(spec, x_NCHW, labels_NA, device, advance):
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(module, "train_extractor", train_extractor)
            first.append(cached_extractor(spec, x_NCHW, labels_NA, device, tmp_path))
        return train_extractor(replace(spec, seed=9), x_NCHW, labels_NA, device)

    monkeypatch.setattr(module, "train_extractor", train_slowly)
    second = cached_extractor(SHORT, X, Y, CPU, tmp_path)
    assert second.name == first[0].name
    assert len(list(tmp_path.iterdir())) == 1


def test_training_elsewhere_notices_neither_a_new_extractor_nor_a_kept_one(tmp_path):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    for spec in (SHORT, SHORT, RANDOM, RANDOM):  # each is new, then kept
        cached_extractor(spec, X, Y, CPU, tmp_path)
        assert torch.equal(torch.get_rng_state(), state)


def test_default_folder(tmp_path, trainings, monkeypatch):
    for variable, value, folder in (
        ("SEQGAN_CACHE", tmp_path / "own", tmp_path / "own/feature_extractors"),
        ("HOME", tmp_path / "home", tmp_path / "home/.cache/seqgan/feature_extractors"),
    ):
        monkeypatch.delenv("SEQGAN_CACHE", raising=False)
        monkeypatch.setenv(variable, str(value))
        for _ in range(2):
            cached_extractor(SHORT, X, Y, CPU)
        assert len(list(folder.iterdir())) == 1
    assert len(trainings) == 2


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path):
    (tmp_path / "file").write_text("in the way")
    extractor = cached_extractor(SHORT, X, Y, CPU, tmp_path / "file")
    assert extractor.name == train_extractor(SHORT, X, Y, CPU).name


# ── Real tasks ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.study
@pytest.mark.skipif(not MNIST.is_file(), reason=f"{MNIST} is not here")
def test_mnist():
    arrays = {name: torch.from_numpy(array) for name, array in np.load(MNIST).items()}
    x, labels = arrays["x_train"][:30_000, None], arrays["y_train"][:30_000, None].long()
    start = time.perf_counter()
    extractor = train_extractor(ExtractorSpec("labels", (10,), channels=1), x, labels, CPU)
    assert time.perf_counter() - start < 60  # 18 s on an idle core
    (accuracy,) = extractor.accuracy(arrays["x_test"][:, None], arrays["y_test"][:, None].long())
    assert accuracy >= 0.985


@pytest.mark.study
@pytest.mark.parametrize("palette", ["day", "night"])
def test_faces(palette):
    (x, labels), (test_x, test_labels) = (
        (draw_faces(labels_NA, 32, palette, seed), labels_NA)
        for seed, labels_NA in ((1, sample_labels(10_000, 1)), (2, sample_labels(4_000, 2)))
    )
    spec = ExtractorSpec("labels", LABEL_SIZES, channels=3, updates=200)
    assert min(train_extractor(spec, x, labels, CPU).accuracy(test_x, test_labels)) >= 0.99
