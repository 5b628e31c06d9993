"""The ideas of a course on GANs, each as one command: `seqgan lecture N`. See docs/lectures.md."""

MODULES = (
    "generators",
    "adversaries",
    "alone",
    "codes",
    "divergences",
    "modes",
    "conditions",
    "sequences",
    "growing",
)
"""Modules with ideas, by subject; each has `IDEAS`."""
