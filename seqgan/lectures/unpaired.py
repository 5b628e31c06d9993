"""Ideas on two kinds of pictures without pairs."""

from typing import TYPE_CHECKING, Any

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.quick import few_pictures

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage

STYLE = "lectures/33_style.yaml"
FEW_OF_BOTH = few_pictures("data.a", "data.b")
_WHOLE = "generator={name: translator, width: 12, blocks: 1}"
_NO_CYCLE = "game.cycle_weight=0"
SHOWN = 8


def next_digit(labels_N: "Tensor", labels_M: "Tensor") -> "Tensor":
    """A one-to-one map: for each picture of digit k the index of another of digit k + 1 among
    those with `labels_M`, as long as there are any; −1 where none is left.

    With its inverse as the way back it has a perfect cycle, and every translation is a real
    picture; yet no digit is kept.
    """
    import torch

    target_N = torch.full_like(labels_N, -1)
    for digit in range(10):
        sources = (labels_N == digit).nonzero().squeeze(1)
        targets = (labels_M == (digit + 1) % 10).nonzero().squeeze(1)
        count = min(len(sources), len(targets))
        target_N[sources[:count]] = targets[:count]
    return target_N


def _style(stage: "Stage") -> list[Finding]:
    from seqgan.core.pictures import to_unit
    from seqgan.lectures.stage import measured
    from seqgan.reporting.panels import panels, save_png, show_pictures

    runs = {
        "no cycle": stage.train(STYLE, _WHOLE, _NO_CYCLE, name="no_cycle", quick=FEW_OF_BOTH),
        "cycle": stage.train(STYLE, _WHOLE, name="cycle", quick=FEW_OF_BOTH),
        "neighbourhoods": stage.train(STYLE, name="neighbourhoods", quick=FEW_OF_BOTH),
    }
    data: Any = runs["cycle"].experiment.data
    a, b = (side.test for side in data.build_pictures())
    x = to_unit(a.x_NCHW[:SHOWN])
    made = {name: run.transform_pictures(x, "a2b") for name, run in runs.items()}
    target_N = next_digit(a.labels_NA[:, 0], b.labels_NA[:, 0])
    mapped = target_N >= 0
    kept = (a.labels_NA[mapped, 0] == b.labels_NA[target_N[mapped], 0]).float().mean()
    rows = {
        "given": x,
        "critic alone: the input is ignored": made["no cycle"],
        "with the cycle: another digit, and in it …": made["cycle"],
        "… what it takes to come back": runs["cycle"].transform_pictures(made["cycle"], "b2a"),
        "cycle, translator of neighbourhoods": made["neighbourhoods"],
        "a perfect cycle that shifts every digit": to_unit(b.x_NCHW[target_N[:SHOWN].clamp(0)]),
    }
    figure, axes = panels(1, len(rows), titles=list(rows), width=4.4, height=0.85)
    for panel, pictures in zip(axes, rows.values(), strict=True):
        show_pictures(panel, pictures.cpu(), columns=SHOWN)
    save_png(figure, stage.picture("style"))
    found = {name: measured(run) for name, run in runs.items()}
    label, error = "label_preservation_a2b", "cycle_a"
    return [
        Finding(
            Said("digit kept, critic alone", "數字不變的比例：只有判別器"),
            found["no cycle"][label],
            at_most=0.25,
        ),
        Finding(
            Said("digit kept, cycle", "數字不變的比例：加上 cycle"),
            found["cycle"][label],
        ),
        Finding(
            Said(
                "digit kept, cycle and neighbourhoods", "數字不變的比例：加上 cycle，只看鄰近像素"
            ),
            found["neighbourhoods"][label],
            at_least=0.7,
        ),
        Finding(
            Said(
                "error of the round trip, cycle as share of critic alone",
                "來回轉換的誤差：加上 cycle 與只有判別器之比",
            ),
            found["cycle"][error] / found["no cycle"][error],
            at_most=0.5,
        ),
        *(
            Finding(
                Said(
                    f"{name}: that error with noise on the picture between, over without",
                    f"{zh}：在中間圖片加雜訊後，該誤差是原來的幾倍",
                ),
                found[name]["cycle_noisy_a"] / found[name][error],
            )
            for name, zh in {"cycle": "加上 cycle", "neighbourhoods": "只看鄰近像素"}.items()
        ),
        Finding(
            Said(
                "digit kept by a perfect cycle that shifts digits",
                "數字不變的比例：完美的 cycle，但每個數字都加一",
            ),
            float(kept),
        ),
    ]


STYLE_IDEA = Idea(
    33,
    Said("Unpaired styles: CycleGAN", "不成對的風格轉換：CycleGAN"),
    Said(
        "A critic of the target's style alone lets the generator ignore what it was given, and "
        "the way back, which has to recover the input, forbids that. But a cycle guarantees no "
        "meaning: another digit may hold what it takes to come back, unless the translator sees "
        "neighbourhoods only and cannot change the shape.",
        "若只有判別目標風格的判別器，生成器可以不理會輸入；要求能轉換回來的 cycle 則不允許這樣。"
        "但 cycle 不保證意義不變：還原所需的資訊可以藏在另一個數字裡，"
        "除非轉換器只看得到鄰近像素、改不了形狀。",
    ),
    Said.both("min_{F,G} max_D  V(D_b, F) + V(D_a, G) + λ E|G(F(a)) − a| + λ E|F(G(b)) − b|"),
    _style,
)

IDEAS: tuple[Idea, ...] = (STYLE_IDEA,)
