"""`python -m tests.guards record FOLDER` and `… compare BEFORE AFTER`; see the package."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}  # read when torch is imported

from .compare import differences

_PARTS = ("configurations", "combinations", "runs", "messages")


def _record(folder: Path) -> int:
    """Record everything; 1 where a tiny run failed."""
    import torch

    from .command import REPOSITORY
    from .configurations import record_combinations, record_shipped
    from .messages import record_messages
    from .runs import record_runs

    torch.set_num_threads(1)
    folder.mkdir(parents=True)
    configs, tests = REPOSITORY / "configs", REPOSITORY / "tests"
    with tempfile.TemporaryDirectory() as name:
        place = Path(name).resolve()
        os.environ["SEQGAN_CACHE"] = str(place / "cache")
        runs = _timed(folder, "runs", lambda: record_runs(place, configs))
        _timed(folder, "configurations", lambda: record_shipped(place, configs))
        _timed(folder, "combinations", lambda: record_combinations(place))
    _timed(folder, "messages", lambda: record_messages(tests))
    failed = [name for name, run in runs.items() if run["status"] != 0]
    failed += [
        f"{name}: {command}"
        for name, run in runs.items()
        for command, output in run.get("commands", {}).items()
        if output["status"] != 0
    ]
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    return 1 if failed else 0


def _timed(folder: Path, part: str, record: Any) -> Any:
    began = time.monotonic()
    found = record()
    text = json.dumps(found, indent=1, ensure_ascii=False)
    (folder / f"{part}.json").write_text(text, encoding="utf-8", errors="backslashreplace")
    print(f"{part}: {len(found)} in {time.monotonic() - began:.0f} s", flush=True)
    return found


def _read(folder: Path) -> dict[str, Any]:
    return {
        part: json.loads((folder / f"{part}.json").read_text(encoding="utf-8")) for part in _PARTS
    }


def _compare(before: Path, after: Path) -> int:
    """Print what differs; 1 where anything does."""
    lines, notes = differences(_read(before), _read(after))
    for note in notes:
        print(f"note: {note}")
    for line in lines:
        print(line)
    print(f"{len(lines)} differences" if lines else "equal")
    return 1 if lines else 0


def _main(words: list[str]) -> int:
    if len(words) == 2 and words[0] == "record":
        return _record(Path(words[1]))
    if len(words) == 3 and words[0] == "compare":
        return _compare(Path(words[1]), Path(words[2]))
    print("usage: python -m tests.guards record FOLDER | compare BEFORE AFTER", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
