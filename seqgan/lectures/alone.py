"""Ideas on one player without the other."""

import time
from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.pictures import pictures_of
from seqgan.lectures.quick import FEW_PICTURES, FEW_POINTS

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

# ── 10: the generator alone, the critic alone, and both ───────────────────────────────────────

PLAYERS: dict[str, tuple[str, ...]] = {
    "generator alone": ("lectures/10_generator_alone.yaml",),
    "critic alone": ("lectures/19_argmax.yaml", "data.std=0.05"),
    "both": ("lectures/01_ring.yaml",),
}
"""A configuration and overrides of it: each learns the same thin ring."""
IN_CHINESE = {
    "generator alone": "只用生成器",
    "critic alone": "只用判別器",
    "both": "兩者並用",
}
SHOWN = 2_000
TIMED = 200
"""Samples, of which the fastest counts: other work on the same cores can only slow one down."""


def milliseconds_for_one(run: "SavedRun") -> float:
    """What it takes to draw a sample by itself, the least of many."""
    from seqgan.core.rng import isolated
    from seqgan.decoding import generate

    seconds, generator = [], run.generator
    with isolated(0):
        for _ in range(TIMED):
            started = time.perf_counter()
            generate(generator, 1)
            seconds.append(time.perf_counter() - started)
    return 1000 * min(seconds)


def _players(stage: "Stage") -> list[Finding]:
    from seqgan.data.points_config import PointsDataConfig
    from seqgan.lectures.stage import measured
    from seqgan.reporting.panels import PALETTE, panels, save_png

    runs = {
        name: stage.train(*asked, name=name, quick=FEW_POINTS) for name, asked in PLAYERS.items()
    }
    data = runs["both"].experiment.data
    assert isinstance(data, PointsDataConfig), "points"
    real_N2 = data.build_mixture().draw(0, SHOWN).numpy()
    good = {}
    figure, axes = panels(4, titles=["the data", *runs], width=2.2, height=2.3)
    axes[0].scatter(real_N2[:, 0], real_N2[:, 1], s=1, color="0.4")
    for panel, colour, (name, run) in zip(axes[1:], PALETTE, runs.items(), strict=False):
        good[name] = measured(run)["high_quality"]
        x_N2 = run.sample_arrays(SHOWN).cpu().numpy()
        panel.scatter(x_N2[:, 0], x_N2[:, 1], s=1, color=colour)
        panel.set_xlabel(f"near a centre: {100 * good[name]:.0f} %", fontsize=8)
    for panel in axes:
        panel.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
    save_png(figure, stage.picture("players"))
    cost = {name: milliseconds_for_one(run) for name, run in runs.items()}
    return [
        *(
            Finding(
                Said(f"share near a centre, {name}", f"落在中心附近的比例：{IN_CHINESE[name]}"),
                share,
            )
            for name, share in good.items()
        ),
        Finding(
            Said("both, minus generator alone", "兩者並用減去只用生成器"),
            good["both"] - good["generator alone"],
            at_least=0.02,
        ),
        *(
            Finding(
                Said(
                    f"ms for a sample by itself, {name}",
                    f"單獨生成一個樣本的毫秒數：{IN_CHINESE[name]}",
                ),
                value,
            )
            for name, value in cost.items()
        ),
        Finding(
            Said("time of the critic's search / the generator's", "判別器搜尋的時間是生成器的幾倍"),
            cost["critic alone"] / cost["both"],
            at_least=2,
        ),
    ]


ALONE = Idea(
    10,
    Said("Bottom-up and top-down", "由下而上與由上而下"),
    Said(
        "A generator alone copies examples part by part and is quick to sample, but does not see "
        "whether the whole is right; a critic alone judges the whole, but has to search for every "
        "sample. A GAN has both: the generator takes the place of the search.",
        "單獨的生成器由下而上、一部分一部分地模仿樣本，生成很快，卻看不到整體；"
        "單獨的判別器由上而下看整體，"
        "但每次生成都得搜尋。GAN 兼有兩者：生成器取代了判別器的 arg max 搜尋。",
    ),
    Said(
        "x = G(z)   or   x = arg max_x D(x);   GAN: G(z) ≈ arg max_x D(x)",
        "x = G(z)   或   x = arg max_x D(x)；   GAN：G(z) ≈ arg max_x D(x)",
    ),
    _players,
)

# ── 18: what the critic needs as negatives ────────────────────────────────────────────────────

NEGATIVES = "lectures/18_negatives.yaml"
_LEGEND = {
    "real only": "no negatives",
    "noise": "negatives: noise",
    "its own": "negatives: its own",
}
_ONE_PHASE = "schedule=[{repeat: 500, phases: {%s: 1}}]"
"""As many updates of the critic as the configuration has."""
STRAY = 6


def corrupted(x_NCHW: "Tensor") -> "dict[str, Tensor]":
    """Noise, and pictures that are nearly real: stray bright pixels, and the upper half of one
    with the lower half of the next."""
    import torch

    from seqgan.core.rng import isolated

    with isolated(0):
        noise = 2 * torch.rand_like(x_NCHW) - 1
        places = torch.rand_like(x_NCHW.flatten(1)).topk(STRAY, 1).indices
    stray = x_NCHW.clone().flatten(1).scatter_(1, places, 1.0).view_as(x_NCHW)
    middle = x_NCHW.shape[2] // 2
    joined = torch.cat([x_NCHW[:, :, :middle], x_NCHW.roll(1, 0)[:, :, middle:]], 2)
    return {"noise": noise, "stray pixels": stray, "two halves": joined}


def _negatives(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.core.pictures import to_unit
    from seqgan.metrics.auc import area_under_curve
    from seqgan.metrics.isolated import isolated_pixels
    from seqgan.reporting.panels import PALETTE, panels, save_png, show_pictures

    runs = {
        "real only": stage.train(NEGATIVES, _ONE_PHASE % "real", name="real", quick=FEW_PICTURES),
        "noise": stage.train(NEGATIVES, _ONE_PHASE % "critic", name="noise", quick=FEW_PICTURES),
        "its own": stage.train(NEGATIVES, name="mined", quick=FEW_PICTURES),
    }
    real = to_unit(pictures_of(runs["noise"]).test.x_NCHW)
    fakes = corrupted(real)
    with torch.no_grad():
        high = float(torch.sigmoid(runs["real only"].critic(fakes["noise"]).score).min())
        auc = {
            name: {
                kind: area_under_curve(run.critic(real).score, run.critic(x).score)
                for kind, x in fakes.items()
            }
            for name, run in runs.items()
        }
    filtered = area_under_curve(
        -isolated_pixels(real).float(), -isolated_pixels(fakes["stray pixels"]).float()
    )
    figure, (sheet, bars) = panels(
        2, titles=("real, and three kinds of negatives", "are real ones scored higher?")
    )
    rows = [real, *fakes.values()]
    show_pictures(sheet, torch.cat([x[:8] for x in rows]), columns=8)
    for place, (name, colour) in enumerate(zip(runs, PALETTE, strict=False)):
        places = [column + 0.27 * (place - 1) for column in range(len(fakes))]
        bars.bar(places, list(auc[name].values()), 0.25, color=colour, label=_LEGEND[name])
    bars.axhline(0.5, color="0.5", linewidth=0.8)
    bars.set(ylabel="AUC", ylim=(0, 1.35), xticks=range(len(fakes)))
    bars.set_xticklabels(fakes, fontsize=8)
    bars.legend(fontsize=7, loc="upper left", ncols=2)
    save_png(figure, stage.picture("negatives"))
    near = {"stray pixels": "雜點", "two halves": "上下拼接"}
    return [
        Finding(
            Said("real only: lowest D of pictures of noise", "只看真實圖片：雜訊圖的 D 最低多少"),
            high,
            at_least=0.9,
        ),
        Finding(
            Said("noise as negatives: AUC against noise", "用雜訊當負例：分辨雜訊的 AUC"),
            auc["noise"]["noise"],
            at_least=0.99,
        ),
        *(
            Finding(
                Said(f"noise as negatives: AUC against {kind}", f"用雜訊當負例：分辨{zh}的 AUC"),
                auc["noise"][kind],
                at_most=0.7 if kind == "two halves" else None,
            )
            for kind, zh in near.items()
        ),
        *(
            Finding(
                Said(
                    f"its own as negatives: AUC against {kind}",
                    f"用自己生成的當負例：分辨{zh}的 AUC",
                ),
                auc["its own"][kind],
            )
            for kind, zh in near.items()
        ),
        Finding(
            Said(
                "its own, minus noise: mean AUC of the two",
                "用自己生成的減去用雜訊：兩種 AUC 的平均差",
            ),
            sum(auc["its own"][kind] - auc["noise"][kind] for kind in near) / 2,
            at_least=0.05,
        ),
        Finding(
            Said(
                "a filter of isolated pixels: AUC against stray pixels",
                "找孤立像素的濾波器：分辨雜點的 AUC",
            ),
            filtered,
            at_least=0.95,
        ),
    ]


NEEDS = Idea(
    18,
    Said("A critic needs good negatives", "判別器需要好的負例"),
    Said(
        "Taught with real pictures alone, the critic gives everything a high score; taught against "
        "noise, it hardly tells joined halves of two digits from real ones; negatives that it "
        "scored highest itself help with both. One small filter that "
        "looks for isolated pixels sees what no output pixel of a generator can see by itself.",
        "只看真實圖片，判別器會給所有東西高分；用雜訊當負例，它幾乎分不出上下拼接的數字；"
        "拿它自己給高分的圖片當負例，兩種都分得比較清楚。"
        "一個找孤立像素的小濾波器，就能看到生成器各個輸出像素單獨看不到的東西。",
    ),
    Said(
        "max_D E_data[log D(x)] + E_neg[log(1 − D(x̃))],   x̃: none, noise, or arg max D",
        "max_D E_data[log D(x)] + E_neg[log(1 − D(x̃))]，   x̃：沒有、雜訊，或 arg max D",
    ),
    _negatives,
)

IDEAS: tuple[Idea, ...] = (ALONE, NEEDS)
