"""seqgan: a laboratory for adversarial sequence generation."""
