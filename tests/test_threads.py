"""Threads that wait for one another do not spin for long, whatever is the first import of ours."""

import os
import subprocess
import sys

import pytest

OWN = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter, in which nobody has set how threads wait but `variables`."""
    environment = {name: value for name, value in os.environ.items() if name not in OWN}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment | variables,
    )


SHOW = "; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"


@pytest.mark.parametrize("module", ["seqgan", "seqgan.cli", "seqgan.study_child"])
def test_it_is_set_before_torch_is_loaded(module: str) -> None:
    assert python("-c", f"import os, sys, {module}{SHOW}").stdout.split() == ["1000", "False"]


@pytest.mark.parametrize(
    ("own", "expected"),
    [({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")],
    ids=["spincount", "policy"],
)
def test_what_a_person_has_set_stays(own: dict[str, str], expected: str) -> None:
    assert python("-c", f"import os, sys, seqgan{SHOW}", **own).stdout.split()[0] == expected


def test_openmp_reads_it() -> None:
    """libgomp says when it is loaded what it goes by; other OpenMPs do not know the variable."""
    told = python("-c", "import seqgan.decoding", OMP_DISPLAY_ENV="VERBOSE").stderr
    if "GOMP_SPINCOUNT" not in told:
        pytest.skip("this torch has another OpenMP than GNU's")
    assert "GOMP_SPINCOUNT = '1000'" in told
