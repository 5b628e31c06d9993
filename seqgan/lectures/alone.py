"""Ideas on one player without the other."""

from seqgan.lectures.idea import Idea

IDEAS: tuple[Idea, ...] = ()
