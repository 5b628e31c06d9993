"""Names of metrics. What a trained network measures carries its name: `fid@cnn-1a2b3c4d`.

Numbers by different networks cannot be compared, and so they have different names. Where a person
names a metric, in a selection rule or a study, the part before the @ is enough.
"""

from collections.abc import Iterable

CERTIFICATE = "certificate"
CRITIC_METRICS = ("critic_accuracy", "critic_calibration", CERTIFICATE)
"""What is measured of a critic that is a density ratio; see `evaluation/corrected.py`."""


def base(name: str) -> str:
    """`fid` of `fid@cnn-1a2b3c4d`."""
    return name.partition("@")[0]


def find(wanted: str, known: Iterable[str]) -> str | None:
    """The known name that is meant: the exact one, else the first with the wanted base."""
    names = list(known)
    if wanted in names:
        return wanted
    return next((name for name in names if base(name) == wanted), None)
