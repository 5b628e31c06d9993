"""REBAR and RELAX against gradients that are enumerated over all sentences.

Three proofs: the loss is what the equation says, token by token (same noise, a loop); its mean
gradient is that of E[R]; what is learned descends on the measured square (finite differences). Two
tempting forms for sequences are built here too, and are wrong.
"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from enumeration import (
    PrefixTable,
    assert_mean_is,
    assert_same_vector,
    gradient,
    log_probs,
    make_generator,
    mask_of,
    rollout_of,
    sentences,
)
from torch import Tensor, nn

from seqgan.core.modes import frozen
from seqgan.core.types import Reward, SampleRequest, SequenceSpace
from seqgan.estimators import rebar
from seqgan.estimators.baselines import NoBaseline
from seqgan.estimators.conditional_gumbel import conditional_gumbels
from seqgan.estimators.rebar import Rebar, RebarScales
from seqgan.estimators.relax import Relax
from seqgan.estimators.score_function import ScoreFunction
from seqgan.models.config import (
    MlpCriticConfig,
    RnnCriticConfig,
    RnnGeneratorConfig,
    TransformerCriticConfig,
)
from seqgan.models.value import RelaxedValue

CPU = torch.device("cpu")
FIXED = SequenceSpace(vocab_size=3, length=3)
ENDING = SequenceSpace(vocab_size=3, length=3, end_id=1)
SPACES = {"fixed": FIXED, "ending": ENDING}


# ── Rewards that take ids and soft rows ───────────────────────────────────────────────────────


class CriticValue:
    """2 + log σ(2 d) of a random critic whose scores d are standardised: curved, and not centred.

    `pads` stand behind ends, where scores are per step.
    """

    def __init__(self, name: str, space: SequenceSpace, pads: float = 0.0) -> None:
        torch.manual_seed(2)
        config = {
            "mlp": MlpCriticConfig(name="mlp", hidden=8, layers=1),
            "rnn": RnnCriticConfig(name="rnn", embed=4, hidden=6),
            "transformer": TransformerCriticConfig(name="transformer", width=4, layers=1, heads=2),
        }[name]
        self.critic = config.build(space).eval().requires_grad_(False)
        for parameter in self.critic.parameters():
            parameter.mul_(2)
        ids_RT = sentences(space)
        scores = self.critic(ids_RT, mask_of(ids_RT, space.end_id)).score
        self.mean, self.deviation = scores.mean(), scores.std()
        self.pads = pads

    def __call__(self, x: Tensor, mask: Tensor, shared: object = None) -> Tensor:
        score = (self.critic(x, mask).score - self.mean) / self.deviation
        value = 2 + F.logsigmoid(2 * score)
        return value if value.dim() == 1 else torch.where(mask, value, self.pads)


class TableValue:
    """An arbitrary number for every sentence; linear in each row between them. Columns that do
    not count are averaged over."""

    def __init__(self, space: SequenceSpace) -> None:
        stream = torch.Generator().manual_seed(0)
        shape = [space.vocab_size] * space.length
        self.table = 1 + 2 * torch.randn(shape, generator=stream)

    def __call__(self, x: Tensor, mask: Tensor, shared: object = None) -> Tensor:
        rows = x if x.is_floating_point() else F.one_hot(x, len(self.table)).float()
        rows = torch.where(mask[..., None], rows, 1 / len(self.table))
        return torch.einsum("ra,rb,rc,abc->r", *rows.unbind(1), self.table)


def reward_of(name: str, space: SequenceSpace) -> Reward:
    return TableValue(space) if name == "table" else CriticValue(name, space)


def value_of(ids_RT: Tensor, space: SequenceSpace, reward: Reward) -> Tensor:
    """`R(x)`; the mean of the steps' rewards where there are such."""
    mask_RT = mask_of(ids_RT, space.end_id)
    value = reward(ids_RT, mask_RT)
    return value if value.dim() == 1 else (value * mask_RT).sum(1) / mask_RT.sum(1)


def enumerated(generator: nn.Module, space: SequenceSpace, reward: Reward) -> Tensor:
    """The gradient of −E[R]."""
    ids_RT = sentences(space)
    prob_R = log_probs(generator, ids_RT, space.end_id).sum(1).exp()
    return gradient(-(prob_R * value_of(ids_RT, space, reward)).sum(), generator)


# ── Estimators ────────────────────────────────────────────────────────────────────────────────


def rebar_of(space: SequenceSpace, learn: bool = False, **options: float) -> Rebar:
    scales = RebarScales(**options) if learn else None
    return Rebar(space, **options, scales=scales)


def network_of(space: SequenceSpace) -> RelaxedValue:
    """A network with random outputs."""
    torch.manual_seed(5)
    network = RelaxedValue(space, embed=3, hidden=6)
    for parameter in network.parameters():
        parameter.data.mul_(2)
    network.readout.weight.data.normal_(std=0.5)
    network.readout.bias.data.fill_(0.5)
    network.log_temperature.data.fill_(-0.7)
    return network


def estimator_of(name: str, space: SequenceSpace) -> Rebar | Relax:
    if name == "relax":
        return Relax(space, network_of(space))
    return rebar_of(space, learn=name == "rebar-learned", eta=0.8, temperature=0.4)


def reinforce(space: SequenceSpace) -> ScoreFunction:
    return ScoreFunction(space, baseline=NoBaseline())


def sampled(
    estimator: Rebar | Relax | ScoreFunction,
    generator: nn.Module,
    reward: Reward,
    batches: int = 30,
    rows: int = 2500,
) -> Tensor:
    """Independent estimates [K, D] from the estimator's own samples."""
    gradients = []
    for seed in range(batches):
        torch.manual_seed(seed)
        rollout = estimator.sample(generator, SampleRequest(rows))
        gradients.append(gradient(estimator.loss(generator, rollout, reward).loss, generator))
    return torch.stack(gradients)


def spread(samples_KD: Tensor) -> float:
    """Variance of the estimates, summed over the parameters."""
    return float(samples_KD.var(0).sum())


# ── Unbiased ──────────────────────────────────────────────────────────────────────────────────

UNBIASED = [
    ("rebar", "mlp", "fixed", "table"),
    ("rebar", "mlp", "ending", "transformer"),
    ("rebar", "table", "ending", "gru"),
    ("rebar", "rnn", "ending", "gru"),
    ("rebar", "transformer", "ending", "table"),
    ("rebar-learned", "mlp", "ending", "table"),
    ("relax", "mlp", "fixed", "table"),
    ("relax", "table", "ending", "gru"),
    ("relax", "rnn", "ending", "gru"),
]


def generator_of(name: str, space: SequenceSpace) -> nn.Module:
    return PrefixTable(space, sharpness=0.7) if name == "table" else make_generator(name, space)


@pytest.mark.parametrize(("name", "value", "space", "writer"), UNBIASED)
def test_the_mean_gradient_is_that_of_the_expected_reward(name, value, space, writer) -> None:
    generator = generator_of(writer, SPACES[space])
    reward = reward_of(value, SPACES[space])
    samples = sampled(estimator_of(name, SPACES[space]), generator, reward)
    expected = enumerated(generator, SPACES[space], reward)
    assert_mean_is(samples, expected, relative=0.06)


def test_steps_computed_one_by_one_are_unbiased_too(monkeypatch) -> None:
    monkeypatch.setattr(rebar, "NUMBERS_AT_ONCE", 1)
    generator, reward = make_generator("gru", ENDING), CriticValue("mlp", ENDING)
    samples = sampled(estimator_of("rebar", ENDING), generator, reward)
    assert_mean_is(samples, enumerated(generator, ENDING, reward), relative=0.06)


# ── The loss is the equation ──────────────────────────────────────────────────────────────────


def given_argmax(logp_BTV: Tensor, ids_BT: Tensor) -> Tensor:
    """Perturbed log-probabilities of every step, drawn given their argmax."""
    z_RV = conditional_gumbels(logp_BTV.flatten(0, 1), ids_BT.flatten())
    return z_RV.view(logp_BTV.shape)


def cut_off(row_T: Tensor, step: int, soft_V: Tensor, space: SequenceSpace) -> Tensor:
    """[1, T, V]: hard, then soft at `step`, then end tokens or nothing."""
    x_TV = F.one_hot(row_T, space.vocab_size).float()
    x_TV[step:] = 0
    if space.end_id is not None:
        x_TV[step + 1 :, space.end_id] = 1
    return torch.cat([x_TV[:step], soft_V[None], x_TV[step + 1 :]])[None]


def critic_says(reward: Reward, space: SequenceSpace, temperature: float) -> Callable[..., Tensor]:
    """REBAR's c_t for one row and step."""

    def c(row_T: Tensor, step: int, z_V: Tensor) -> Tensor:
        mask_1T = torch.arange(space.length)[None] <= step
        value = reward(cut_off(row_T, step, (z_V / temperature).softmax(-1), space), mask_1T)[0]
        return value if value.dim() == 0 else value[: step + 1].mean()

    return c


def network_says(network: RelaxedValue, space: SequenceSpace) -> Callable[..., Tensor]:
    """RELAX's c_t: only what stands before the step, and z there, can matter."""

    def c(row_T: Tensor, step: int, z_V: Tensor) -> Tensor:
        ids_1T, z_1TV = torch.zeros_like(row_T)[None], torch.zeros(1, space.length, len(z_V))
        ids_1T[0, :step] = row_T[:step]
        rows = [*z_1TV[0, :step], z_V, *z_1TV[0, step + 1 :]]
        return network(ids_1T, torch.stack(rows)[None])[0, step]

    return c


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("name", ["mlp", "rnn", "mlp, step by step", "relax"])
def test_the_loss_is_the_equation_token_by_token(name, space, monkeypatch) -> None:
    """(R − η c(z̃)) log π + η c(z) − η c(z̃), with the noise that the estimator drew."""
    if one_by_one := name.endswith("step by step"):
        name = "mlp"
        monkeypatch.setattr(rebar, "NUMBERS_AT_ONCE", 1)
    generator = make_generator("gru", space)
    reward = CriticValue("mlp" if name == "relax" else name, space)
    rollout = rollout_of(sentences(space)[[0, 2, 5, -1, 5]], space)
    if name == "relax":
        eta, estimator = 1.0, Relax(space, network_of(space))
        c = network_says(network_of(space), space)
    else:
        eta, estimator = 0.8, rebar_of(space, eta=0.8, temperature=0.4)
        c = critic_says(reward, space, 0.4)
    torch.manual_seed(1)
    actual = gradient(estimator.loss(generator, rollout, reward).loss, generator)

    torch.manual_seed(1)
    logp_BTV = generator(rollout.ids_BT).log_softmax(-1)
    width = 1 if one_by_one else space.length  # columns whose noise was drawn together
    blocks = zip(logp_BTV.split(width, 1), rollout.ids_BT.split(width, 1), strict=True)
    given_BTV = torch.cat([given_argmax(*block) for block in blocks], 1)
    z_BTV = logp_BTV + (given_BTV - logp_BTV).detach()
    total = torch.zeros(())
    for row, ids_T in enumerate(rollout.ids_BT):
        value = value_of(ids_T[None], space, reward)[0]
        for step in range(int(rollout.mask_BT[row].sum())):
            given = c(ids_T, step, given_BTV[row, step])
            total = total + (value - eta * given.detach()) * logp_BTV[row, step, ids_T[step]]
            total = total + eta * (c(ids_T, step, z_BTV[row, step]) - given)
    assert_same_vector(actual, gradient(-total / len(rollout.ids_BT), generator))


# ── Two forms that are wrong ──────────────────────────────────────────────────────────────────


def form(name: str, generator: nn.Module, ids_BT: Tensor, reward: Reward) -> Tensor:
    """The loss of a control variate on soft rows, where sentences do not end.

    per_step: hard prefix, soft row t, nothing behind. continued: the same, and behind it the
    sampled continuation. whole: all rows soft at once, one control variate for the sentence.
    """
    logp_BTV = generator(ids_BT).log_softmax(-1)

    def control(z_BTV: Tensor) -> Tensor:
        soft_BTV = (z_BTV / 0.5).softmax(-1)
        everything_BT = torch.ones_like(ids_BT, dtype=torch.bool)
        if name == "whole":
            return reward(soft_BTV, everything_BT)[:, None]
        hard_BTV = F.one_hot(ids_BT, logp_BTV.shape[-1]).float()
        column_T = torch.arange(ids_BT.shape[1])
        values = []
        for step in column_T:
            x_BTV = torch.where((column_T == step)[:, None], soft_BTV, hard_BTV)
            seen_BT = everything_BT & (column_T <= step)
            values.append(reward(x_BTV, seen_BT if name == "per_step" else everything_BT))
        return torch.stack(values, 1)

    z_BTV, given_BTV = (
        logp_BTV + (given_argmax(logp_BTV, ids_BT) - logp_BTV).detach(),
        given_argmax(logp_BTV, ids_BT),
    )
    c_given_BC = control(given_BTV)
    value_B = reward(ids_BT, torch.ones_like(ids_BT, dtype=torch.bool))
    logp_BT = logp_BTV.gather(-1, ids_BT[..., None]).squeeze(-1)
    surrogate_BT = (value_B[:, None] - c_given_BC).detach() * logp_BT
    pathwise_BC = control(z_BTV) - c_given_BC
    return -(surrogate_BT.sum(1) + pathwise_BC.sum(1)).mean()


def form_gradients(name: str, generator: nn.Module, reward: Reward) -> Tensor:
    gradients = []
    for seed in range(30):
        torch.manual_seed(seed)
        ids_BT = reinforce(FIXED).sample(generator, SampleRequest(5000)).ids_BT
        gradients.append(gradient(form(name, generator, ids_BT, reward), generator))
    return torch.stack(gradients)


def test_the_forms_below_are_built_rightly() -> None:
    """Else their bias would say nothing: the per-step form from the same parts has none."""
    generator, reward = PrefixTable(FIXED, sharpness=0.7), CriticValue("mlp", FIXED)
    samples = form_gradients("per_step", generator, reward)
    assert_mean_is(samples, enumerated(generator, FIXED, reward), relative=0.03)


@pytest.mark.parametrize(("name", "relative"), [("whole", 0.1), ("continued", 0.1)])
def test_a_control_variate_that_depends_on_later_tokens_is_biased(name, relative) -> None:
    generator, reward = PrefixTable(FIXED, sharpness=0.7), CriticValue("mlp", FIXED)
    samples_KD = form_gradients(name, generator, reward)
    expected_D = enumerated(generator, FIXED, reward)
    error_D = samples_KD.mean(0) - expected_D
    deviations_D = error_D.abs() / (samples_KD.std(0) / len(samples_KD) ** 0.5)
    assert deviations_D.max() > 30
    assert error_D.norm() > relative * expected_D.norm()


def test_behind_its_own_continuation_a_token_is_credited_with_nothing() -> None:
    """Where the last token alone is paid, the wrong control variate is the reward itself."""
    generator = PrefixTable(FIXED, sharpness=0.7)
    weight_V = torch.tensor([1.0, -2.0, 0.5])

    def reward(x: Tensor, mask: Tensor) -> Tensor:
        rows = x if x.is_floating_point() else F.one_hot(x, 3).float()
        return (rows * mask[..., None])[:, -1] @ weight_V

    first = slice(0, 3)  # the logits of the first token
    assert enumerated(generator, FIXED, reward)[first].norm() > 0.01
    assert form_gradients("continued", generator, reward)[:, first].abs().max() < 1e-6


# ── Variance, and what lowers it ──────────────────────────────────────────────────────────────


def test_rebar_has_less_variance_than_the_score_function() -> None:
    generator, reward = make_generator("gru", ENDING), CriticValue("rnn", ENDING)
    plain = spread(sampled(reinforce(ENDING), generator, reward, rows=500))
    ours = spread(sampled(rebar_of(ENDING, eta=0.5, temperature=1.0), generator, reward, rows=500))
    assert ours < 0.5 * plain


def train(
    estimator: Rebar | Relax, module: nn.Module, generator: nn.Module, reward: Reward
) -> None:
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    torch.manual_seed(99)
    for _ in range(80):
        rollout = estimator.sample(generator, SampleRequest(200))
        baseline_loss = estimator.loss(generator, rollout, reward).baseline_loss
        optimizer.zero_grad()
        baseline_loss.backward()
        optimizer.step()


def test_learning_eta_and_the_temperature_lowers_the_variance() -> None:
    """From scales under which the critic's gradient has no use, or misleads."""
    for name, eta, most in (("rnn", 0.0, 0.5), ("mlp", 1.0, 0.2)):
        generator, reward = make_generator("gru", ENDING), CriticValue(name, ENDING)
        scales = RebarScales(eta, temperature=0.1)
        estimator = Rebar(ENDING, scales=scales)
        before = spread(sampled(estimator, generator, reward, rows=300))
        train(estimator, scales, generator, reward)
        after = sampled(estimator, generator, reward, rows=300)
        assert spread(after) < most * before
        assert_mean_is(after, enumerated(generator, ENDING, reward), relative=0.1)


def test_the_network_of_relax_starts_as_reinforce_and_learns_to_lower_the_variance() -> None:
    generator, reward = make_generator("gru", ENDING), CriticValue("mlp", ENDING)
    network = RelaxedValue(ENDING, embed=4, hidden=8)
    estimator = Relax(ENDING, network)
    plain = sampled(reinforce(ENDING), generator, reward, rows=500)
    assert_same_vector(sampled(estimator, generator, reward, rows=500), plain, relative=1e-5)
    train(estimator, network, generator, reward)
    after = sampled(estimator, generator, reward, rows=500)
    assert spread(after) < 0.6 * spread(plain)
    assert_mean_is(after, enumerated(generator, ENDING, reward), relative=0.06)


@pytest.mark.parametrize("at_once", [1, 1 << 25])
@pytest.mark.parametrize("name", ["rebar", "relax"])
def test_what_is_learned_descends_on_the_square_of_the_estimate(name, at_once, monkeypatch) -> None:
    """The slope of `baseline_loss` along random directions, by finite differences."""
    monkeypatch.setattr(rebar, "NUMBERS_AT_ONCE", at_once)
    generator, reward = make_generator("gru", ENDING), CriticValue("rnn", ENDING)
    module: nn.Module = network_of(ENDING)
    estimator: Rebar | Relax
    if name == "rebar":
        module = RebarScales(eta=0.7, temperature=0.6)
        estimator = Rebar(ENDING, scales=module)
    else:
        estimator = Relax(ENDING, module)
    rollout = reinforce(ENDING).sample(generator, SampleRequest(300))

    def surrogate():
        torch.manual_seed(4)
        return estimator.loss(generator, rollout, reward)

    torch.manual_seed(3)
    parameters = [p for p in module.parameters() if p.requires_grad]
    loss = surrogate().baseline_loss
    torch.testing.assert_close(loss.detach(), surrogate().stats["estimate_square"])
    slopes = torch.autograd.grad(loss, parameters)
    for _ in range(3):
        way = [torch.randn_like(p) for p in parameters]
        ends = []
        for step in (5e-3, -10e-3):
            for parameter, direction in zip(parameters, way, strict=True):
                parameter.data.add_(step * direction)
            ends.append(float(surrogate().stats["estimate_square"]))
        for parameter, direction in zip(parameters, way, strict=True):
            parameter.data.add_(5e-3 * direction)
        expected = sum(float((s * d).sum()) for s, d in zip(slopes, way, strict=True))
        assert (ends[0] - ends[1]) / 10e-3 == pytest.approx(expected, rel=0.02)


def test_the_square_is_that_of_the_gradient_in_the_logits() -> None:
    """Of one sentence, whose logits are a leaf; REINFORCE's beside it."""

    class Leaf(PrefixTable):
        def __init__(self) -> None:
            super().__init__(ENDING)
            self.logits_1TV = nn.Parameter(torch.randn(1, 3, 3))

        def forward(self, ids_BT: Tensor, cond: Tensor | None = None) -> Tensor:
            return self.logits_1TV

    torch.manual_seed(0)
    generator, reward = Leaf(), CriticValue("mlp", ENDING)
    rollout = rollout_of(torch.tensor([[0, 1, 1]]), ENDING)
    surrogate = rebar_of(ENDING, learn=True).loss(generator, rollout, reward)
    slope_1TV = torch.autograd.grad(surrogate.loss, generator.logits_1TV)[0]
    torch.testing.assert_close(surrogate.baseline_loss.detach(), slope_1TV.square().sum())
    plain = reinforce(ENDING).loss(generator, rollout, reward).loss
    slope_1TV = torch.autograd.grad(plain, generator.logits_1TV)[0]
    torch.testing.assert_close(surrogate.stats["reinforce_square"], slope_1TV.square().sum())


# ── What flows, and what does not ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["rebar-learned", "relax"])
def test_each_loss_reaches_its_own_player_only(name) -> None:
    generator, value = make_generator("gru", ENDING), CriticValue("mlp", ENDING)
    value.critic.requires_grad_(True)
    if name == "relax":
        module: nn.Module = network_of(ENDING)
        estimator: Rebar | Relax = Relax(ENDING, module)
    else:
        module = RebarScales()
        estimator = Rebar(ENDING, scales=module)
    rollout = estimator.sample(generator, SampleRequest(50))
    with frozen(value.critic):
        surrogate = estimator.loss(generator, rollout, value)
    players = {"generator": generator, "baseline": module, "critic": value.critic}
    for loss, owner in ((surrogate.loss, "generator"), (surrogate.baseline_loss, "baseline")):
        loss.backward()
        for player, network in players.items():
            gradients = [p.grad for p in network.parameters() if p.requires_grad]
            assert all((g is not None) == (player == owner) for g in gradients), player
            network.zero_grad(set_to_none=True)


def test_nothing_is_learned_where_the_scales_are_fixed() -> None:
    generator, reward = make_generator("gru", ENDING), CriticValue("mlp", ENDING)
    estimator = rebar_of(ENDING)
    surrogate = estimator.loss(generator, estimator.sample(generator, SampleRequest(4)), reward)
    assert surrogate.baseline_loss is None


@pytest.mark.parametrize("name", ["rebar", "relax"])
def test_what_stands_behind_the_end_does_not_matter(name) -> None:
    """Neither what a critic says there nor what the control variate says."""
    generator = make_generator("gru", ENDING)
    rollout = rollout_of(sentences(ENDING)[[0, 1, 2, 3]], ENDING)
    assert not rollout.mask_BT.all()
    gradients = []
    for pads in (0.0, 1e4):
        torch.manual_seed(0)
        reward = CriticValue("rnn", ENDING, pads)
        loss = estimator_of(name, ENDING).loss(generator, rollout, reward).loss
        gradients.append(gradient(loss, generator))
    assert gradients[0].norm() > 0
    assert torch.equal(gradients[0], gradients[1])


@pytest.mark.parametrize("name", ["rebar-learned", "relax"])
def test_steps_behind_the_end_have_no_estimate(name) -> None:
    """A sentence that ends at once reaches the distribution of the first token alone."""
    generator, reward = PrefixTable(ENDING), CriticValue("mlp", ENDING)
    rollout = rollout_of(torch.tensor([[1, 1, 1]]), ENDING)
    loss = estimator_of(name, ENDING).loss(generator, rollout, reward).loss
    slopes = torch.autograd.grad(loss, list(generator.tables))
    assert [bool(slope.abs().max() > 0) for slope in slopes] == [True, False, False]


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_relaxed_prefixes_are_copies_of_the_batch_block_after_block(space) -> None:
    torch.manual_seed(0)
    ids_BT = sentences(space)[[0, 4, -1]]
    soft_BPV = torch.rand(3, 2, 3)
    x_RTV, mask_RT = rebar.relaxed_prefixes(ids_BT, soft_BPV, 1, space.end_id)
    for position in range(2):
        for row in range(3):
            step = 1 + position
            expected = cut_off(ids_BT[row], step, soft_BPV[row, position], space)[0]
            torch.testing.assert_close(x_RTV[3 * position + row], expected)
            assert mask_RT[3 * position + row].tolist() == [c <= step for c in range(3)]


@pytest.mark.parametrize("name", ["rebar-learned", "relax"])
def test_the_loss_has_no_dropout(name) -> None:
    """Else the sampled and the differentiated distribution would differ."""
    torch.manual_seed(0)
    config = RnnGeneratorConfig(name="gru", embed=4, hidden=5, dropout=0.6)
    generator, reward = config.build(FIXED), CriticValue("mlp", FIXED)
    rollout = rollout_of(sentences(FIXED)[[4, 9]], FIXED)
    gradients = []
    for training in (False, True):
        generator.train(training)
        estimator = estimator_of(name, FIXED)
        torch.manual_seed(0)
        loss = estimator.loss(generator, rollout, reward).loss
        gradients.append(gradient(loss, generator))
        assert generator.training == training
    assert torch.equal(*gradients)


def test_the_network_of_relax_knows_the_prompt_the_prefix_and_its_own_step() -> None:
    """And nothing else: that is all that its unbiasedness rests on."""
    network = network_of(ENDING)
    ids_BT, cond_BP = torch.tensor([[0, 2, 0]]), torch.tensor([[2, 0]])
    z_BTV = torch.randn(1, 3, 3)
    before_T = network(ids_BT, z_BTV, cond_BP)[0]
    prompt_T = network(ids_BT, z_BTV, torch.tensor([[1, 0]]))[0]
    assert (prompt_T != before_T).all()
    for step in range(3):
        other_BT, other_BTV = ids_BT.clone(), z_BTV.clone()
        other_BT[0, step] = 1
        other_BTV[0, step, 1] += 1
        prefix_T = network(other_BT, z_BTV, cond_BP)[0]
        assert (prefix_T != before_T).tolist() == [step < t for t in range(3)]
        relaxed_T = network(ids_BT, other_BTV, cond_BP)[0]
        assert (relaxed_T != before_T).tolist() == [step == t for t in range(3)]
