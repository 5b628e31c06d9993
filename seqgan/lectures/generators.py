"""Ideas on networks as generators, and on their noise."""

import math
from typing import TYPE_CHECKING, Any

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.quick import FEW_PICTURES, FEW_POINTS

if TYPE_CHECKING:
    from seqgan.lectures.stage import Stage

# ── 1: a network as generator ─────────────────────────────────────────────────────────────────


_NOISES = {"normal": "常態分布", "uniform": "均勻分布"}


def _noise(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.lectures.stage import measured
    from seqgan.reporting.panels import panels, save_png, show_points

    figure, axes = panels(
        4, titles=("z, normal", "x = G(z)", "z, uniform", "x = G(z)"), width=2.6, height=2.8
    )
    findings = []
    for column, noise in enumerate(_NOISES):
        asked = f"generator.noise={noise}"
        run = stage.train("lectures/01_ring.yaml", asked, name=noise, quick=FEW_POINTS)
        with torch.no_grad():
            z_N2 = run.generator.draw(2_000)
            x_N2, again_N2 = run.generator(z_N2), run.generator(z_N2)
        for panel, points_N2 in zip(axes[2 * column :], (z_N2, x_N2), strict=False):
            angle_N = torch.atan2(z_N2[:, 1], z_N2[:, 0])
            show_points(panel, points_N2, c=angle_N, cmap="twilight")
            panel.set(aspect="equal", xticks=[], yticks=[])
        metrics = measured(run)
        same, distinct = float((x_N2 - again_N2).abs().max()), len(torch.unique(x_N2, dim=0))
        zh = _NOISES[noise]
        findings += [
            Finding(
                Said(
                    f"{noise}: largest change when z is the same", f"{zh}：z 相同時，樣本的最大差異"
                ),
                same,
                at_least=0,
                at_most=0,
            ),
            Finding(
                Said(
                    f"{noise}: share of different x for different z",
                    f"{zh}：z 不同時，x 也不同的比例",
                ),
                distinct / 2_000,
                at_least=1,
                at_most=1,
            ),
            Finding(
                Said(f"{noise}: modes of eight", f"{zh}：八個 mode 涵蓋了幾個"),
                metrics["modes"],
                at_least=8,
            ),
            Finding(
                Said(f"{noise}: samples within 3σ of a mode", f"{zh}：落在某個 mode 3σ 內的樣本"),
                metrics["high_quality"],
                at_least=0.7,
            ),
        ]
    save_png(figure, stage.picture("noise"))
    return findings


NOISE = Idea(
    1,
    Said("A network as generator", "把網路當成生成器"),
    Said(
        "A network turns noise z of a simple known distribution into samples of a complicated one: "
        "the same z gives the same sample, another z another. Whether z is normal or uniform "
        "hardly matters.",
        "網路把簡單已知分布的雜訊 z 變成複雜分布的樣本："
        "同一個 z 得到同一個樣本，不同的 z 得到不同的樣本。"
        "z 用常態分布或均勻分布幾乎沒有差別。",
    ),
    Said("x = G(z),   z ~ N(0, I) or U(−1, 1)", "x = G(z)，  z ~ N(0, I) 或 U(−1, 1)"),
    _noise,
)

# ── 3 and 4: faces, and how they come about ───────────────────────────────────────────────────

FACES = "lectures/04_faces.yaml"
_CRITICS = {
    "convolutional critic": ("卷積判別器", "{name: dcgan, width: 16}"),
    "MLP critic": ("全連接判別器", "{name: mlp, hidden: 128}"),
}
"""What an architecture is called in Chinese, and its configuration."""


def _faces(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.lectures.stage import measured
    from seqgan.reporting.panels import panels, save_png, show_pictures
    from seqgan.reporting.runs import read_run

    figure, axes = panels(3, titles=("real", *_CRITICS))
    findings = []
    for panel, (name, (zh, critic)) in zip(axes[1:], _CRITICS.items(), strict=True):
        asked = (f"critic={critic}", "schedule.0.repeat=600")
        run = stage.train(FACES, *asked, name=name, quick=FEW_PICTURES)
        x_NCHW = run.sample(16)
        assert isinstance(x_NCHW, torch.Tensor)
        show_pictures(panel, x_NCHW, columns=4)
        score = run.critic(x_NCHW).score
        first = next(
            value
            for name, value in read_run(run.folder).evals[0]["metrics"].items()
            if name.startswith("fid@")
        )
        findings += [
            Finding(
                Said(f"{name}: numbers per picture", f"{zh}：每張圖輸出幾個數值"),
                score.numel() / len(x_NCHW),
                at_least=1,
                at_most=1,
            ),
            Finding(
                Said(f"{name}: FID, share of the start's", f"{zh}：FID 與一開始之比"),
                measured(run)["fid"] / first,
                at_most=0.5,
            ),
        ]
    data: Any = run.experiment.data
    real = data.build_pictures().test.x_NCHW[:16]
    show_pictures(axes[0], real.float() / 127.5 - 1, columns=4)
    save_png(figure, stage.picture("faces"))
    return findings


FACES_IDEA = Idea(
    3,
    Said("Faces from noise", "由雜訊生成人臉"),
    Said(
        "The generator makes a face of a vector of noise, and the critic reads a picture and "
        "gives one number: large for real ones, small for generated ones. Many networks will do: "
        "here the critic is one of convolutions or a multilayer perceptron (MLP).",
        "生成器由一個雜訊向量產生人臉，判別器讀入一張圖、輸出一個數值：真實圖片的分數高，生成圖片的分數低。"
        "兩者都可以用不同的架構：這裡的判別器用卷積網路或全連接網路（MLP）。",
    ),
    Said("G: z ∈ ℝ⁶⁴ → picture,   D: picture → ℝ", "G: z ∈ ℝ⁶⁴ → 圖片，   D: 圖片 → ℝ"),
    _faces,
)


def stays_above_half(updates: list[int], shares: list[float]) -> float:
    """The first number of updates from which on all shares are at least one half."""
    first = math.inf
    for count, share in zip(reversed(updates), reversed(shares), strict=True):
        if share < 0.5:
            break
        first = count
    return first


def _milestones(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.core.pictures import to_bytes
    from seqgan.core.rng import isolated
    from seqgan.decoding import generate
    from seqgan.reporting.panels import PALETTE, panels, save_png, show_pictures
    from seqgan.runs.weights import load_generator
    from seqgan.tasks.faces.anatomy import ATTRIBUTES
    from seqgan.tasks.faces.detector import detect, has_eyes
    from seqgan.training.checkpoint import Checkpoints

    run = stage.train(FACES, name="faces", quick=(*FEW_PICTURES, "train.checkpoint_every=2"))
    checkpoints = Checkpoints(run.folder / "checkpoints", keep=run.experiment.train.keep)
    names = [attribute.name for attribute in ATTRIBUTES]
    updates, sheets = [], {}
    parts: dict[str, list[float]] = {"eyes": [], "mouth": [], "eye colour": []}
    for step in checkpoints.steps():
        state = checkpoints.load(step)
        generator: Any = load_generator(run.experiment, run.space, state, run.device)
        with torch.no_grad(), isolated(0):
            x_NCHW = generate(generator, 400)
        read_A = (detect(to_bytes(x_NCHW), "day") >= 0).float().mean(0)
        parts["eyes"].append(float(has_eyes(to_bytes(x_NCHW)).float().mean()))
        parts["mouth"].append(float(read_A[names.index("mouth")]))
        parts["eye colour"].append(float(read_A[names.index("eye_colour")]))
        updates.append(state["players"]["generator"]["updates"])
        sheets[updates[-1]] = x_NCHW[:12]
    shown = [updates[i] for i in (0, min(1, len(updates) - 1), len(updates) // 2, -1)]
    figure, (*grids, curve) = panels(
        5, titles=[f"{count:,} updates" for count in shown], width=2.5, height=3.0
    )
    for panel, count in zip(grids, shown, strict=True):
        show_pictures(panel, sheets[count], columns=3)
    for colour, (part, shares) in zip(PALETTE, parts.items(), strict=False):
        curve.plot(updates, shares, color=colour, marker="o", markersize=3, label=part)
    curve.set(xlabel="updates", ylim=(-0.03, 1.03), title="share of the faces")
    curve.title.set_fontsize(10)
    curve.legend(fontsize=8)
    save_png(figure, stage.picture("milestones"))
    half = {part: stays_above_half(updates, shares) for part, shares in parts.items()}
    return [
        Finding(
            Said("faces with two eyes at the end", "訓練結束時，有兩隻眼睛的臉的比例"),
            parts["eyes"][-1],
        ),
        Finding(Said("with a mouth", "有嘴巴的臉的比例"), parts["mouth"][-1]),
        Finding(
            Said("with eyes whose colour can be read", "看得出眼睛顏色的臉的比例"),
            parts["eye colour"][-1],
        ),
        Finding(
            Said(
                "updates from which on half of the faces have two eyes",
                "更新幾次之後，一半以上的臉一直有兩隻眼睛",
            ),
            half["eyes"],
            at_most=2_000,
        ),
        Finding(
            Said(
                "updates from which on half of the faces have a mouth",
                "更新幾次之後，一半以上的臉一直有嘴巴",
            ),
            half["mouth"],
            at_most=2_000,
        ),
    ]


MILESTONES = Idea(
    4,
    Said("How faces come about", "人臉如何一步步出現"),
    Said(
        "The same noise is shown after 250, 500, 1,500 and 2,500 updates of the generator, and "
        "measured after every 250: first colours and the outline, then eyes and a mouth, and fine "
        "things last. Detectors say it in numbers: at the end most faces have eyes, but the colour "
        "of both is clear in few.",
        "用同一批雜訊看生成器更新 250、500、1,500 與 2,500 次之後的圖，並每 250 次量測一次："
        "先有顏色與輪廓，"
        "再有眼睛與嘴巴，最後才是細節。偵測器用數字說明同一件事："
        "訓練結束時，大多數的臉都有眼睛，但兩眼顏色都清楚的還很少。",
    ),
    Said(
        "x_t = G_t(z),   z fixed,   t = 250, 500, … 2,500",
        "x_t = G_t(z)，   z 固定，   t = 250, 500, … 2,500",
    ),
    _milestones,
)

IDEAS: tuple[Idea, ...] = (NOISE, FACES_IDEA, MILESTONES)
