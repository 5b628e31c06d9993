"""The idea that distributions which do not overlap are all equally far apart, for JS."""

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from seqgan.core.types import Critic
    from seqgan.lectures.stage import Stage
    from seqgan.objectives.divergences import Divergence
    from seqgan.objectives.penalties import Penalty

# ── 22: JS does not see how far ───────────────────────────────────────────────────────────────

APART = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Values of θ; the generator starts from 1."""


class Lines:
    """The two parallel lines of Arjovsky et al. 2017: real points (0, u), generated ones (θ, u)."""

    def __init__(self, theta: float) -> None:
        import torch

        self.theta = torch.tensor(theta, requires_grad=True)

    def draw(self, rows: int = 256) -> "tuple[Tensor, Tensor]":
        """A batch of real and one of generated points, without gradient."""
        import torch

        real_B2, fake_B2 = torch.rand(2, rows, 2).unbind()
        real_B2[:, 0], fake_B2[:, 0] = 0, self.theta.detach()
        return real_B2, fake_B2

    def slope(self, critic: "Critic", objective: "Divergence", rows: int = 256) -> float:
        """d(mean reward) / dθ: what the generator is taught to do with its one parameter."""
        import torch

        u_B = torch.rand(rows)
        fake_B2 = torch.stack([self.theta.expand(rows), u_B], 1)
        mean = objective.reward(critic(fake_B2)).mean()
        (slope,) = torch.autograd.grad(mean, self.theta)
        return float(slope)


@dataclass(frozen=True)
class _Player:
    """A kind of critic, and what its value says about the two lines."""

    label: str
    objective: "Divergence"
    penalties: "Sequence[Penalty]"
    lr: float


def _players() -> "tuple[_Player, _Player]":
    from seqgan.objectives.divergences import Divergence
    from seqgan.objectives.penalties import GradientPenalty

    return (
        _Player("minimax", Divergence("minimax"), (), 1e-2),
        _Player("WGAN-GP", Divergence("wgan"), (GradientPenalty(50.0),), 3e-3),
    )


@dataclass(frozen=True)
class Fitted:
    """A critic of the lines at one θ."""

    critic: "Critic"
    value: float
    """Its estimate of JS, or of the Wasserstein distance."""
    accuracy: float
    slopes: list[float]
    """What it taught before each of its updates, and at the end."""


def fitted_to_lines(player: _Player, theta: float, updates: int) -> Fitted:
    """A critic that is trained on the lines at θ until `updates`."""
    import torch

    from seqgan.core.types import ArraySpace
    from seqgan.lectures.fitted import fit_critic
    from seqgan.models.critics.mlp import MlpCritic

    torch.manual_seed(0)
    lines, slopes = Lines(theta), []
    critic = MlpCritic(ArraySpace((2,)), hidden=32, layers=2)

    def watch(update: int) -> None:
        slopes.append(lines.slope(critic, player.objective))

    fit_critic(critic, player.objective, lines.draw, updates, player.lr, player.penalties, watch)
    with torch.no_grad():
        real, fake = map(critic, lines.draw(2048))
        value = -float(player.objective.critic_loss(real, fake))
        right = (real.score > 0).float().mean() + (fake.score <= 0).float().mean()
    if player.label == "minimax":
        value = value / 2 + log(2)
    return Fitted(critic, value, float(right) / 2, slopes)


def moved(player: _Player, critic: "Critic", steps: int, rate: float = 0.02) -> list[float]:
    """θ after each step of gradient ascent on the reward from θ = 1, with five updates of the
    critic before each."""
    from seqgan.lectures.fitted import fit_critic

    lines, places = Lines(1.0), [1.0]

    def move(update: int) -> None:
        if update and update % 5 == 0:
            lines.theta.data += rate * lines.slope(critic, player.objective)
            places.append(float(lines.theta.detach()))

    draw, updates = lines.draw, 5 * steps
    fit_critic(critic, player.objective, draw, updates, player.lr, player.penalties, move)
    return places


def _lines(stage: "Stage") -> list[Finding]:
    from seqgan.reporting.panels import PALETTE, panels, save_png

    updates, steps = (20, 3) if stage.quick else (250, 50)
    players = _players()
    found, places = {}, {}
    for player in players:
        stage.say(f"critics of {player.label}")
        by_theta = {theta: fitted_to_lines(player, theta, updates) for theta in APART}
        found[player.label] = by_theta
        places[player.label] = moved(player, by_theta[1.0].critic, steps)
    figure, (values, gradients, path) = panels(
        3, titles=("what the critic finds", "what it teaches at θ = 1", "where the generator goes")
    )
    values.plot(APART, APART, color="0.7", label="W = θ")
    values.plot([0, 0, APART[-1]], [0, log(2), log(2)], color="0.3", label="JS = log 2, θ ≠ 0")
    for colour, (label, by_theta) in zip(PALETTE, found.items(), strict=False):
        estimates = [fitted.value for fitted in by_theta.values()]
        values.plot(APART, estimates, "o", color=colour, label=label)
        magnitudes = [abs(slope) + 1e-12 for slope in by_theta[1.0].slopes]
        gradients.semilogy(magnitudes, color=colour, label=label)
        path.plot(places[label], color=colour, label=label)
    values.set(xlabel="distance θ of the lines", ylabel="divergence")
    gradients.set(xlabel="critic updates", ylabel="|d reward / dθ|")
    path.set(xlabel="generator updates", ylabel="θ (the real line is at 0)", ylim=(-0.3, 1.1))
    for panel in (values, gradients, path):
        panel.legend(fontsize=8)
    save_png(figure, stage.picture("lines"))
    js, wasserstein = found["minimax"], found["WGAN-GP"]
    return [
        Finding(
            Said("estimated JS, minimum over θ ≠ 0", "量到的 JS：θ ≠ 0 時的最小值"),
            min(fitted.value for theta, fitted in js.items() if theta),
            *(log(2) - 0.02, log(2) + 1e-6),
        ),
        Finding(Said("JS found at θ = 0", "量到的 JS：θ = 0"), js[0.0].value, -0.02, 0.02),
        Finding(
            Said("accuracy of the minimax critic, θ = 0.25", "minimax 判別器的正確率：θ = 0.25"),
            js[0.25].accuracy,
            at_least=0.999,
        ),
        Finding(
            Said(
                "gradient that the generator gets at θ = 1, minimax",
                "生成器收到的梯度大小，θ = 1：minimax",
            ),
            abs(js[1.0].slopes[-1]),
            at_most=1e-2,
        ),
        Finding(
            Said(
                "gradient that the generator gets at θ = 1, WGAN-GP",
                "生成器收到的梯度大小，θ = 1：WGAN-GP",
            ),
            abs(wasserstein[1.0].slopes[-1]),
            at_least=0.9,
            at_most=1.1,
        ),
        Finding(
            Said("W found / θ at θ = 0.5", "量到的 W 與 θ 之比：θ = 0.5"),
            wasserstein[0.5].value / 0.5,
            at_least=0.9,
            at_most=1.1,
        ),
        Finding(
            Said("W found / θ at θ = 2", "量到的 W 與 θ 之比：θ = 2"),
            wasserstein[2.0].value / 2,
            at_least=0.9,
            at_most=1.1,
        ),
        Finding(
            Said("θ after 50 updates, minimax", "更新 50 次後的 θ：minimax"),
            places["minimax"][-1],
            at_least=0.9,
        ),
        Finding(
            Said("θ after 50 updates, WGAN-GP", "更新 50 次後的 θ：WGAN-GP"),
            abs(places["WGAN-GP"][-1]),
            at_most=0.1,
        ),
    ]


LINES = Idea(
    22,
    Said("JS divergence cannot see how far", "JS divergence 看不出有多遠"),
    Said(
        "Real and generated pictures lie on low-dimensional surfaces that hardly overlap, and then "
        "JS is log 2 however near they are: the critic is always right, and the generator learns "
        "nothing. The Wasserstein distance of two parallel lines is their distance, and its critic "
        "pulls with constant force.",
        "真實與生成的圖片各自落在高維空間裡的低維曲面上，兩者幾乎不重疊，"
        "這時無論多近 JS 都是 log 2："
        "判別器百分之百正確，生成器卻學不到東西。"
        "兩條平行線的 Wasserstein 距離就是它們的間距，對應的判別器會以固定的力道拉動生成器。",
    ),
    Said(
        "JS(P ‖ Q_θ) = log 2 for θ ≠ 0, W(P, Q_θ) = |θ|",
        "θ ≠ 0 時 JS(P ‖ Q_θ) = log 2，   W(P, Q_θ) = |θ|",
    ),
    _lines,
)

IDEAS: tuple[Idea, ...] = (LINES,)
