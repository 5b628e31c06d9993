"""Ideas on what the players' game measures: JS, and other f-divergences."""

from functools import partial
from math import log
from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Distribution

    from seqgan.lectures.stage import Stage
    from seqgan.objectives.names import FDivergenceName

# ── 20: max_D V is a divergence ───────────────────────────────────────────────────────────────

COUNTS_P = (28, 21, 16, 11, 8, 6, 4, 3, 2, 1)
"""Of a hundred real samples, how many are in each of ten classes; the generator's are reversed."""
BUMP = (1, 4, 10, 20, 30, 20, 10, 4, 1)
SHIFTS = (0, 1, 2, 3, 5, 7, 9, 10)
"""Classes between two bumps: at 9 they share none."""


def best_value(p_K: "Tensor", q_K: "Tensor") -> tuple[float, float]:
    """(V at D* = p / (p + q), −2 log 2 + 2 JS(p, q)) of two histograms, in nats."""
    import torch

    from seqgan.metrics.divergence import exact_divergences

    p_K, q_K = p_K.double(), q_K.double()
    best_K = p_K / (p_K + q_K).clamp(min=1e-300)
    # 0 log 0 is 0: a class that one of the two never has costs that one nothing.
    value = torch.xlogy(p_K, best_K).sum() + torch.xlogy(q_K, 1 - best_K).sum()
    return float(value), -2 * log(2) + 2 * exact_divergences(p_K.log(), q_K.log())["jsd"]


def trained_value(p_K: "Tensor", q_K: "Tensor", updates: int) -> tuple[float, "Tensor"]:
    """(V, D_K) of a critic trained by samples in exactly these proportions; p and q are counts."""
    import torch

    from seqgan.core.types import ArraySpace, Scores
    from seqgan.lectures.fitted import fit_critic
    from seqgan.models.critics.mlp import MlpCritic
    from seqgan.objectives.divergences import Divergence

    torch.manual_seed(0)
    one_hot_KK = torch.eye(len(p_K))
    real, fake = (one_hot_KK.repeat_interleave(counts, 0) for counts in (p_K, q_K))
    critic, minimax = MlpCritic(ArraySpace((len(p_K),)), 32, 1), Divergence("minimax")
    fit_critic(critic, minimax, lambda: (real, fake), updates, lr=2e-2)
    with torch.no_grad():
        scores_K = critic(one_hot_KK).score
        losses = minimax.critic_loss(
            Scores(scores_K.repeat_interleave(p_K)), Scores(scores_K.repeat_interleave(q_K))
        )
    return -float(losses), scores_K.sigmoid()


def _value(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.reporting.panels import PALETTE, panels, save_png

    updates = 20 if stage.quick else 600
    p_K = torch.tensor(COUNTS_P)
    q_K = p_K.flip(0)
    exact, by_js = best_value(p_K / 100, q_K / 100)
    found, critic_K = trained_value(p_K, q_K, updates)
    figure, (left, right) = panels(
        2, titles=("two histograms, the critic", "far apart: V is large")
    )
    classes = torch.arange(len(p_K))
    left.bar(classes - 0.2, p_K / 100, 0.4, color=PALETTE[0], label="real p")
    left.bar(classes + 0.2, q_K / 100, 0.4, color=PALETTE[1], label="generated q")
    left.plot(classes, p_K / (p_K + q_K), color="0.3", label="D* = p / (p + q)")
    left.plot(classes, critic_K, "o", color=PALETTE[2], markersize=4, label="trained critic")
    left.set(xlabel="class", ylim=(0, 1.3))
    left.legend(fontsize=7, ncols=2)
    bumps = {shift: _bumps(shift) for shift in SHIFTS}
    values = [best_value(p / 100, q / 100)[0] for p, q in bumps.values()]
    trained = [trained_value(p, q, updates)[0] for p, q in bumps.values()]
    right.plot(SHIFTS, values, color="0.3", label="−2 log 2 + 2 JS")
    right.plot(SHIFTS, trained, "o", color=PALETTE[2], markersize=5, label="trained critic")
    right.axhline(0, color="0.6", linewidth=0.8, linestyle=":")
    right.axhline(-2 * log(2), color="0.6", linewidth=0.8, linestyle=":")
    right.set(xlabel="classes between two bumps", ylabel="max V(D), nats")
    right.legend(fontsize=8, loc="lower right")
    save_png(figure, stage.picture("value"))
    return [
        Finding(
            Said("V(D*) less −2 log 2 + 2 JS", "V(D*) 與 −2 log 2 + 2 JS 之差"),
            abs(exact - by_js),
            at_most=1e-3,
        ),
        Finding(
            Said("V of the trained critic less V(D*)", "訓練出來的判別器的 V 與 V(D*) 之差"),
            abs(found - exact),
            at_most=1e-3,
        ),
        Finding(
            Said(
                "V of the trained critic, equal histograms", "訓練出來的判別器的 V：直方圖完全相同"
            ),
            trained[0],
            at_least=-2 * log(2) - 1e-2,
            at_most=-2 * log(2) + 1e-2,
        ),
        Finding(
            Said(
                "V of the trained critic, histograms that share nothing",
                "訓練出來的判別器的 V：直方圖完全不重疊",
            ),
            trained[-1],
            at_least=-1e-2,
            at_most=1e-2,
        ),
    ]


def _bumps(shift: int) -> "tuple[Tensor, Tensor]":
    import torch

    p_K = torch.zeros(len(BUMP) + SHIFTS[-1], dtype=torch.long)
    p_K[: len(BUMP)] = torch.tensor(BUMP)
    return p_K, p_K.roll(shift)


VALUE = Idea(
    20,
    Said("What the best critic measures", "最佳判別器量到的是 JS divergence"),
    Said(
        "For a fixed generator the best critic is D* = p / (p + q), and its value is "
        "−2 log 2 + 2 JS(p, q): minus twice the mean cross-entropy of a classifier. "
        "Near distributions are hard to tell apart and give a small value, distant ones are easy "
        "and give a large one.",
        "生成器固定時，最佳判別器是 D* = p / (p + q)，目標值恰為 −2 log 2 + 2 JS(p, q)，"
        "也就是分類器平均交叉熵的兩倍取負號。"
        "兩個分布越接近越難分辨、值越小，離得越遠越好分辨、值越大。",
    ),
    Said.both("max_D E_p[log D(x)] + E_q[log(1 − D(x))] = −2 log 2 + 2 JS(p ‖ q)"),
    _value,
)

# ── 21: other divergences ─────────────────────────────────────────────────────────────────────

P, Q = (0.0, 1.0), (1.0, 1.2)
"""Mean and standard deviation of the real and of the generated Gaussian."""
TWO_HUMPS = ((-1.6, 0.5, 0.65), (1.6, 0.5, 0.35))
"""Mean, standard deviation and weight of both parts of the mixture that one Gaussian has to fit."""
NAMES: "dict[FDivergenceName, str]" = {
    "kl": "KL",
    "reverse_kl": "reverse KL",
    "pearson": "Pearson",
    "hellinger": "Hellinger",
    "js": "2 JS",
    "gan": "2 JS − 2 log 2",
}


def bound_of_trained_critic(name: "FDivergenceName", updates: int, points: int = 20_000) -> float:
    """The f-GAN bound of the divergence of P from Q that a perceptron finds from samples."""
    import torch

    from seqgan.core.types import ArraySpace
    from seqgan.lectures.fitted import fit_critic
    from seqgan.models.critics.mlp import MlpCritic
    from seqgan.objectives.f_divergences import FGan

    torch.manual_seed(0)
    real, fake = (torch.distributions.Normal(torch.tensor(m), torch.tensor(s)) for m, s in (P, Q))
    critic, objective = MlpCritic(ArraySpace((1,)), hidden=32, layers=2), FGan(name)
    for rows, share, lr in ((1024, 0.7, 3e-3), (4096, 0.3, 5e-4)):
        draw = partial(_pair_of_batches, real, fake, rows)
        fit_critic(critic, objective, draw, round(share * updates), lr)
    u_N1 = ((torch.arange(points) + 0.5) / points)[:, None]  # quantiles: no luck in the measure
    with torch.no_grad():
        scores = (critic(gaussian.icdf(u_N1)) for gaussian in (real, fake))
        return -float(objective.critic_loss(*scores))


def _pair_of_batches(
    real: "Distribution", fake: "Distribution", rows: int
) -> "tuple[Tensor, Tensor]":
    return real.sample((rows, 1)), fake.sample((rows, 1))


def best_gaussian(name: "FDivergenceName", steps: int = 300) -> tuple[float, float]:
    """(mean, standard deviation) of the Gaussian that is nearest to the two humps, exactly."""
    import torch

    from seqgan.objectives.f_divergences import F_DIVERGENCES

    f = F_DIVERGENCES[name].f
    x_N = torch.linspace(-7, 7, 1401, dtype=torch.float64)
    log_p_N = _log_humps(x_N)
    mean_S1, log_std_S1 = (
        torch.tensor(starts, dtype=torch.float64)[:, None].requires_grad_()
        for starts in ((-0.5, -1.6), (0.3, -0.5))  # over both humps, and on the larger one
    )
    optimizer = torch.optim.Adam([mean_S1, log_std_S1], lr=2e-2)
    for _ in range(steps):
        log_q_SN = torch.distributions.Normal(mean_S1, log_std_S1.exp()).log_prob(x_N)
        ratio_SN = (log_p_N - log_q_SN).clamp(-60, 60).exp()
        distance_S = (log_q_SN.exp() * f(ratio_SN)).sum(1)
        optimizer.zero_grad()
        distance_S.sum().backward()
        optimizer.step()
    best = int(distance_S.argmin())
    return float(mean_S1.detach()[best]), float(log_std_S1.detach()[best].exp())


def _log_humps(x_N: "Tensor") -> "Tensor":
    import torch

    parts = [
        torch.distributions.Normal(mean, std).log_prob(x_N) + log(weight)
        for mean, std, weight in TWO_HUMPS
    ]
    return torch.stack(parts).logsumexp(0)


def _family(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.metrics.gaussians import gaussian_divergences
    from seqgan.objectives.f_divergences import F_DIVERGENCES
    from seqgan.reporting.panels import PALETTE, panels, save_png

    truth = gaussian_divergences(*P, *Q)
    bounds = {}
    for name in F_DIVERGENCES:
        stage.say(f"a critic for {name}")
        bounds[name] = bound_of_trained_critic(name, 20 if stage.quick else 400)
    shown: tuple[FDivergenceName, ...] = ("kl", "js", "hellinger", "reverse_kl")
    fits = {name: best_gaussian(name, 20 if stage.quick else 300) for name in shown}
    figure, (left, right) = panels(
        2, titles=("the critic's bound, the truth", "the best Gaussian for two humps"), width=3.8
    )
    rows = torch.arange(len(bounds))
    left.bar(rows - 0.2, [truth[name] for name in bounds], 0.4, color="0.75", label="exact")
    left.bar(rows + 0.2, list(bounds.values()), 0.4, color=PALETTE[2], label="trained critic")
    left.set_xticks(rows, [NAMES[name] for name in bounds], rotation=25)
    left.axhline(0, color="0.4", linewidth=0.8)
    left.set_ylabel("divergence, nats")
    left.legend(fontsize=8)
    x_N = torch.linspace(-5, 5, 401)
    right.fill_between(x_N, _log_humps(x_N).exp(), color="0.85", label="real")
    for colour, (name, (mean, std)) in zip(PALETTE, fits.items(), strict=False):
        density_N = torch.distributions.Normal(mean, std).log_prob(x_N).exp()
        right.plot(x_N, density_N, color=colour, label=NAMES[name])
    right.legend(fontsize=8)
    save_png(figure, stage.picture("family"))
    widths = {name: std for name, (_, std) in fits.items()}
    return [
        *(
            Finding(
                Said(f"{NAMES[name]}: bound / exact", f"{NAMES[name]}：下界與精確值之比"),
                bound / truth[name],
                at_least=0.97,
                at_most=1.03,
            )
            for name, bound in bounds.items()
        ),
        Finding(
            Said("width of the fit, KL / reverse KL", "擬合的寬度：KL 是 reverse KL 的幾倍"),
            widths["kl"] / widths["reverse_kl"],
            at_least=2.0,
        ),
    ]


FAMILY = Idea(
    21,
    Said("Other divergences: f-GAN", "其他的 divergence：f-GAN"),
    Said(
        "Any convex f with f(1) = 0 gives a divergence, and its conjugate f* a game whose critic "
        "finds it: KL, reverse KL, Pearson, Hellinger, 2 JS (a GAN's value is that less 2 log 2). "
        "Which one is minimised decides what a generator that is too simple does: KL covers all "
        "that is real, reverse KL picks one mode.",
        "任何 f(1) = 0 的凸函數 f 都對應一種 divergence，"
        "用它的共軛函數 f* 就能寫成判別器可以量測的目標函數："
        "KL、reverse KL、Pearson、Hellinger、2 JS（再減 2 log 2 就是 GAN 的目標值）。"
        "選哪一種決定能力不足的生成器怎麼取捨：KL 會覆蓋所有真實資料，"
        "reverse KL 則只抓住一個 mode。",
    ),
    Said.both("D_f(P ‖ Q) = max_D E_P[D(x)] − E_Q[f*(D(x))]"),
    _family,
)

IDEAS: tuple[Idea, ...] = (VALUE, FAMILY)
