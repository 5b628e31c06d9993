"""The idea that pixels are not independent: what squared error does not see, and depth does."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.pictures import FEWER

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage

CONFIG = "lectures/15_pixels.yaml"
DEPTHS = (1, 2, 4)
"""Hidden layers of the generator."""
THICKER = 0.5
"""By how many units (a 16th of the picture) the stroke is thicker."""


def digits_and_faults(count: int, size: int, seed: int) -> "tuple[Tensor, Tensor, Tensor]":
    """Digits, the same with one stray white pixel, and the same with a thicker stroke: each
    `uint8` [N, 1, size, size]."""
    import torch

    from seqgan.core.rng import isolated
    from seqgan.tasks.digits.drawing import STYLES, draw_digits, sample_digits

    labels_N, styles_NK = sample_digits(count, seed)
    column, (least, most) = list(STYLES).index("thickness"), STYLES["thickness"]
    styles_NK[:, column].clamp_(least, most - THICKER)  # the thicker one is a usual one, too
    x_N1HW = draw_digits(labels_N, styles_NK, size, seed)
    thicker_NK = styles_NK.clone()
    thicker_NK[:, column] += THICKER
    near = torch.nn.functional.max_pool2d(x_N1HW.float(), 5, stride=1, padding=2) > 0
    with isolated(seed):
        place_N1 = torch.multinomial((~near).flatten(1).float(), 1)
    stray = x_N1HW.clone().flatten(1).scatter_(1, place_N1, 255).view_as(x_N1HW)
    return x_N1HW, stray, draw_digits(labels_N, thicker_NK, size, seed)


def _pixels(stage: "Stage") -> list[Finding]:
    from seqgan.core.pictures import to_unit
    from seqgan.metrics.isolated import isolated_pixels
    from seqgan.reporting.panels import PALETTE, panels, save_png, show_pictures

    runs = {
        depth: stage.train(CONFIG, f"generator.layers={depth}", name=f"depth{depth}", quick=FEWER)
        for depth in DEPTHS
    }
    critic = runs[DEPTHS[1]].critic
    digits, stray, thicker = (to_unit(x) for x in digits_and_faults(500, 16, seed=7))
    error = {
        "stray": (stray - digits).square().flatten(1).mean(1),
        "thicker": (thicker - digits).square().flatten(1).mean(1),
    }
    score = {"stray": critic(stray).score, "thicker": critic(thicker).score}
    samples = {depth: run.sample_arrays(500) for depth, run in runs.items()}
    specks = {depth: float(isolated_pixels(x).float().mean()) for depth, x in samples.items()}

    figure, (pictures, bars, depths) = panels(
        3, titles=("digit, stray pixel, thicker", "which is better?", "depth of the generator")
    )
    rows = [x for k in range(5) for x in (digits[k], stray[k], thicker[k])]
    show_pictures(pictures, [row.numpy() for row in rows], columns=3)
    for place, name in enumerate(error):
        bars.bar(place - 0.2, float(error[name].mean()), 0.4, color=PALETTE[0])
        bars.bar(place + 0.2, float(score[name].sigmoid().mean()), 0.4, color=PALETTE[1])
    bars.set(xticks=[0, 1], xticklabels=["stray pixel", "thicker"], ylabel="error, or D(x)")
    bars.legend(["squared error per pixel", "D(x)"], fontsize=8)
    depths.plot(DEPTHS, list(specks.values()), "o-", color=PALETTE[2])
    depths.set(xlabel="hidden layers", ylabel="stray pixels per sample", ylim=(0, None))
    save_png(figure, stage.picture("pixels"))
    return [
        Finding(
            "digits on which the stray pixel has the lower error",
            float((error["stray"] < error["thicker"]).float().mean()),
            at_least=0.95,
        ),
        Finding(
            "digits on which it has the lower critic's score",
            float((score["stray"] < score["thicker"]).float().mean()),
            at_least=0.9,
        ),
        *(Finding(f"stray pixels per sample, {d} hidden layers", specks[d]) for d in DEPTHS),
        Finding("deepest over shallowest", specks[DEPTHS[-1]] / specks[DEPTHS[0]], at_most=0.8),
    ]


PIXELS = Idea(
    15,
    Said("Pixels depend on each other", "像素之間的關係"),
    Said(
        "A digit with one stray pixel is closer to the original than one with a thicker stroke, "
        "and yet it is the worse digit, as a critic sees. The last layer makes each pixel by "
        "itself, so that relations between pixels have to come from more layers below it.",
        "多了一個雜點的數字，像素誤差比筆畫較粗的還小，卻是比較差的數字，判別器看得出來。"
        "最後一層各自產生每個像素，像素之間的關係得靠下面更多層來學。",
    ),
    "‖x′ − x‖² < ‖x″ − x‖²   and yet   D(x′) < D(x″)",
    _pixels,
)

IDEAS: tuple[Idea, ...] = (PIXELS,)
