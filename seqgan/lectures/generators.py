"""Ideas on networks as generators, and on their noise."""

from seqgan.lectures.idea import Idea

IDEAS: tuple[Idea, ...] = ()
