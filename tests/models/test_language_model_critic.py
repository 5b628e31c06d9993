"""A language model as critic: a density of sentences that reads them from their end."""

import pytest
import torch

from seqgan.core.enumeration import all_sequences
from seqgan.core.masks import mask_until_end
from seqgan.core.types import SequenceSpace
from seqgan.decoding import sequence_log_probs
from seqgan.models.critics import LanguageModelCritic
from seqgan.models.critics.language_model import reversed_sentences

END = 0
SPACE = SequenceSpace(vocab_size=3, length=4, end_id=END)


def test_words_are_reversed_and_the_end_stays_behind_them() -> None:
    ids_BT = torch.tensor([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
    expected = torch.tensor([[3, 2, 1, 0, 0], [4, 0, 0, 0, 0], [0, 0, 0, 0, 0], [5, 4, 3, 2, 1]])
    mask_BT = mask_until_end(ids_BT, END)
    assert torch.equal(reversed_sentences(ids_BT, mask_BT, END), expected)
    simplex_BTV = torch.nn.functional.one_hot(ids_BT, 6).float()
    found = reversed_sentences(simplex_BTV, mask_BT, END)
    assert torch.equal(found.argmax(-1), expected)


@pytest.mark.parametrize("direction", ["backward", "forward"])
def test_the_scores_are_log_probabilities_of_all_sentences(direction: str) -> None:
    torch.manual_seed(0)
    critic = LanguageModelCritic(SPACE, embed=4, hidden=8, direction=direction).eval()  # type: ignore[arg-type]
    ids_RT = all_sequences(3, 4)
    mask_RT = mask_until_end(ids_RT, END)
    ids_RT = ids_RT * mask_RT  # one row for each sentence: nothing but ends behind the first one
    ids_RT = ids_RT.unique(dim=0)
    mask_RT = mask_until_end(ids_RT, END)
    score_R = critic(ids_RT, mask_RT).score
    torch.testing.assert_close(score_R.exp().sum(), torch.tensor(1.0))


def test_it_reads_the_last_word_first() -> None:
    """The score is the likelihood of the reversed sentence under the network that reads."""
    torch.manual_seed(0)
    critic = LanguageModelCritic(SPACE, embed=4, hidden=8).eval()
    there, back = torch.tensor([[1, 2, 2, 0]]), torch.tensor([[2, 2, 1, 0]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    expected = sequence_log_probs(critic.reader, back, mask)
    torch.testing.assert_close(critic(there, mask).score, expected)
    assert not torch.isclose(critic(there, mask).score, critic(back, mask).score)
