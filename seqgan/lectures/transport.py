"""Ideas on the Wasserstein distance: the earth mover's plans, and critics that may not be steep."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from torch import Tensor

    from seqgan.core.types import Critic
    from seqgan.lectures.stage import Stage
    from seqgan.objectives.penalties import Penalty

# ── 23: the earth mover's distance ────────────────────────────────────────────────────────────

HILLS = ((1, 3, 5, 3, 1, 0, 0, 1, 2, 3, 1, 0), (0, 1, 2, 4, 2, 1, 0, 0, 2, 4, 3, 1))
"""Two histograms of earth, of twenty units each."""
POINTS = 96
SHIFTS = (0.5, 1.0, 1.5, 2.0)


def hills() -> "tuple[Tensor, Tensor, Tensor]":
    """(p_K, q_K, cost_KK) of the two histograms: the cost is the distance of the classes."""
    import torch

    p_K, q_K = (torch.tensor(hill, dtype=torch.float64) / sum(hill) for hill in HILLS)
    places_K = torch.arange(len(p_K), dtype=torch.float64)
    return p_K, q_K, (places_K[:, None] - places_K[None]).abs()


def two_clouds(shift: float, points: int = POINTS) -> "tuple[Tensor, Tensor]":
    """Points of a ring of eight, and of one Gaussian that lies `shift` to its right."""
    import torch

    from seqgan.data.points import Mixture

    stream = torch.Generator().manual_seed(0)
    ring_N2 = Mixture("ring", 0.05).draw(0, points)
    cloud_N2 = 0.4 * torch.randn(points, 2, generator=stream) + torch.tensor([shift, 0.0])
    return ring_N2, cloud_N2


def estimate_of_critic(x_N2: "Tensor", y_N2: "Tensor", updates: int) -> float:
    """E_x[D] − E_y[D] of a WGAN-GP critic that is trained on the two sets."""
    import torch

    from seqgan.core.types import ArraySpace
    from seqgan.lectures.fitted import fit_critic
    from seqgan.models.critics.mlp import MlpCritic
    from seqgan.objectives.divergences import Divergence
    from seqgan.objectives.penalties import GradientPenalty

    torch.manual_seed(0)
    critic, wgan = MlpCritic(ArraySpace((2,)), hidden=64, layers=2), Divergence("wgan")
    fit_critic(critic, wgan, lambda: (x_N2, y_N2), updates, 2e-3, [GradientPenalty(20.0)])
    with torch.no_grad():
        return -float(wgan.critic_loss(critic(x_N2), critic(y_N2)))


def _earth(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.metrics.earth_mover import (
        earth_movers_distance,
        earth_movers_plan,
        sorted_distance,
    )
    from seqgan.reporting.panels import PALETTE, panels, save_png

    p_K, q_K, cost_KK = hills()
    distance, plan_KK = earth_movers_plan(p_K, q_K, cost_KK)
    careless_KK = p_K[:, None] * q_K[None]
    cumulated = float((p_K - q_K).cumsum(0).abs().sum())
    stream = torch.Generator().manual_seed(0)
    line_x, line_y = torch.randn(40, generator=stream), 2 * torch.rand(40, generator=stream)
    by_programme = earth_movers_distance(line_x[:, None], line_y[:, None])
    exact, estimated = [], []
    for shift in SHIFTS:
        stage.say(f"a critic of two clouds, {shift:g} apart")
        x_N2, y_N2 = two_clouds(shift)
        exact.append(earth_movers_distance(x_N2, y_N2))
        estimated.append(estimate_of_critic(x_N2, y_N2, 20 if stage.quick else 500))
    figure, (earth, plans, clouds, critics) = panels(
        2,
        2,
        titles=("move the blue earth onto the orange", "the cheapest plan, and a careless one"),
        width=3.7,
        height=2.7,
    )
    classes = torch.arange(len(p_K))
    earth.bar(classes - 0.2, p_K, 0.4, color=PALETTE[0], label="P")
    earth.bar(classes + 0.2, q_K, 0.4, color=PALETTE[1], label="Q")
    earth.set(xlabel="class", ylabel="share")
    earth.legend(fontsize=8)
    _draw_plans(plans, [plan_KK, careless_KK], [distance, float((careless_KK * cost_KK).sum())])
    _draw_moves(clouds, *two_clouds(SHIFTS[2]))
    critics.plot([0, max(exact)], [0, max(exact)], color="0.7")
    critics.plot(exact, estimated, "o", color=PALETTE[2])
    critics.set(xlabel="exact W (linear programme)", ylabel="estimate of the WGAN-GP critic")
    critics.set_title("the critic finds it too", fontsize=10)
    save_png(figure, stage.picture("earth"))
    worst = max(
        (found / true for found, true in zip(estimated, exact, strict=True)),
        key=lambda share: abs(share - 1),
    )
    return [
        Finding(
            Said(
                "hills on a line: linear programme − Σ |F_P − F_Q|",
                "土堆：線性規劃與 |累積差| 總和之差",
            ),
            abs(distance - cumulated),
            at_most=1e-6,
        ),
        Finding(
            Said(
                "40 points on a line: programme less sorted pairs",
                "直線上 40 個點：線性規劃與排序配對之差",
            ),
            abs(by_programme - sorted_distance(line_x, line_y)),
            at_most=1e-6,
        ),
        Finding(
            Said("cost of the careless plan / cheapest", "隨便搬的距離是最省搬法的幾倍"),
            _ratio(careless_KK, plan_KK, cost_KK),
            at_least=1.05,
        ),
        Finding(
            Said(
                "critic / exact, the worst of four pairs",
                "判別器量到的與精確值之比：四組中最差的一組",
            ),
            worst,
            at_least=0.9,
            at_most=1.1,
        ),
    ]


def _ratio(careless_KK: "Tensor", plan_KK: "Tensor", cost_KK: "Tensor") -> float:
    return float((careless_KK * cost_KK).sum() / (plan_KK * cost_KK).sum())


def _draw_plans(panel: "Axes", plans: "Sequence[Tensor]", costs: "Sequence[float]") -> None:
    """Side by side, dark where much is moved."""
    import torch

    gap = torch.full((len(plans[0]), 1), float("nan"))
    shown = torch.cat([plans[0] / plans[0].max(), gap, plans[1] / plans[1].max()], 1)
    panel.imshow(shown, cmap="Blues")
    size = len(plans[0])
    panel.set(xticks=[size / 2, 1.5 * size + 1], yticks=[], ylabel="from class of P")
    panel.set_xticklabels([f"to class of Q\ncosts {cost:.2f}" for cost in costs], fontsize=8)
    panel.grid(False)


def _draw_moves(panel: "Axes", x_N2: "Tensor", y_N2: "Tensor") -> None:
    """An arrow from every point of one cloud to where the cheapest plan takes it."""
    import torch
    from scipy.optimize import linear_sum_assignment

    from seqgan.reporting.panels import PALETTE

    from_N, to_N = linear_sum_assignment(torch.cdist(y_N2, x_N2).numpy())
    for i, j in zip(from_N, to_N, strict=True):
        panel.plot(
            *zip(y_N2[i].tolist(), x_N2[j].tolist(), strict=True), color="0.8", linewidth=0.7
        )
    panel.plot(*x_N2.T, "o", color=PALETTE[0], markersize=3, label="real")
    panel.plot(*y_N2.T, "o", color=PALETTE[1], markersize=3, label="generated")
    panel.set_title("the cheapest way between two clouds", fontsize=10)
    panel.set_aspect("equal")
    panel.legend(fontsize=8)


EARTH = Idea(
    23,
    Said("Wasserstein distance: moving earth", "Wasserstein distance：推土機"),
    Said(
        "Think of P as heaps of earth and of Q as where it has to lie: of all moving plans the "
        "cheapest one defines the distance. A linear programme finds it exactly, and a critic that "
        "is nowhere steeper than 1 finds the same number from samples.",
        "把 P 想成一堆土，Q 是要搬成的樣子：所有搬法（moving plan）之中平均距離最小的那一種，"
        "就定義了兩者的距離。"
        "線性規劃可以求出精確值，而斜率不超過 1 的判別器從樣本就能量到同一個數字。",
    ),
    Said.both(
        "W(P, Q) = min_γ Σ γ(x_p, x_q) ‖x_p − x_q‖ = max_{D ∈ 1-Lipschitz} E_P[D(x)] − E_Q[D(x)]"
    ),
    _earth,
)

# ── 24: how a critic is kept 1-Lipschitz ──────────────────────────────────────────────────────

LIMIT = 0.1
"""Of weight clipping here; .01 of the paper, with three layers, gives a critic that is flat."""


@dataclass(frozen=True)
class Kept:
    """A critic that was trained under a constraint, and what can be said of it."""

    critic: "Critic"
    steepness: float
    """The mean norm of its gradient at mixtures of real and generated points."""
    largest_weight: float
    largest_singular_value: float
    """Of all its weight matrices, by a singular value decomposition."""


def kept_smooth(penalties: "Sequence[Penalty]", updates: int) -> Kept:
    """A WGAN critic between a ring of eight Gaussians and one Gaussian in its middle."""
    import torch

    from seqgan.core.types import ArraySpace
    from seqgan.lectures.fitted import fit_critic
    from seqgan.models.critics.mlp import MlpCritic
    from seqgan.objectives.divergences import Divergence
    from seqgan.objectives.penalties import gradient_norm

    torch.manual_seed(0)
    real_N2, fake_N2 = two_clouds(0.0, 256)
    critic = MlpCritic(ArraySpace((2,)), hidden=64, layers=3)
    fit_critic(critic, Divergence("wgan"), lambda: (real_N2, fake_N2), updates, 1e-3, penalties)
    critic.eval()
    share_N1 = torch.rand(len(real_N2), 1)
    norms_N = gradient_norm(critic, share_N1 * real_N2 + (1 - share_N1) * fake_N2, None)
    layers = [module for module in critic.modules() if isinstance(module, torch.nn.Linear)]
    weights = [layer.weight.detach() for layer in layers]
    return Kept(
        critic,
        float(norms_N.mean().detach()),
        max(float(parameter.detach().abs().max()) for parameter in critic.parameters()),
        max(float(torch.linalg.matrix_norm(weight, ord=2)) for weight in weights),
    )


def penalty_of_linear_critic(norm: float) -> float:
    """The gradient penalty, of weight 1, of a critic w · x with ‖w‖ = `norm`."""
    import torch

    from seqgan.core.types import ArraySpace, Batch, Critic, Scores
    from seqgan.objectives.penalties import GradientPenalty

    class Linear(Critic):
        def forward(
            self, x: "Tensor", mask: "Tensor | None" = None, cond: "Tensor | None" = None
        ) -> Scores:
            return Scores(x @ (norm * torch.tensor([0.6, 0.8])))

    real, fake = map(Batch, two_clouds(1.0))
    return float(GradientPenalty(1.0).loss(Linear(), ArraySpace((2,)), real, fake))


def _smooth(stage: "Stage") -> list[Finding]:
    from seqgan.objectives.penalties import GradientPenalty, SpectralNorm, WeightClip
    from seqgan.reporting.panels import panels, save_png

    ways: dict[str, list[Penalty]] = {
        "no constraint": [],
        f"clipping at {LIMIT:g}": [WeightClip(LIMIT)],
        "gradient penalty": [GradientPenalty(10.0)],
        "spectral norm": [SpectralNorm(1)],
    }
    found = {}
    for name, penalties in ways.items():
        stage.say(f"a critic with {name}")
        found[name] = kept_smooth(penalties, 20 if stage.quick else 300)
    clip, penalty, spectral = (found[name] for name in list(ways)[1:])
    titles = [f"{name}\nmean slope {kept.steepness:.2g}" for name, kept in found.items()]
    figure, axes = panels(4, titles=titles, width=2.6, height=2.8)
    for panel, kept in zip(axes, found.values(), strict=True):
        _draw_critic(panel, kept.critic)
    figure.supxlabel("dark: high scores; blue: real, orange: generated", fontsize=9)
    save_png(figure, stage.picture("smooth"))
    return [
        Finding(
            Said("no constraint: mean slope between the two", "不加限制：真實與生成之間的平均斜率"),
            found["no constraint"].steepness,
            at_least=2.0,
        ),
        Finding(
            Said("clipping: largest weight after a step", "裁剪權重：更新後最大的權重"),
            clip.largest_weight,
            at_most=LIMIT + 1e-6,
        ),
        Finding(Said("clipping: mean slope", "裁剪權重：平均斜率"), clip.steepness),
        Finding(
            Said("gradient penalty: mean slope", "gradient penalty：平均斜率"),
            penalty.steepness,
            at_least=0.85,
            at_most=1.15,
        ),
        Finding(
            Said("penalty of a linear critic, ‖w‖ = 1", "線性判別器的 gradient penalty：‖w‖ = 1"),
            penalty_of_linear_critic(1),
            at_most=1e-6,
        ),
        Finding(
            Said("penalty of a linear critic, ‖w‖ = 3", "線性判別器的 gradient penalty：‖w‖ = 3"),
            penalty_of_linear_critic(3),
            at_least=3.999,
            at_most=4.001,
        ),
        Finding(
            Said("spectral norm: largest σ_max", "spectral normalization：最大的 σ_max"),
            spectral.largest_singular_value,
            at_least=0.98,
            at_most=1.02,
        ),
        Finding(
            Said("spectral norm: mean slope", "spectral normalization：平均斜率"),
            spectral.steepness,
            at_most=1.02,
        ),
    ]


def _draw_critic(panel: "Axes", critic: "Critic") -> None:
    """Its scores as a map, and the points that it tells apart."""
    import torch

    from seqgan.reporting.panels import PALETTE

    side = torch.linspace(-1.6, 1.6, 60)
    y_NN, x_NN = torch.meshgrid(side, side, indexing="ij")
    with torch.no_grad():
        scores = critic(torch.stack([x_NN.flatten(), y_NN.flatten()], 1)).score
    panel.contourf(side, side, scores.reshape(60, 60), levels=14, cmap="Greys", alpha=0.7)
    for points_N2, colour in zip(two_clouds(0.0, 128), PALETTE, strict=False):
        panel.plot(*points_N2.T, "o", color=colour, markersize=2)
    panel.set(xticks=[], yticks=[], aspect="equal")


SMOOTH = Idea(
    24,
    Said("Keeping the critic 1-Lipschitz", "讓判別器保持 1-Lipschitz"),
    Said(
        "Without a constraint the Wasserstein critic's scores run away to ±∞. WGAN clips the "
        "weights after each step, WGAN-GP pushes the gradient's norm to 1 between real and "
        "generated samples, spectral normalisation divides each matrix by its largest singular "
        "value.",
        "如果不加限制，Wasserstein 判別器的分數會一路衝向正負無限大。"
        "WGAN 在每次更新後裁剪權重，WGAN-GP 在真實與生成樣本之間把梯度的 norm 推向 1，"
        "spectral normalization 則把每個權重矩陣除以它的最大奇異值。",
    ),
    Said(
        "w ← clip(w, −c, c);   λ E(‖∇_x̂ D(x̂)‖ − 1)², x̂ between x and G(z);   W ← W / σ_max(W)",
        "w ← clip(w, −c, c)；   λ E(‖∇_x̂ D(x̂)‖ − 1)²，x̂ 在 x 與 G(z) 之間；   W ← W / σ_max(W)",
    ),
    _smooth,
)

IDEAS: tuple[Idea, ...] = (EARTH, SMOOTH)
