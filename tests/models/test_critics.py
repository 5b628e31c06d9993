"""Every critic against the contract, and the CNN against a plain convolution."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.masks import mask_until_end
from seqgan.core.modes import double_backward
from seqgan.core.types import Scores, SequenceSpace, SharedPrefix
from seqgan.models.base_config import CriticConfig
from seqgan.models.config import (
    CnnCriticConfig,
    CoOccurrenceCriticConfig,
    LanguageModelCriticConfig,
    LocalCriticConfig,
    MlpCriticConfig,
    PairwiseCriticConfig,
    RelganCriticConfig,
    RnnCriticConfig,
    TransformerCriticConfig,
)
from seqgan.models.critics.cnn import CnnCritic
from seqgan.models.critics.co_occurrence import CoOccurrenceCritic

END = 0
SPACE = SequenceSpace(vocab_size=6, length=5, end_id=END)
CONFIGS: dict[str, CriticConfig] = {
    "mlp": MlpCriticConfig(name="mlp", hidden=16),
    "cnn": CnnCriticConfig(name="cnn", embed=4, widths=[1, 2, 5], filters=[6, 5, 7]),
    "relgan": RelganCriticConfig(
        name="relgan", representations=3, embed=2, widths=[1, 2, 5], filters=[6, 5, 7], hidden=8
    ),
    "co_occurrence": CoOccurrenceCriticConfig(name="co_occurrence", width=8),
    "language_model": LanguageModelCriticConfig(
        name="language_model", embed=4, hidden=8, dropout=0.2
    ),
    "lstm": RnnCriticConfig(name="rnn", cell="lstm", embed=4, hidden=8, layers=2, dropout=0.2),
    "gru": RnnCriticConfig(name="rnn", cell="gru", embed=4, hidden=8, dropout=0.2),
    "summary": TransformerCriticConfig(name="transformer", width=8, heads=2, dropout=0.2),
    "causal": TransformerCriticConfig(
        name="transformer", width=8, heads=2, dropout=0.2, causal=True
    ),
    "started": RnnCriticConfig(name="rnn", embed=4, hidden=8, dropout=0.2, from_generator=True),
    "started causal": TransformerCriticConfig(
        name="transformer", width=8, heads=2, dropout=0.2, causal=True, from_generator=True
    ),
    "pairwise": PairwiseCriticConfig(name="pairwise", embed=4, channels=2, hidden=16),
}
PER_STEP = ["lstm", "gru", "causal", "started", "started causal"]
WITH_DROPOUT = ["cnn", "language_model", "relgan", "summary", *PER_STEP]


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return CONFIGS[name].build(SPACE).eval()


@pytest.fixture(params=list(CONFIGS))
def critic(request) -> nn.Module:
    return build(request.param)


@pytest.fixture
def ids_BT() -> Tensor:
    """Four full sentences, and three that end in columns 0, 1 and 3."""
    torch.manual_seed(1)
    ids_BT = torch.randint(1, SPACE.vocab_size, (7, SPACE.length))
    for row, end in enumerate([0, 1, 3]):
        ids_BT[row, end:] = END
    return ids_BT


def one_hot(ids_BT: Tensor) -> Tensor:
    return F.one_hot(ids_BT, SPACE.vocab_size).float()


def counted(scores: Scores) -> Tensor:
    """The scores that count, flat."""
    return scores.score if scores.mask_BT is None else scores.score[scores.mask_BT]


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_shapes(critic, ids_BT) -> None:
    scores = critic(ids_BT, mask_until_end(ids_BT, END))
    assert scores.score.shape == (ids_BT.shape if scores.mask_BT is not None else (7,))
    if scores.features_BF is not None:
        assert scores.features_BF.shape[0] == 7
        assert scores.features_BF.dim() == 2


def test_ids_equal_their_one_hot_rows(critic, ids_BT) -> None:
    mask_BT = mask_until_end(ids_BT, END)
    close(critic(one_hot(ids_BT), mask_BT).score, critic(ids_BT, mask_BT).score)


def test_columns_behind_the_end_change_no_score(critic, ids_BT) -> None:
    mask_BT = mask_until_end(ids_BT, END)
    noise_BT = torch.randint(SPACE.vocab_size, ids_BT.shape)
    changed_BT = torch.where(mask_BT, ids_BT, noise_BT)
    assert not torch.equal(changed_BT, ids_BT)
    close(counted(critic(changed_BT, mask_BT)), counted(critic(ids_BT, mask_BT)))


def test_columns_behind_the_end_get_no_gradient(critic, ids_BT) -> None:
    mask_BT = mask_until_end(ids_BT, END)
    simplex_BTV = one_hot(ids_BT).requires_grad_()
    counted(critic(simplex_BTV, mask_BT)).square().sum().backward()
    assert (simplex_BTV.grad[~mask_BT] == 0).all()


def test_every_column_that_counts_matters(critic, ids_BT) -> None:
    """Also the end token: where it stands is part of the sentence."""
    mask_BT = mask_until_end(ids_BT, END)
    simplex_BTV = one_hot(ids_BT).requires_grad_()
    counted(critic(simplex_BTV, mask_BT)).square().sum().backward()
    gradient_BT = simplex_BTV.grad.abs().amax(2)
    assert (gradient_BT.amax(0) > 0).all()
    assert (gradient_BT[1, :2] > 0).all()


@pytest.mark.parametrize("name", PER_STEP)
@pytest.mark.parametrize("column", range(SPACE.length))
def test_a_step_score_has_seen_its_token_and_none_after(name, column, ids_BT) -> None:
    critic = build(name)
    mask_BT = torch.ones_like(ids_BT, dtype=torch.bool)
    changed_BT = ids_BT.clone()
    changed_BT[:, column] = (changed_BT[:, column] + 1) % SPACE.vocab_size
    before, after = critic(ids_BT, mask_BT).score, critic(changed_BT, mask_BT).score
    close(after[:, :column], before[:, :column])
    assert not torch.allclose(after[:, column], before[:, column])


def test_every_parameter_gets_a_gradient(critic, ids_BT) -> None:
    counted(critic(ids_BT, mask_until_end(ids_BT, END))).square().sum().backward()
    for name, parameter in critic.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_dropout_acts_in_training_only(name, ids_BT) -> None:
    critic = build(name)
    mask_BT = mask_until_end(ids_BT, END)
    assert torch.equal(critic(ids_BT, mask_BT).score, critic(ids_BT, mask_BT).score)
    critic.train()
    assert not torch.equal(critic(ids_BT, mask_BT).score, critic(ids_BT, mask_BT).score)


def test_many_rows_without_gradient_score_as_they_do_with_it(critic, ids_BT) -> None:
    many_BT = ids_BT.repeat(200, 1)
    mask_BT = mask_until_end(many_BT, END)
    with torch.no_grad():
        chunked = critic(many_BT, mask_BT)
    whole = critic(many_BT, mask_BT)
    close(chunked.score, whole.score)
    assert (chunked.mask_BT is None) == (whole.mask_BT is None)
    assert (chunked.features_BF is None) == (whole.features_BF is None)


def gradient_norm(critic: nn.Module, simplex_BTV: Tensor, mask_BT: Tensor) -> Tensor:
    with double_backward():
        score = counted(critic(simplex_BTV, mask_BT))
        (gradient,) = torch.autograd.grad(score.sum(), simplex_BTV, create_graph=True)
    return gradient.flatten(1).norm(dim=1).sum()


def test_the_gradient_norm_has_the_right_gradient(critic, ids_BT) -> None:
    """Double backward against a finite difference along the gradient itself, in float64."""
    critic = critic.double()
    mask_BT = mask_until_end(ids_BT, END)
    simplex_BTV = one_hot(ids_BT).double().requires_grad_()
    parameters = [p for p in critic.parameters() if p.requires_grad]
    norm = gradient_norm(critic, simplex_BTV, mask_BT)
    gradients = torch.autograd.grad(norm, parameters, allow_unused=True, materialize_grads=True)
    slope = sum(gradient.square().sum() for gradient in gradients)
    assert slope > 0
    step = 1e-6 / slope.sqrt()

    def shifted(scale: float) -> Tensor:
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.add_(gradient, alpha=float(scale * step))
        value = gradient_norm(critic, simplex_BTV, mask_BT).detach()
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.sub_(gradient, alpha=float(scale * step))
        return value

    difference = (shifted(1.0) - shifted(-1.0)) / (2 * step)
    torch.testing.assert_close(difference, slope, rtol=1e-4, atol=0)


def plain_cnn(critic: CnnCritic, ids_BT: Tensor) -> Tensor:
    """The published critic with `conv1d`: [B] logits."""
    embedded_BET = critic.embedding.weight[ids_BT].transpose(1, 2)
    pooled = []
    for layer in critic.filters:
        kernel = layer.weight.unflatten(1, (-1, embedded_BET.shape[1])).transpose(1, 2)
        pooled.append(F.conv1d(embedded_BET, kernel, layer.bias).relu().amax(2))
    f = torch.cat(pooled, 1)
    for highway in critic.highways:
        gate = highway.gate(f).sigmoid()
        f = gate * highway.transform(f).relu() + (1 - gate) * f
    return critic.readout(f)[:, 0]


def test_cnn_equals_a_plain_convolution(ids_BT) -> None:
    critic = build("cnn")
    full_BT = ids_BT[3:]
    scores = critic(full_BT, mask_until_end(full_BT, END))
    close(scores.score, plain_cnn(critic, full_BT))


def test_cnn_has_the_published_size() -> None:
    critic = CnnCritic(SequenceSpace(vocab_size=5000, length=20))
    ids_BT = torch.randint(5000, (2, 20))
    scores = critic(ids_BT, torch.ones_like(ids_BT, dtype=torch.bool))
    assert scores.features_BF.shape == (2, 1720)
    assert critic.dropout.p == 0.25
    close(scores.features_BF.relu(), scores.features_BF)


def test_pairwise_table_is_the_bilinear_form() -> None:
    critic = build("pairwise")
    embedded_BTE = torch.randn(2, 5, 4)
    table = critic._similarities(embedded_BTE)
    forms = critic.bilinear.weight.unflatten(0, (2, 4))  # M_c
    expected = embedded_BTE[1, 3] @ forms[1] @ embedded_BTE[1, 2] / 2
    close(table[1, 1, 3, 2], expected)


@pytest.mark.parametrize("columns", [1, 3, 6])
def test_continuations_of_shared_prefixes_score_as_they_do_alone(columns, monkeypatch):
    """Also where the rows fill several chunks."""
    monkeypatch.setattr("seqgan.models.critics.cnn.CHUNK_ROWS", 10)
    torch.manual_seed(0)
    critic = CnnCritic(SequenceSpace(9, 7, end_id=0), 5, (1, 2, 4, 7), (3, 4, 5, 2)).eval()
    batch, copies = 4, 6
    prefix = torch.randint(9, (batch, columns)).repeat(copies, 1)
    ids_RT = torch.cat([prefix, torch.randint(9, (batch * copies, 7 - columns))], 1)
    mask_RT = mask_until_end(ids_RT, 0)
    with torch.no_grad():
        ours = critic.score_continuations(ids_RT, mask_RT, SharedPrefix(batch, columns))
        rows = zip(ids_RT.split(1), mask_RT.split(1), strict=True)
        alone = torch.cat([critic(row, mask).score for row, mask in rows])
    torch.testing.assert_close(ours.score, alone)


# ── Windows ───────────────────────────────────────────────────────────────────────────────────


def local(length: int, **fields: object) -> tuple[nn.Module, Tensor]:
    """A critic of windows, and one sentence without an end for it."""
    torch.manual_seed(0)
    config = LocalCriticConfig.model_validate({"name": "local", "width": 8, **fields})
    critic = config.build(SequenceSpace(6, length)).eval()
    return critic, torch.randint(6, (1, length))


@pytest.mark.parametrize(
    ("windows", "reach"),
    [([1], 0), ([3], 1), ([3, 5], 3)],
)
def test_a_window_reaches_as_far_as_its_configuration_says(windows, reach) -> None:
    assert LocalCriticConfig(name="local", windows=windows).reach == reach
    critic, ids_BT = local(11, windows=windows)
    changed_BT = ids_BT.clone()
    changed_BT[0, 5] = (changed_BT[0, 5] + 1) % 6
    before, after = critic(ids_BT), critic(changed_BT)
    assert before.score.shape == (1, 11)
    assert before.mask_BT.all()
    seen_T = (before.score - after.score)[0].abs() > 1e-5
    assert seen_T.nonzero().flatten().tolist() == list(range(5 - reach, 5 + reach + 1))


# ── Company ───────────────────────────────────────────────────────────────────────────────────


def co_occurrence(length: int) -> tuple[CoOccurrenceCritic, Tensor, Tensor]:
    """A critic of co-occurrence, and two sentences of which the second ends early."""
    torch.manual_seed(0)
    critic = CoOccurrenceCritic(SequenceSpace(6, length, END), width=8)
    ids_BT = torch.randint(1, 6, (2, length))
    ids_BT[1, 2:] = END
    return critic, ids_BT, mask_until_end(ids_BT, END)


def test_co_occurrence_is_the_documented_sum_over_pairs() -> None:
    critic, ids_BT, mask_BT = co_occurrence(5)
    scores = critic(ids_BT, mask_BT)
    e_BTE = critic.embedding.weight[ids_BT]
    for row in range(2):
        words = mask_BT[row].nonzero().flatten().tolist()
        for t in words:
            pairs = [e_BTE[row, t] @ critic.match.weight.T @ e_BTE[row, u] for u in words if u != t]
            expected = sum(pairs) / 8**0.5 + critic.alone(e_BTE[row, t])[0]
            close(scores.score[row, t], expected)
    assert torch.equal(scores.mask_BT, mask_BT)


def test_co_occurrence_ignores_order_and_windows_do_not() -> None:
    critic, ids_BT, mask_BT = co_occurrence(5)
    order = torch.tensor([3, 0, 4, 1, 2])
    before = critic(ids_BT[:1], mask_BT[:1]).score
    close(critic(ids_BT[:1, order], mask_BT[:1]).score, before[:, order])
    windows, _ = local(5, windows=[3])
    moved = windows(ids_BT[:1, order]).score - windows(ids_BT[:1]).score[:, order]
    assert moved.abs().max() > 1e-3
