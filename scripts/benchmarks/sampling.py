"""Rewards, samples and Self-BLEU."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.naive import (
    NaiveCritic,
    NaiveGenerator,
    build_cnn,
    build_lstm,
    check_distributions,
    naive_returns,
    prob_reward,
    reward_z,
    score_difference,
)
from benchmarks.sizes import Sizes
from benchmarks.timing import Json, alternate, ratio, summary
from seqgan.core.text_files import read_lines
from seqgan.decoding import Ancestral, continuations, sample
from seqgan.estimators.credit import RewardedRollout
from seqgan.estimators.rollout import Rollout as RolloutCredit
from seqgan.metrics.corpus import Corpus
from seqgan.metrics.exact_bleu import self_bleu


@torch.no_grad()
def bench_reward(sizes: Sizes, device: torch.device) -> Json:
    """One reward pass, and the evidence that both sides compute the same."""
    generator = build_lstm(sizes.space, device)
    critic = build_cnn(sizes).to(device).eval()
    naive_generator, naive_critic = NaiveGenerator(generator), NaiveCritic(critic)
    copies = sizes.copies
    rollout = sample(generator, sizes.space, sizes.batch, Ancestral())
    given = RewardedRollout(rollout, prob_reward(critic), generator, sizes.space)
    found: dict[str, Tensor] = {}

    def ours() -> None:
        found["ours"] = RolloutCredit(copies)(given)

    def naive() -> None:
        found["naive"] = naive_returns(naive_generator, naive_critic, rollout.ids_BT, copies)

    RolloutCredit(1)(given)  # warm up
    naive_returns(naive_generator, naive_critic, rollout.ids_BT[:1], 1)
    result = ratio(alternate({"naive": naive, "ours": ours}, sizes.repeats, device))
    ids_PNBT = continuations(generator, sizes.space, rollout, 1, Ancestral())
    result["checks"] = {
        "score_difference": score_difference(critic, ids_PNBT.flatten(0, 2)),
        "mean_return": {name: float(values.mean()) for name, values in found.items()},
        "mean_return_z": reward_z(found["ours"], found["naive"]),
        **check_distributions(sizes, device),
    }
    return result


@torch.no_grad()
def bench_sampling(sizes: Sizes, device: torch.device) -> Json:
    """The naive side works in batches of 64, at which it is fastest."""
    generator = build_lstm(sizes.space, device)
    naive_generator = NaiveGenerator(generator)

    def ours() -> None:
        sample(generator, sizes.space, sizes.samples, Ancestral())

    def naive() -> None:
        for first in range(0, sizes.samples, sizes.batch):
            naive_generator.sample(min(sizes.batch, sizes.samples - first), sizes.length)

    sample(generator, sizes.space, sizes.batch, Ancestral())  # warm up
    naive_generator.sample(sizes.batch, 2)
    return ratio(alternate({"naive": naive, "ours": ours}, sizes.repeats, device))


def bench_self_bleu(sizes: Sizes, captions: Path | None) -> Json:
    corpus = read_captions(captions, sizes.captions) if captions else zipf_captions(sizes.captions)
    runs = alternate({"self_bleu": lambda: self_bleu(corpus)}, sizes.repeats, torch.device("cpu"))
    return {**summary(runs["self_bleu"]), "captions": len(corpus), "words": len(corpus.ids)}


def zipf_captions(rows: int) -> Corpus:
    """Captions of 7 to 16 words, ranked like natural ones: p(word k) ∝ 1/k over 5,000 words."""
    random = np.random.default_rng(0)
    share = 1 / np.arange(1, 5001)
    lengths = random.integers(7, 17, rows)
    ids = random.choice(len(share), lengths.sum(), p=share / share.sum())
    return Corpus(ids.astype(np.int64), lengths)


def read_captions(path: Path, rows: int) -> Corpus:
    """The first `rows` lines, in lower case, split at spaces."""
    known: dict[str, int] = {}
    lines = [line.lower().split() for line in read_lines(path)[:rows]]
    return Corpus.from_lists([[known.setdefault(w, len(known)) for w in line] for line in lines])
