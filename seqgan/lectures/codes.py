"""Ideas on codes: autoencoders, and generators taught by examples."""

from seqgan.lectures.idea import Idea

IDEAS: tuple[Idea, ...] = ()
