"""The trust region's gradient against that of a divergence that is enumerated."""

import pytest
import torch
from enumeration import (
    PrefixTable,
    assert_same_vector,
    expected_loss,
    gradient,
    log_probs,
    make_generator,
    rollout_of,
    sentences,
)
from torch import Tensor, nn

from seqgan.core.types import Rollout, SequenceSpace
from seqgan.games.trust_region import TrustRegion, divergence
from seqgan.models.config import RnnGeneratorConfig

FIXED = SequenceSpace(vocab_size=3, length=3)
ENDING = SequenceSpace(vocab_size=3, length=3, end_id=1)
SPACES = {"fixed": FIXED, "ending": ENDING}
SMALL_SPACES = {
    "fixed": SequenceSpace(vocab_size=2, length=2),
    "ending": SequenceSpace(vocab_size=2, length=3, end_id=0),
}


def exact_kl(generator: nn.Module, reference: nn.Module, space: SequenceSpace) -> Tensor:
    """KL(generator ‖ reference) in nats per sentence, by listing; differentiable."""
    ids_RT = sentences(space)
    logp_R = log_probs(generator, ids_RT, space.end_id).sum(1)
    logr_R = log_probs(reference, ids_RT, space.end_id).sum(1).detach()
    return (logp_R.exp() * (logp_R - logr_R)).sum()


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_the_expected_gradient_is_that_of_the_divergence(name: str, space: SequenceSpace) -> None:
    generator, reference = make_generator(name, space), PrefixTable(space, seed=1)
    loss = expected_loss(generator, space, 1, lambda r: divergence(generator, reference, r)[0])
    exact = exact_kl(generator, reference, space)
    assert_same_vector(gradient(loss, generator), gradient(exact, generator))


@pytest.mark.parametrize("space", SMALL_SPACES.values(), ids=SMALL_SPACES)
@pytest.mark.parametrize("size", [2, 3])
def test_comparing_samples_of_a_batch_changes_no_expectation(
    space: SequenceSpace, size: int
) -> None:
    generator, reference = make_generator("gru", space), PrefixTable(space, seed=1)
    loss = expected_loss(generator, space, size, lambda r: divergence(generator, reference, r)[0])
    exact = exact_kl(generator, reference, space)
    assert_same_vector(gradient(loss, generator), gradient(exact, generator))


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_what_is_logged_has_the_divergence_as_its_mean(space: SequenceSpace) -> None:
    generator, reference = make_generator("gru", space), PrefixTable(space, seed=1)
    found = expected_loss(generator, space, 1, lambda r: divergence(generator, reference, r)[1])
    torch.testing.assert_close(found, exact_kl(generator, reference, space).detach())


def test_later_steps_are_compared_with_those_of_the_other_samples() -> None:
    """Leaving the other samples out would cost variance and change no mean."""
    generator, reference = make_generator("gru", FIXED), PrefixTable(FIXED, seed=1)
    rollout = rollout_of(sentences(FIXED)[[4, 4, 4]], FIXED)
    own = divergence(generator, reference, rollout)[0]
    logp_BTV, logr_BTV = (
        g(rollout.ids_BT).log_softmax(-1).detach() for g in (generator, reference)
    )
    k_T = (logp_BTV.exp() * (logp_BTV - logr_BTV)).sum(-1)[0]
    torch.testing.assert_close(own, k_T.sum())  # F_t − b_t is 0 for equal sentences


def shifted(generator: nn.Module) -> None:
    for parameter in generator.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))


def step_of(region: TrustRegion, generator: nn.Module, rollout: Rollout) -> tuple[Tensor, float]:
    loss, stats = region.around(generator, rollout)()
    return gradient(loss, generator), float(stats["reference_kl"])


def test_the_reference_is_the_generator_of_the_first_visit() -> None:
    generator = make_generator("gru", ENDING)
    region = TrustRegion(generator, weight=0.5)
    shifted(generator)  # what likelihood does before the first visit
    former, rollout = make_generator("gru", ENDING), rollout_of(sentences(ENDING), ENDING)
    former.load_state_dict(generator.state_dict())
    zero_P, kl = step_of(region, generator, rollout)
    assert kl == pytest.approx(0, abs=1e-6)
    assert float(zero_P.norm()) < 1e-6
    for _ in range(2):
        shifted(generator)
        found_P, kl = step_of(region, generator, rollout)
        loss, exact = divergence(generator, former, rollout)
        assert_same_vector(found_P, 0.5 * gradient(loss, generator))
        assert kl == pytest.approx(float(exact))
        assert kl > 0.01


def test_a_checkpoint_holds_the_reference() -> None:
    generator, rollout = make_generator("gru", FIXED), rollout_of(sentences(FIXED), FIXED)
    region, other = TrustRegion(generator, 1.0), TrustRegion(make_generator("gru", FIXED, 7), 1.0)
    assert region.state_dict() == {}
    other.load_state_dict({})
    step_of(other, generator, rollout)  # begins here, since the checkpoint had not begun
    step_of(region, generator, rollout)
    other.load_state_dict(region.state_dict())
    shifted(generator)
    assert step_of(region, generator, rollout)[1] == step_of(other, generator, rollout)[1] > 0


def test_there_is_no_dropout() -> None:
    config = RnnGeneratorConfig(name="gru", embed=4, hidden=5, dropout=0.6)
    generator = config.build(FIXED).train()
    rollout = rollout_of(sentences(FIXED)[:4], FIXED)
    _, kl = step_of(TrustRegion(generator, 1.0), generator, rollout)
    assert kl == pytest.approx(0, abs=1e-6)
    assert generator.training
