"""Runs with networks and a tokenizer of the transformers library, through the command line."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("transformers", reason="pip install 'seqgan[hf]'")

from tiny_networks import write_byte_tokenizer, write_network
from tiny_runs import assert_same_tree, last_checkpoint, text_data, train

from seqgan.cli import run


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A tiny language model with its tokenizer as the generator, and again as the critic."""
    folder = tmp_path_factory.mktemp("hf")
    tokenizer = write_byte_tokenizer(folder / "tokenizer")
    network = write_network("gpt2", folder / "network", vocab_size=270, n_positions=31)
    data = text_data(folder / "text.txt")["data"]
    return {
        "data": {**data, "length": 30, "tokenizer": {"name": "hf", "path": tokenizer}},
        "generator": {"name": "hf", "path": network, "lora": {"rank": 2}},
        "critic": {"name": "hf", "path": network, "kind": "causal"},
        "schedule": [{"repeat": 2, "phases": {"mle": 1, "critic": 1, "generator": 1}}],
    }


@pytest.fixture(scope="module")
def finished(parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("hf-run") / "tiny", parts)


def test_adapters_train_and_the_network_under_them_stands_still(parts, finished) -> None:
    found = last_checkpoint(finished)["players"]["generator"]["module"]
    given = load_file(Path(parts["generator"]["path"]) / "model.safetensors")
    for name, value in found.items():
        if "lora_B" in name:
            assert value.abs().max() > 0, name
        elif "lora_A" not in name and "lm_head" not in name:  # which is the embedding again
            original = name.removeprefix("network.").replace(".base_layer", "")
            assert torch.equal(value, given[original]), name


def test_all_of_the_critic_trains(parts, finished) -> None:
    found = last_checkpoint(finished)["players"]["critic"]["module"]
    given = load_file(Path(parts["critic"]["path"]) / "model.safetensors")
    for name, value in given.items():
        trunk = name.removeprefix("transformer.")
        assert not torch.equal(found[f"network.{trunk}"], value), name


def test_an_unbroken_run_equals_one_that_was_resumed(parts, finished, tmp_path: Path) -> None:
    half = {**parts, "schedule": [{"repeat": 1, "phases": parts["schedule"][0]["phases"]}]}
    broken = train(tmp_path / "tiny", half)
    assert run(["train", "--resume", str(broken), "schedule[0].repeat=2"]) == 0
    states = [last_checkpoint(folder) for folder in (broken, finished)]
    assert_same_tree(*[{**state, "seconds": 0} for state in states])


def test_a_finished_run_writes_sentences(finished, capsys) -> None:
    assert run(["sample", str(finished), "-n", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
