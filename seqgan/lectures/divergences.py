"""Ideas on what the players' game measures."""

from seqgan.lectures.idea import Idea

IDEAS: tuple[Idea, ...] = ()
