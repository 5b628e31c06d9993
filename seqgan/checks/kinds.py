"""What goes together by kind: games, phases, data and estimators."""

UNPAIRED_TEXT = ("cipher", "events", "language_pair", "unpaired_text")
"""Data with two kinds of text."""

PROMPTED = ("conditional_oracle", "prompted_text")
"""Data whose sequences come with prompts."""

PHASES = {
    "mle": ("mle",),
    "adversarial": ("mle", "copy_critic", "critic", "generator", "evolve"),
    "conditional": ("mle", "copy_critic", "critic", "generator", "evolve"),
    "infill": ("mle", "critic", "generator"),
    "reward": ("mle", "generator"),
    "jsdgan": ("mle", "generator"),
    "dgsan": ("mle", "generator", "snapshot"),
    "autoencode": ("reconstruct",),
    "cycle": ("critic", "generator", "denoise", "reconstruct", "language_model"),
    "paired": ("mle",),
}
"""The phases that each game knows."""

SENTENCE_GAMES = ("mle", "adversarial", "infill", "reward", "jsdgan", "dgsan")
"""Games on sequences of one kind without conditions."""

GAMES = {
    **dict.fromkeys(("oracle", "text", "huggingface"), SENTENCE_GAMES),
    "points": ("adversarial", "autoencode"),
    "pictures": ("adversarial", "conditional", "autoencode"),
    "unpaired": ("cycle",),
    **dict.fromkeys(UNPAIRED_TEXT, ("cycle", "paired")),
    **dict.fromkeys(PROMPTED, ("mle", "conditional")),
}
"""The games that can be played on each kind of data."""

CYCLE_ESTIMATORS = (
    "pathwise",
    "score_function",
    "softmax",
    "soft_gumbel",
    "straight_through_gumbel",
    "straight_through",
    "gumbel_rao",
    "gapped",
    "reinmax",
    "zero_temperature",
    "detached",
)
"""Estimators that can carry rewards through the middle of a cycle."""

FIXED_REWARD_ESTIMATORS = (
    "score_function",
    "ppo",
    "grpo",
    "relax",
    "rao_blackwell",
    "unordered_set",
)
"""Estimators that ask a reward for the worth of hard sentences, and for nothing else."""

INFILL_ESTIMATORS = ("score_function", "ppo", "grpo")
"""Estimators whose critic reads tokens, not soft rows, which have no blank."""

DIRECT_DATA = ("points", "pictures", "unpaired")
"""Data whose samples are made in one pass, with a gradient all the way."""
