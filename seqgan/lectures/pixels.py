"""The idea that pixels are not independent: what squared error does not see, and depth does."""

from typing import TYPE_CHECKING

from seqgan.lectures.codes import AUTOENCODER, encoded, mean_error
from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.pictures import pictures_of
from seqgan.lectures.quick import FEW_PICTURES

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage

DEPTHS = (1, 2, 3)
"""Hidden layers of a decoder."""
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
    from seqgan.reporting.panels import PALETTE, panels, save_png, show_pictures

    critic = stage.train("lectures/15_pixels.yaml", name="gan", quick=FEW_PICTURES).critic
    deeper = {
        depth: stage.train(
            AUTOENCODER, f"generator.layers={depth}", name=f"depth{depth}", quick=FEW_PICTURES
        )
        for depth in DEPTHS
    }
    test = to_unit(pictures_of(deeper[DEPTHS[0]]).test.x_NCHW)
    left = {d: mean_error(run.generator(encoded(run, test)), test) for d, run in deeper.items()}
    digits, stray, thicker = (to_unit(x) for x in digits_and_faults(500, 16, seed=7))
    versions = {"digit": digits, "stray pixel": stray, "thicker": thicker}
    error_N = {name: (x - digits).square().flatten(1).mean(1) for name, x in versions.items()}
    score_N = {name: critic(x).score for name, x in versions.items()}

    figure, (pictures, errors, scores, depths) = panels(
        4,
        titles=("digit, stray pixel, thicker", "squared error", "critic's score", "depth"),
        width=2.5,
    )
    rows = [x for k in range(5) for x in (digits[k], stray[k], thicker[k])]
    show_pictures(pictures, [row.numpy() for row in rows], columns=3)
    for panel, values_N in ((errors, error_N), (scores, score_N)):
        means = [float(value_N.mean()) for value_N in values_N.values()]
        panel.bar(range(3), means, color=PALETTE[:3])
        panel.set(xticks=range(3), xticklabels=["digit", "stray", "thicker"])
    depths.plot(DEPTHS, list(left.values()), "o-", color=PALETTE[3])
    depths.set(xlabel="decoder's hidden layers", ylabel="squared error", ylim=(0, None))
    save_png(figure, stage.picture("pixels"))

    def share(lower_N: "Tensor", higher_N: "Tensor") -> float:
        return float((lower_N < higher_N).float().mean())

    by_error = share(error_N["stray pixel"], error_N["thicker"])
    by_score = share(score_N["stray pixel"], score_N["thicker"])
    unseen = share(score_N["stray pixel"], score_N["digit"])
    return [
        Finding(
            Said(
                "stray pixel has the lower error than thicker", "多一個雜點的誤差小於筆畫較粗的比例"
            ),
            by_error,
            at_least=0.95,
        ),
        Finding(
            Said(
                "stray pixel has the lower score than thicker", "多一個雜點的分數低於筆畫較粗的比例"
            ),
            by_score,
            at_least=0.9,
        ),
        Finding(
            Said(
                "stray pixel has the lower score than the digit",
                "多一個雜點的分數低於原本數字的比例",
            ),
            unseen,
            at_least=0.8,
        ),
        *(
            Finding(
                Said(f"error of a decoder, hidden layers: {d}", f"解碼器的誤差：隱藏層 {d} 層"),
                left[d],
            )
            for d in DEPTHS
        ),
        Finding(
            Said("deepest over shallowest", "最深與最淺的誤差之比"),
            left[DEPTHS[-1]] / left[DEPTHS[0]],
            at_most=0.9,
        ),
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
    Said(
        "‖x′ − x‖² < ‖x″ − x‖²   and yet   D(x′) < D(x″)",
        "‖x′ − x‖² < ‖x″ − x‖²   但是   D(x′) < D(x″)",
    ),
    _pixels,
)

IDEAS: tuple[Idea, ...] = (PIXELS,)
