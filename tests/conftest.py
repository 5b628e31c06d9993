"""Fixtures that tests of several packages share."""

import os
import tempfile
from pathlib import Path

import pytest
import torch
from tiny_runs import text_data, train

torch.set_num_threads(1)  # tests are tiny and run side by side
# What is kept between runs is kept between tests too, and nowhere else.
os.environ["SEQGAN_CACHE"] = os.path.join(tempfile.gettempdir(), f"seqgan-tests-{os.getuid()}")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run on an oracle. To be read only."""
    return train(tmp_path_factory.mktemp("finished") / "tiny")


@pytest.fixture(scope="session")
def finished_text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run on text whose file is gone since. To be read only."""
    folder = tmp_path_factory.mktemp("text")
    run = train(folder / "tiny", text_data(folder / "corpus.txt"))
    (folder / "corpus.txt").unlink()
    return run
