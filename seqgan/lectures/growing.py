"""Ideas on networks that grow, and on the family of GANs."""

from seqgan.lectures.idea import Idea

IDEAS: tuple[Idea, ...] = ()
