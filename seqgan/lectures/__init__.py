"""The ideas of a course on GANs, each as one command: `seqgan lecture N`. See docs/lectures.md."""

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
