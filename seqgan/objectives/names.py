"""Names of losses and rewards, as a configuration writes them and their formulas read them."""

from typing import Literal

DivergenceName = Literal[
    "minimax", "non_saturating", "lsgan", "hinge", "wgan", "rsgan", "cooperative"
]
FDivergenceName = Literal["kl", "reverse_kl", "pearson", "hellinger", "js", "gan"]
LabelsOf = Literal["both", "real", "generated"]
RewardName = Literal["objective", "prob", "log_prob", "logit", "centred", "ratio"]
