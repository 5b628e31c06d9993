"""Ideas on generators that are told what to make."""

from seqgan.lectures.idea import Idea

IDEAS: tuple[Idea, ...] = ()
