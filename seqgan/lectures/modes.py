"""Ideas on what a generator leaves out, and on scores of its samples."""

from seqgan.lectures.idea import Idea

IDEAS: tuple[Idea, ...] = ()
