"""The judge: repeatable, named after its parameters, honest about what it keeps on disk."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.evaluation import judge as judges
from seqgan.evaluation.judge import Judge, JudgeSpec, cached_judge, train_judge

CPU = torch.device("cpu")
SPEC = JudgeSpec("labels", (2, 3), 1, updates=60, batch_size=32)


def bars(rows: int = 240, size: int = 16) -> tuple[Tensor, Tensor]:
    """Noise with a bright bar: upright or flat, in the first, second or third part."""
    random = torch.Generator().manual_seed(0)
    x = torch.randint(0, 60, (rows, 1, size, size), dtype=torch.uint8, generator=random)
    way = torch.randint(2, (rows,), generator=random)
    part = torch.randint(3, (rows,), generator=random)
    for row in range(rows):
        first = int(part[row]) * 5 + 1
        picture = x[row, 0] if way[row] else x[row, 0].T
        picture[first : first + 3] = 250
    return x, torch.stack([way, part], 1)


def digits(spec: JudgeSpec = SPEC) -> Judge:
    x, labels = bars()
    return train_judge(spec, x, labels, CPU)


@pytest.fixture(scope="module")
def trained() -> Judge:
    return digits()


def test_training_is_repeatable_and_leaves_the_global_stream_alone(trained: Judge) -> None:
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    again = digits()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert again.name == trained.name
    assert trained.name.startswith("cnn-")
    assert len(trained.name) == len("cnn-") + 8


@pytest.mark.parametrize("change", [{"seed": 1}, {"updates": 61}])
def test_another_judge_has_another_name(change: dict[str, Any], trained: Judge) -> None:
    spec = JudgeSpec("labels", (2, 3), 1, **{"updates": 60, "batch_size": 32, **change})
    assert digits(spec).name != trained.name


def test_it_learns_every_label_of_fresh_pictures(trained: Judge) -> None:
    x, labels = bars(400)
    assert min(trained.accuracy(x[240:], labels[240:])) > 0.9
    wrong = (labels[240:] + 1) % torch.tensor([2, 3])
    assert max(trained.accuracy(x[240:], wrong)) < 0.1


def test_features_do_not_depend_on_the_company(
    trained: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, _ = bars(50)
    whole = trained.features(x)
    assert whole.shape == (50, 128)
    assert whole.dtype == torch.float32
    monkeypatch.setattr(judges, "AT_ONCE", 7)
    torch.testing.assert_close(trained.features(x), whole, rtol=1e-4, atol=1e-5)


def test_rotations_are_learned_without_labels() -> None:
    x, labels = bars()
    one_way = x[labels[:, 0] == 1]  # a bar in the upper part, say: turned, it lies elsewhere
    first = one_way[bars()[1][labels[:, 0] == 1][:, 1] == 0]
    spec = JudgeSpec("rotations", (), 1, updates=80, batch_size=32)
    judge = train_judge(spec, first, None, CPU)
    assert judge.name.startswith("rotnet-")
    assert not judge.reads_labels
    turned, quarters = judges.turned(judges.to_unit(first.repeat(4, 1, 1, 1)))
    _, (logits,) = judge.network(turned)
    assert float((logits.argmax(1) == quarters[:, 0]).float().mean()) > 0.9


def test_turns_are_what_they_say() -> None:
    x = torch.rand(200, 1, 4, 4)
    turned, quarters = judges.turned(x)
    for picture, source, quarter in zip(turned, x, quarters[:, 0], strict=True):
        assert torch.equal(picture, source.rot90(int(quarter), (1, 2)))
    assert set(quarters.flatten().tolist()) == {0, 1, 2, 3}


def test_a_random_judge_needs_no_training() -> None:
    x, _ = bars(20)
    judge = train_judge(JudgeSpec("random", (), 1), x, None, CPU)
    assert judge.name.startswith("randconv-")
    features = judge.features(x)
    assert features.isfinite().all()
    assert float(features.std(0).max()) > 0


def test_labels_are_needed_for_labels() -> None:
    with pytest.raises(UserError, match=r"evaluation\.judge\.kind"):
        train_judge(SPEC, bars()[0], None, CPU)


# ── The store ─────────────────────────────────────────────────────────────────────────────────


def cached(folder: Path, rows: int = 240) -> Judge:
    x, labels = bars()
    return cached_judge(SPEC, x[:rows], labels[:rows], CPU, folder)


def test_a_judge_is_trained_once(
    tmp_path: Path, trained: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cached(tmp_path)
    assert first.name == trained.name

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("trains again")

    monkeypatch.setattr(judges, "train_judge", refuse)
    second = cached(tmp_path)
    assert second.name == first.name
    x, _ = bars(20)
    assert torch.equal(second.features(x), first.features(x))
    with pytest.raises(AssertionError, match="trains again"):
        cached(tmp_path, rows=239)  # other pictures, another judge


def test_what_is_damaged_is_trained_again(tmp_path: Path, trained: Judge) -> None:
    cached(tmp_path)
    (entry,) = tmp_path.iterdir()
    tensors = entry / "tensors.safetensors"
    data = bytearray(tensors.read_bytes())
    data[-4] ^= 0xFF  # a parameter, not the header
    tensors.write_bytes(bytes(data))
    assert cached(tmp_path).name == trained.name
    tensors.write_bytes(b"")
    assert cached(tmp_path).name == trained.name
    (entry / "state.json").unlink()
    assert cached(tmp_path).name == trained.name


def test_a_store_that_cannot_be_written_costs_time_only(tmp_path: Path, trained: Judge) -> None:
    (tmp_path / "file").write_text("")
    assert cached(tmp_path / "file" / "below").name == trained.name


def test_the_name_is_the_parameters(trained: Judge) -> None:
    before = judges.parameters_hash(trained.network)
    with torch.no_grad():
        next(trained.network.parameters())[0] += 1e-6
    assert judges.parameters_hash(trained.network) != before
