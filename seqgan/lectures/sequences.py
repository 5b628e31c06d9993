"""Ideas on discrete tokens and structures."""

from seqgan.lectures.idea import Idea

IDEAS: tuple[Idea, ...] = ()
