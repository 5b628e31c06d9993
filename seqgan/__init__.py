"""seqgan: a laboratory for adversarial sequence generation."""

__version__ = "0.1.0"
