"""The idea that a generator has to be a distribution: one past, several futures."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.quick import FEW_PICTURES

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

REGRESSION = (
    *("game={name: regression, labels: true}", "critic=null", "objective=null", "penalties=[]"),
    *("estimator=null", "schedule=[{repeat: 1000, phases: {regress: 1}}]"),
)


def next_frames(run: "SavedRun", place: int, rows: int) -> "Tensor":
    """What a generator makes of one past, `uint8` [rows, 1, H, W]: equal label, other noise."""
    import torch

    from seqgan.core.pictures import to_bytes
    from seqgan.core.rng import isolated
    from seqgan.decoding import generate

    with isolated(0):
        return to_bytes(generate(run.generator, rows, cond=torch.full((rows, 1), place)))


def _futures(stage: "Stage") -> list[Finding]:
    from seqgan.core.pictures import to_unit
    from seqgan.reporting.panels import panels, save_png, show_pictures
    from seqgan.tasks.corner.drawing import (
        CORNER,
        draw_former_frames,
        draw_next_frames,
        exits_taken,
        walker_shares,
    )

    config, rows = "lectures/02_corner.yaml", 1000
    regression = stage.train(config, *REGRESSION, name="regression", quick=FEW_PICTURES)
    gan = stage.train(config, name="gan", quick=FEW_PICTURES)
    mean, drawn = (next_frames(run, CORNER, rows) for run in (regression, gan))
    size = mean.shape[-1]
    places_N, real = draw_next_frames(200, size, seed=1)
    at_corner = places_N == CORNER
    columns = {
        "the last frame so far": draw_former_frames(places_N[at_corner], size)[:1],
        "what really comes next": real[at_corner][:12],
        "squared error, other noise each": mean[:12],
        "GAN, other noise each": drawn[:12],
    }
    figure, axes = panels(len(columns), titles=list(columns), width=2.3, height=2.2)
    for panel, frames in zip(axes, columns.values(), strict=True):
        show_pictures(panel, to_unit(frames), columns=min(3, len(frames)))
    save_png(figure, stage.picture("futures"))

    left, right = walker_shares(mean).mean(0).tolist()
    taken = {
        "squared error": exits_taken(walker_shares(mean)),
        "GAN": exits_taken(walker_shares(drawn)),
    }
    one = {name: float((way_N >= 0).float().mean()) for name, way_N in taken.items()}
    went_N = taken["GAN"][taken["GAN"] >= 0]
    return [
        Finding(
            Said(
                "squared error: share of the walker that is left",
                "平方誤差：這個人有多少比例在左邊",
            ),
            left,
            at_least=0.35,
            at_most=0.65,
        ),
        Finding(
            Said(
                "squared error: share of the walker that is right",
                "平方誤差：這個人有多少比例在右邊",
            ),
            right,
            at_least=0.35,
            at_most=0.65,
        ),
        Finding(
            Said("squared error: frames with him in one exit", "平方誤差：只走其中一邊的畫面比例"),
            one["squared error"],
            at_most=0.05,
        ),
        Finding(
            Said("GAN: frames with him in one exit", "GAN：只走其中一邊的畫面比例"),
            one["GAN"],
            at_least=0.8,
        ),
        Finding(
            Said("GAN: share of those that goes left", "GAN：其中往左走的比例"),
            float((went_N == 0).float().mean()),
            at_least=0.3,
            at_most=0.7,
        ),
    ]


FUTURES = Idea(
    2,
    Said("Why a generator is a distribution", "為什麼生成器的輸出要是一個分布"),
    Said(
        "A walker comes to a corner and goes left or right: a network that is taught the next "
        "frame by squared error puts half of him into each exit, for that is the mean of what may "
        "happen. A generator that also reads noise, judged by a critic, sends him one way for "
        "each noise.",
        "走到轉角的人可能往左也可能往右：用平方誤差教網路預測下一個畫面，它會讓他同時出現在兩邊，"
        "因為那是所有可能的平均。生成器若多讀一個雜訊、由判別器來評分，每個雜訊就只走其中一邊。",
    ),
    Said(
        "argmin_G E‖x − G(c)‖² = E[x | c]   against   G(c, z) ~ p(x | c),  z ~ N(0, I)",
        "argmin_G E‖x − G(c)‖² = E[x | c]   對照   G(c, z) ~ p(x | c)，  z ~ N(0, I)",
    ),
    _futures,
)

IDEAS: tuple[Idea, ...] = (FUTURES,)
