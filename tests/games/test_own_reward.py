"""A reward of one's own: what it is shown, and what it may return."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from seqgan.core.errors import UserError
from seqgan.games.own_reward import OwnReward

IDS = torch.tensor([[1, 2, 0, 0], [0, 0, 0, 0], [3, 1, 2, 1]])
MASK = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]).bool()


class Listening:
    """Keeps what it is shown."""

    def __init__(self, reads: str | None = None) -> None:
        self.shown: Any = None
        if reads is not None:
            self.reads = reads

    def __call__(self, sentences: list[Any]) -> list[float]:
        self.shown = sentences
        return [1.0, 2.0, 3.0]


class Words:
    """A tokenizer that can decode, and nothing else."""

    def decode(self, ids: list[int]) -> str:
        return " ".join("abcd"[i] for i in ids)


@pytest.mark.parametrize(
    ("reads", "tokenizer", "expected"),
    [
        (None, Words(), ["b c", "", "d b c b"]),
        ("text", None, ["1 2", "", "3 1 2 1"]),
        ("ids", Words(), [[1, 2], [], [3, 1, 2, 1]]),
    ],
)
def test_sentences_end_before_the_end_token(reads: Any, tokenizer: Any, expected: Any) -> None:
    function = Listening(reads)
    value_B = OwnReward(function, 0, tokenizer)(IDS, MASK)
    assert function.shown == expected
    assert value_B.tolist() == [1.0, 2.0, 3.0]
    assert value_B.dtype == torch.float32


def test_a_class_is_made_once() -> None:
    reward = OwnReward(Listening, 0, None)
    assert reward(IDS, MASK).tolist() == reward(IDS, MASK).tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda lines: [1.0], "returned 1 numbers for 3 sentences; return one for each"),
        (lambda lines: [[1.0]] * 3, "returned 3 x 1 numbers for 3 sentences"),
        (lambda lines: 1.0, "returned one numbers for 3 sentences"),
        (lambda lines: None, "returned NoneType; return 3 numbers"),
        (lambda lines: ["a", "b", "c"], "returned list of str; return 3 numbers"),
        (lambda line: len(line.split()) / 9, r"failed.*'split'; it is given a list of all 3 sen"),
        (lambda lines: [0.0, float("nan"), 0.0], "returned nan for sentence 1; rewards have"),
        (lambda lines: 1 / 0, r"failed in .*test_own_reward.py, line \d+: ZeroDivisionError: div"),
    ],
)
def test_other_values_are_one_line(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^game.scorer=x:y: {message}") as caught:
        OwnReward(function, 0, None, "game.scorer=x:y")(IDS, MASK)
    assert "\n" not in str(caught.value)


def test_a_class_that_needs_arguments_is_refused() -> None:
    class Needy:
        def __init__(self, path: str, top: int = 3) -> None:
            raise AssertionError

    with pytest.raises(UserError) as caught:
        OwnReward(Needy, 0, None, "game.scorer=x:Needy")
    assert str(caught.value) == (
        "game.scorer=x:Needy: the class Needy is made without arguments (missing a required "
        "argument: 'path'); give each a default"
    )


def test_what_it_reads_is_one_of_two() -> None:
    with pytest.raises(UserError, match="reads='words'; set it to 'text' or 'ids'"):
        OwnReward(Listening("words"), 0, None)
