"""Ideas on networks as generators: 1, 3 and 4."""

import math
from pathlib import Path

from playing import play_quickly

from seqgan.lectures.generators import stays_above_half


def test_the_same_noise_is_the_same_sample(tmp_path: Path) -> None:
    found = play_quickly(1, tmp_path).findings
    certain = [finding for finding in found if " z" in finding.what.en]
    assert len(certain) == 4
    assert all(finding.holds for finding in certain)


def test_any_critic_gives_one_number_for_a_face(tmp_path: Path) -> None:
    found = play_quickly(3, tmp_path).findings
    assert [f.value for f in found if "numbers per picture" in f.what.en] == [1, 1]


def test_milestones_are_of_the_generators_updates(tmp_path: Path) -> None:
    played = play_quickly(4, tmp_path)
    # Two updates draw no eyes.
    assert [finding.value for finding in played.findings] == [0, 0, 0, math.inf, math.inf]


def test_a_share_that_falls_again_does_not_stay() -> None:
    assert stays_above_half([10, 20, 30, 40], [0.6, 0.4, 0.5, 0.9]) == 30
    assert stays_above_half([10, 20], [0.6, 0.4]) == math.inf
