"""The critic that scores every token that may come next."""

import pytest
import torch
import torch.nn.functional as F

from seqgan.core.types import SequenceSpace
from seqgan.models.config import ActionCriticConfig
from seqgan.models.critics.action import ActionCritic

SPACE = SequenceSpace(vocab_size=5, length=4)
MASK = torch.ones(6, 4, dtype=torch.bool)


def make(reads: str) -> ActionCritic:
    torch.manual_seed(0)
    config = ActionCriticConfig.model_validate(
        {"name": "action", "reads": reads, "embed": 3, "hidden": 4}
    )
    critic = config.build(SPACE)
    assert isinstance(critic, ActionCritic)
    return critic


@pytest.mark.parametrize("reads", ["logits", "log_likelihood", "surprise"])
def test_the_score_is_that_of_the_token_that_stands_there(reads) -> None:
    critic, ids_BT = make(reads), torch.randint(5, (6, 4))
    scores = critic(ids_BT, MASK)
    assert scores.q_BTV is not None
    assert torch.equal(scores.score, scores.q_BTV.gather(-1, ids_BT[..., None])[..., 0])
    rows = critic(F.one_hot(ids_BT, 5).float(), MASK)
    torch.testing.assert_close(rows.score, scores.score)


def test_q_before_a_token_has_not_read_it() -> None:
    critic, ids_BT = make("logits"), torch.randint(5, (6, 4))
    changed_BT = ids_BT.clone()
    changed_BT[:, 2] = (changed_BT[:, 2] + 1) % 5
    before, after = critic(ids_BT, MASK).q_BTV, critic(changed_BT, MASK).q_BTV
    assert torch.equal(before[:, :3], after[:, :3])
    assert (before[:, 3] != after[:, 3]).any(-1).all()


def test_a_language_model_sums_to_one_and_surprise_is_its_negative() -> None:
    ids_BT = torch.randint(5, (6, 4))
    likely = make("log_likelihood")(ids_BT, MASK).q_BTV
    torch.testing.assert_close(likely.exp().sum(-1), torch.ones(6, 4))
    torch.testing.assert_close(make("surprise")(ids_BT, MASK).q_BTV, -likely)


def test_scores_of_many_rows_without_gradient_are_the_same() -> None:
    critic, ids_BT = make("logits"), torch.randint(5, (1_100, 4))
    mask_BT = torch.ones_like(ids_BT, dtype=torch.bool)
    with torch.no_grad():
        chunked = critic(ids_BT, mask_BT)
    whole = critic(ids_BT, mask_BT)
    torch.testing.assert_close(chunked.q_BTV, whole.q_BTV)
    torch.testing.assert_close(chunked.score, whole.score)
