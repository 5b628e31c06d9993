"""Ideas on what a generator leaves out."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.quick import FEW_PICTURES, FEW_POINTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

# ── 27: mode collapse ─────────────────────────────────────────────────────────────────────────

RING = "lectures/27_ring.yaml"
STACKED = "lectures/27_stacked.yaml"
MINIBATCH_STD = ("critic.minibatch_std=true",)
RING_CURES: dict[str, tuple[str, ...]] = {
    "no cure": (),
    "R1": ("penalties=[{name: r1, weight: 1.0}]",),
    "minibatch std": MINIBATCH_STD,
}
STACKED_CURES = {**RING_CURES, "R1": ("penalties=[{name: r1, weight: 10.0}]",)}
"""Overrides of the two files."""


def _collapse(stage: "Stage") -> list[Finding]:
    from seqgan.data.points import Mixture
    from seqgan.lectures.stage import measured, measured_on_real
    from seqgan.reporting.panels import PALETTE, panels, save_png

    rings = {
        name: stage.train(RING, *cure, name=f"ring-{name}", quick=FEW_POINTS)
        for name, cure in RING_CURES.items()
    }
    stacks = {
        name: stage.train(STACKED, *cure, name=f"stacked-{name}", quick=FEW_PICTURES)
        for name, cure in STACKED_CURES.items()
    }
    modes = {name: measured(run) for name, run in rings.items()}
    digits = {name: measured(run) for name, run in stacks.items()}
    figure, axes = panels(3, 2, width=2.7, height=2.7)
    centres_K2 = Mixture("ring", 0.1).centres_K2
    for panel, (name, run) in zip(axes, rings.items(), strict=False):
        points_N2 = run.sample_arrays(600)
        panel.plot(*points_N2.T, "o", color=PALETTE[0], markersize=2, alpha=0.5)
        panel.plot(*centres_K2.T, "x", color=PALETTE[3], markersize=6)
        panel.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), xticks=[], yticks=[], aspect="equal")
        panel.set_title(f"{name}: {modes[name]['modes']:.0f} of 8 modes", fontsize=10)
    for panel, (name, run) in zip(axes[3:], stacks.items(), strict=True):
        _show_samples(panel, run)
        panel.set_title(f"{name}: {digits[name]['modes']:.0f} of 1,000 modes", fontsize=10)
    save_png(figure, stage.picture("collapse"))
    real = measured_on_real(stacks["R1"])
    return [
        Finding(
            Said("ring, no cure: modes of 8", "環形資料，不加對策：8 個 mode 涵蓋了幾個"),
            modes["no cure"]["modes"],
            at_most=4,
        ),
        Finding(
            Said("ring, R1: modes of 8", "環形資料，R1：8 個 mode 涵蓋了幾個"),
            modes["R1"]["modes"],
            at_least=8,
            at_most=8,
        ),
        Finding(
            Said(
                "ring, minibatch std: modes of 8",
                "環形資料，minibatch std：8 個 mode 涵蓋了幾個",
            ),
            modes["minibatch std"]["modes"],
            at_least=8,
            at_most=8,
        ),
        Finding(
            Said(
                "stacked digits, real: modes of 1,000",
                "三位數字，真實資料：1,000 個 mode 涵蓋了幾個",
            ),
            real["modes"],
        ),
        Finding(
            Said("stacked digits, no cure: modes", "三位數字，不加對策：涵蓋幾個 mode"),
            digits["no cure"]["modes"],
        ),
        Finding(
            Said(
                "stacked digits, R1: modes more than without",
                "三位數字，R1：比不加時多涵蓋幾個 mode",
            ),
            digits["R1"]["modes"] - digits["no cure"]["modes"],
            at_least=100,
        ),
        Finding(
            Said(
                "stacked digits, minibatch std: modes more than without",
                "三位數字，minibatch std：比不加時多涵蓋幾個 mode",
            ),
            digits["minibatch std"]["modes"] - digits["no cure"]["modes"],
        ),
        Finding(
            Said("stacked digits, no cure: KL to uniform", "三位數字，不加對策：與均勻分布的 KL"),
            digits["no cure"]["mode_kl"],
        ),
        Finding(
            Said("stacked digits, R1: KL less than without", "三位數字，R1：KL 比不加時少多少"),
            digits["no cure"]["mode_kl"] - digits["R1"]["mode_kl"],
            at_least=0.1,
        ),
    ]


def _show_samples(panel: "Axes", run: "SavedRun", rows: int = 25, columns: int = 5) -> None:
    from seqgan.reporting.panels import show_pictures

    show_pictures(panel, run.sample_arrays(rows), columns)


COLLAPSE = Idea(
    27,
    Said("Mode collapse and mode dropping", "mode collapse 與 mode dropping"),
    Said(
        "A generator may repeat a few samples that the critic does not know yet, or leave whole "
        "modes out while every single sample looks real. Where modes can be counted this is seen: "
        "on eight Gaussians a gradient penalty (R1), or a critic that sees how much a batch varies "
        "(minibatch std), prevents it; on 1,000 triples of digits R1 keeps over a hundred more.",
        "生成器可能只重複少數判別器還不認得的樣本，也可能漏掉整塊資料，"
        "而每一張單獨看起來都像真的。"
        "用數得出 mode 的資料就看得出來：在八個高斯上，"
        "gradient penalty (R1)，或讓判別器看到整批樣本的差異 (minibatch std)，都可以避免；"
        "在一千種三位數字上，R1 多保住一百個以上的 mode。",
    ),
    Said(
        "modes = |{k : some G(z) is of k}|,   KL(share of modes ‖ uniform)",
        "mode 數 = |{k：有 G(z) 屬於 k}|，   KL(各 mode 的比例 ‖ 均勻分布)",
    ),
    _collapse,
)

IDEAS: tuple[Idea, ...] = (COLLAPSE,)
