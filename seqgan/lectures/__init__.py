"""The ideas of a course on GANs, each as one command: `seqgan lecture N`. See docs/lectures.md."""

MODULES = (
    "generators",
    "futures",
    "latent",
    "adversaries",
    "alone",
    "codes",
    "pixels",
    "divergences",
    "modes",
    "conditions",
    "sequences",
    "growing",
)
"""Modules with ideas, by subject; each has `IDEAS`."""
