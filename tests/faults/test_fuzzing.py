"""Seeded fuzzing of every reader: success, or one line for people. Nothing else ever.

2,000 inputs here, 50,000 in the long form (`./scripts/test --study -k fuzzing`). An input follows
from its reader's name and its number, and one that fails is kept.
"""

import re
import shutil
import traceback
from pathlib import Path
from random import Random

import pytest
from hub_targets import HUB_TARGETS
from reader_targets import TARGETS, bytes_for, copy_run

from seqgan.core.errors import UserError

INTERNALS = re.compile(
    r"Traceback|\bat 0x|<\w+ object|Errno|<class|<unicode|std::|\w+\.(cc|rs|pyx?)[:(]|"
    r"site-packages|omegaconf|pydantic|full_key|object_type|codec can't|NoneType|__\w+__\(|torch\.|"
    r"allow_pickle|invalid literal|unhashable|subscriptable|unexpected keyword|"
    r"set_int_max_str_digits"
)
"""What only a library, or a mistake of ours, puts into a message."""


def complaint(name: str, data: bytes, folder: Path) -> str | None:
    """What is wrong with how an input was taken; None if nothing is."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        (TARGETS | HUB_TARGETS)[name].read(folder, data)
    except UserError as error:
        message = str(error)
        found = INTERNALS.search(message)
        if "\n" in message or "\r" in message:
            return f"several lines: {message!r}"
        if len(message) > 1_200:
            return f"too long: {message[:200]!a}…"
        if any("\ud800" <= character <= "\udfff" for character in message):
            return f"no text: {message!a}"
        return f"internals ({found[0]}): {message}" if found else None
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:200]} ({place.filename}:{place.lineno})"
    return None


@pytest.mark.parametrize("name", TARGETS)
def test_readers_succeed_or_say_what_is_wrong_on_one_line(
    name: str, tmp_path: Path, finished_run: Path
) -> None:
    fuzz(name, 1, tmp_path, finished_run)


@pytest.mark.study
@pytest.mark.parametrize("name", [*TARGETS, *HUB_TARGETS])
def test_and_so_they_do_in_the_long_run(
    name: str, tmp_path: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in HUB_TARGETS:
        pytest.importorskip("transformers", reason="pip install 'seqgan[hf]'")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    fuzz(name, 25, tmp_path, finished_run)


def fuzz(name: str, times: int, tmp_path: Path, finished_run: Path) -> None:
    target = (TARGETS | HUB_TARGETS)[name]
    run = copy_run(finished_run, tmp_path / "run")
    seeds = target.seeds(run)
    wrong = []
    for number in range(target.inputs * times):
        data = bytes_for(target, seeds, Random(f"{name} {number}"))
        found = complaint(name, data, tmp_path / "input")
        if found is not None:
            kept = tmp_path / f"{name}-{number}"
            kept.write_bytes(data)
            wrong.append(f"{kept}: {found}")
    assert not wrong, f"{len(wrong)} of {target.inputs * times}:\n" + "\n".join(wrong[:20])
