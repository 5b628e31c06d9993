"""Ideas on two players: how they alternate, and what each of them plays for."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage

# ── 8: minimax against non-saturating, and the sign that one lecture note has wrong ───────────


def reward_gradients(name: str, logits_N: "Tensor") -> "Tensor":
    """The slope of the generator's reward at each of the critic's logits."""
    import torch

    from seqgan.core.types import Scores
    from seqgan.objectives.divergences import Divergence

    logits_N = logits_N.clone().requires_grad_()
    reward = Divergence(name).reward(Scores(logits_N)).sum()  # type: ignore[arg-type]
    (slope_N,) = torch.autograd.grad(reward, logits_N)
    return slope_N


def fooled_critic(steps: int, sign: float) -> list[float]:
    """Mean D(G(z)) after each generator update against a critic that stays as it is.

    `sign` 1 raises log D(G(z)), as the generator should; -1 descends on it, as one lecture note
    says by mistake.
    """
    import torch
    from torch.nn.functional import logsigmoid

    from seqgan.core.types import ArraySpace
    from seqgan.models.image.mlp import MlpGenerator

    torch.manual_seed(0)
    generator = MlpGenerator(ArraySpace((2,)), latent=2, hidden=32, layers=2)
    optimizer = torch.optim.Adam(generator.parameters(), lr=3e-3)
    means = []
    for _ in range(steps):
        x_B2 = generator(generator.draw(256))
        logit_B = 2 - (x_B2 - 1).square().sum(1)  # a critic that likes the point (1, 1)
        means.append(float(logit_B.detach().sigmoid().mean()))
        optimizer.zero_grad()
        (-sign * logsigmoid(logit_B).mean()).backward()
        optimizer.step()
    return means


def _losses(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.reporting.panels import PALETTE, panels, save_png

    logits_N = torch.linspace(-22, 6, 113)
    slopes = {name: reward_gradients(name, logits_N) for name in ("minimax", "non_saturating")}
    right = fooled_critic(20 if stage.quick else 60, 1)
    wrong = fooled_critic(len(right), -1)
    figure, (left, sign) = panels(2, titles=("what teaches the generator", "the sign matters"))
    for colour, (name, slope_N) in zip(PALETTE, slopes.items(), strict=False):
        left.semilogy(logits_N, slope_N, color=colour, label=name.replace("_", "-"))
    left.axvline(-20, color="0.6", linewidth=0.8, linestyle=":")
    left.annotate("critic is sure", (-20, 1e-4), (-18.8, 1e-4), fontsize=8, color="0.4")
    left.set(xlabel="critic's logit at a generated sample", ylabel="slope of the reward")
    sign.plot(right, color=PALETTE[2], label="raise log D(G(z))")
    sign.plot(wrong, color=PALETTE[3], label="descend on it (lecture note's slip)")
    sign.set(xlabel="generator updates, critic fixed", ylabel="mean D(G(z))", ylim=(-0.03, 1.03))
    for panel in (left, sign):
        panel.legend(fontsize=8)
    save_png(figure, stage.picture("losses"))
    at = {name: float(reward_gradients(name, torch.tensor([-20.0]))) for name in slopes}
    return [
        Finding("slope at logit -20, minimax", at["minimax"], at_most=1e-8),
        Finding("slope at logit -20, non-saturating", at["non_saturating"], at_least=0.99),
        Finding("rise of mean D(G(z)), log D raised", right[-1] - right[0], at_least=0.1),
        Finding("rise of mean D(G(z)), the note's sign", wrong[-1] - wrong[0], at_most=-0.05),
    ]


LOSSES = Idea(
    8,
    Said("Minimax and non-saturating losses", "minimax 與 non-saturating 損失"),
    Said(
        "Where the critic is sure that a sample is generated, the minimax loss teaches the "
        "generator nothing, and raising log D(G(z)) does. One lecture note says to descend on it, "
        "which trains the generator to lose.",
        "當判別器確信樣本是生成的，minimax 損失幾乎不給生成器梯度，而提高 log D(G(z)) 則有。"
        "有一份講義寫成對它做梯度下降，那會讓生成器學著輸。",
    ),
    "min_G E[log(1 − D(G(z)))]   against   max_G E[log D(G(z))]",
    _losses,
)

IDEAS: tuple[Idea, ...] = (LOSSES,)
