"""The full-scale distillation configuration, end to end on a tiny random network of a folder."""

import json
from pathlib import Path

import pytest
import torch
from tiny_runs import assert_same_run, last_checkpoint, metric_lines

pytest.importorskip("transformers", reason="pip install 'seqgan[hf]'")

from enumeration import mask_of, step_logits
from tiny_networks import LINES, write_byte_tokenizer, write_network

from seqgan.cli import run
from seqgan.core.types import SequenceSpace
from seqgan.models.config import HfGeneratorConfig


@pytest.fixture(autouse=True)
def peft() -> None:
    """Takes seconds to import: not while tests are collected."""
    pytest.importorskip("peft", reason="pip install 'seqgan[hf]'")


CONFIG = Path(__file__).parents[2] / "configs/conditional/distillation_hf_gpu.yaml"
TINY = [
    "device=cpu",
    "data.prompt_length=12",
    "data.length=10",
    "data.overlong=truncate",
    "generator.lora.rank=2",
    "estimator.samples=2",
    "schedule.0.repeat=3",
    "schedule.1.repeat=2",
    "schedule.2.repeat=2",
    "train.batch_size=4",
    "train.precision=float32",
    "train.max_minutes=null",
    "train.log_every=1",
    "train.eval_every=4",
    "train.checkpoint_every=5",
    "train.tensorboard=false",
    "train.threads=1",
    "evaluation.samples=6",
    "evaluation.samples_during_training=4",
]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a network and a tokenizer of bytes."""
    folder = tmp_path_factory.mktemp("network")
    write_byte_tokenizer(folder)
    return write_network(
        "gpt2", folder, vocab_size=270, bos_token_id=0, eos_token_id=0, n_positions=32
    )


@pytest.fixture(scope="module")
def finished(network: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gad")
    rows = [{"prompt": f"{n} {line}", "response": line} for n in range(20) for line in LINES]
    (folder / "teacher.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(["train", str(CONFIG), *words(network, folder, "run")]) == 0
    return folder


def words(network: str, folder: Path, name: str) -> list[str]:
    paths = [f"{part}.path={network}" for part in ("data.tokenizer", "generator", "critic")]
    files = [f"data.source.path={folder / 'teacher.jsonl'}", f"run.dir={folder / name}"]
    return [*paths, *files, *TINY]


def test_both_warm_ups_and_the_game_are_played(finished: Path) -> None:
    lines = metric_lines(finished / "run")
    assert last_checkpoint(finished / "run")["step"] == 9
    names = {name for line in lines for name in line}
    assert {"generator/loss", "generator/return", "critic/accuracy"} <= names
    result = json.loads((finished / "run" / "evaluation.json").read_text())
    assert {"nll_test", "rougeL", "nll_shuffled"} <= set(result["rows"][0]["metrics"])


def test_only_the_students_adapters_are_trained(finished: Path) -> None:
    state = last_checkpoint(finished / "run")["players"]["generator"]["module"]
    first = {name for name in state if "lora_B" in name}
    assert first
    assert any(state[name].abs().max() > 0 for name in first)  # they begin as zeros


def test_a_stopped_distillation_goes_on_bit_for_bit(finished: Path, network: str) -> None:
    stopped = [*words(network, finished, "stopped"), "train.max_minutes=1e-9"]
    assert run(["train", str(CONFIG), *stopped]) == 0
    assert last_checkpoint(finished / "stopped")["step"] == 1
    assert run(["train", "--resume", str(finished / "stopped"), "train.max_minutes=null"]) == 0
    assert_same_run(finished / "run", finished / "stopped")


def test_the_student_answers(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (finished / "asked.txt").write_text("the cat\n\na dog sat on the mat and on the cat\n")
    asked = ["--input", str(finished / "asked.txt")]
    capsys.readouterr()
    assert run(["transform", str(finished / "run"), *asked]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 3
    assert captured.err.endswith("2 lines answered, 1 empty, 1 cut (the first is line 3)\n")
    assert run(["sample", str(finished / "run"), "-n", "3"]) == 0
    assert all("  →  " in line for line in capsys.readouterr().out.splitlines())


def test_a_prompt_read_at_once_is_one_read_by_steps(network: str) -> None:
    space = SequenceSpace(vocab_size=270, length=4, end_id=0, prompt=3)
    config = HfGeneratorConfig(name="hf", path=network)
    generator = config.build(space).eval()
    ids_BT, cond = torch.tensor([[5, 9, 0, 0], [7, 7, 8, 3]]), torch.tensor([[0, 4, 6], [3, 2, 1]])
    rows = [torch.tensor([[4, 6, 5, 9, 0, 0]]), torch.tensor([[3, 2, 1, 7, 7, 8, 3]])]
    whole = torch.cat([step_logits(generator.inner, row)[:, -4:] for row in rows])
    torch.testing.assert_close(generator(ids_BT, cond), whole, atol=1e-4, rtol=1e-4)
    out = generator.start(2, cond)
    for t in range(4):
        torch.testing.assert_close(out.logits_BV, whole[:, t], atol=1e-4, rtol=1e-4)
        out = generator.step(ids_BT[:, t], out.state)
    assert mask_of(ids_BT, 0).sum() == 7
