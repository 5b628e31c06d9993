"""The ideas of a course on GANs, each as one command: `seqgan lecture N`. See docs/lectures.md."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
"""Where configs/ and docs/ are: lectures run from a clone."""

MODULES = (
    "generators",
    "futures",
    "latent",
    "adversaries",
    "alone",
    "argmax",
    "codes",
    "pixels",
    "stalled",
    "divergences",
    "disjoint",
    "transport",
    "modes",
    "scores",
    "memory",
    "comparisons",
    "conditions",
    "unpaired",
    "structure",
    "sequences",
    "growing",
    "zoo",
)
"""Modules with ideas, by subject; each has `IDEAS`."""
