"""Ideas on generators that are told what to make: by a caption, by a picture."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.pictures import pictures_of
from seqgan.lectures.quick import FEW_PICTURES, few_pictures

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.data.pictures import Pictures
    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

CAPTIONS = "lectures/31_captions.yaml"
PIX2PIX = "lectures/32_pix2pix.yaml"
COLOURS = "lectures/37_colourisation.yaml"
FEW_PAIRS = few_pictures("data.b")
SHOWN = 7


# ── 31: caption to picture ────────────────────────────────────────────────────────────────────

PROMPTS = (
    "long blue hair, glasses",
    "short red hair, open mouth",
    "blond hair, blue eyes",
    "no glasses, green eyes",
)


def right_caption_wins(run: "SavedRun") -> float:
    """Share of held-out faces whose own caption the critic scores above one with a wrong word."""
    import torch

    from seqgan.core.pictures import to_unit

    captions, faces = run.captions, pictures_of(run).test
    assert captions is not None, "a run on captions"
    assert faces.labels_NA is not None, "faces have labels"
    x = to_unit(faces.x_NCHW)
    right = captions.draw(faces.labels_NA, 1)
    torch.manual_seed(0)
    scores = [run.critic(x, None, cond).score for cond in (right, captions.wrong(right))]
    return float((scores[0] > scores[1]).float().mean())


def _captions(stage: "Stage") -> list[Finding]:
    from seqgan.lectures.stage import measured
    from seqgan.reporting.panels import panels, save_png, show_pictures

    small = (*FEW_PICTURES, "data.size=16")
    told = stage.train(CAPTIONS, name="mismatched", quick=small)
    alone = stage.train(CAPTIONS, "game.mismatched=0", name="matched", quick=small)
    figure, axes = panels(2, 2, titles=PROMPTS, width=2.7, height=0.75)
    for panel, prompt in zip(axes, PROMPTS, strict=True):
        show_pictures(panel, told.sample_arrays(SHOWN, prompt=prompt).cpu(), columns=SHOWN)
    save_png(figure, stage.picture("captions"))
    match = {name: measured(run)["caption_match"] for name, run in (("t", told), ("a", alone))}
    wins = {name: right_caption_wins(run) for name, run in (("t", told), ("a", alone))}
    return [
        Finding(
            Said(
                "what captions ask for that is read in the faces",
                "敘述要求的特徵，臉上認得出來的比例",
            ),
            match["t"],
            at_least=0.9,
        ),
        Finding(
            Said("the same, trained without wrong captions", "同上，訓練時沒有配錯的例子"),
            match["a"],
        ),
        Finding(
            Said(
                "real faces whose own caption beats a wrong one",
                "真實的臉：正確敘述的分數高於錯誤敘述的比例",
            ),
            wins["t"],
            at_least=0.9,
        ),
        Finding(
            Said("the same, trained without wrong captions", "同上，訓練時沒有配錯的例子"),
            wins["a"],
            at_most=wins["t"],
        ),
    ]


TEXT_TO_PICTURE = Idea(
    31,
    Said("From caption to picture", "從文字敘述到圖片"),
    Said(
        "Generator and critic both read the caption, and the critic has to refuse two things: a "
        "generated face, and a real face under a caption that is not true of it. Without such "
        "pairs the critic may look at the picture alone.",
        "生成器與判別器都讀文字敘述，而判別器要拒絕兩種情形：生成的臉，以及真實的臉配上錯誤的敘述。"
        "少了這種配錯的例子，判別器可能只看圖片好不好。",
    ),
    Said(
        "max_D E[log D(c, x)] + E[log(1 − D(c, G(c, z)))] + E[log(1 − D(c′, x))],   c′ wrong for x",
        "max_D E[log D(c, x)] + E[log(1 − D(c, G(c, z)))] + E[log(1 − D(c′, x))]，   c′ 與 x 不符",
    ),
    _captions,
)

# ── 32: pix2pix ───────────────────────────────────────────────────────────────────────────────


def pairs_of(run: "SavedRun") -> "tuple[Pictures, Pictures]":
    """The pairs that a run was trained and is tested on, drawn again."""
    from seqgan.data.paired_pictures_config import PairedPicturesConfig

    data = run.experiment.data
    assert isinstance(data, PairedPicturesConfig), "a run on pairs of pictures"
    return data.build_pairs()


def translated(run: "SavedRun", source: "Pictures") -> "Tensor":
    """What a run makes of the first held-out sources."""
    from seqgan.core.pictures import to_unit

    x_NCHW: Tensor = run.transform_pictures(to_unit(source.test.x_NCHW[:SHOWN])).cpu()
    return x_NCHW


def _pix2pix(stage: "Stage") -> list[Finding]:
    from seqgan.core.pictures import to_unit
    from seqgan.lectures.stage import measured
    from seqgan.reporting.panels import panels, save_png, show_pictures

    alone = "schedule=[{repeat: 500, phases: {generator: 1}}]"  # no critic is needed
    runs = {
        "L1": stage.train(PIX2PIX, alone, "game.adversarial_weight=0", name="l1", quick=FEW_PAIRS),
        "GAN": stage.train(PIX2PIX, "game.distance_weight=0", name="gan", quick=FEW_PAIRS),
        "GAN + L1": stage.train(PIX2PIX, name="both", quick=FEW_PAIRS),
    }
    source, target = pairs_of(runs["L1"])
    made = {name: translated(run, source) for name, run in runs.items()}
    rows = {
        "edges": to_unit(source.test.x_NCHW[:SHOWN]),
        **made,
        "true digits": to_unit(target.test.x_NCHW[:SHOWN]),
    }
    figure, axes = panels(1, len(rows), titles=list(rows), width=4.6, height=0.85)
    for panel, x_NCHW in zip(axes, rows.values(), strict=True):
        show_pictures(panel, x_NCHW, columns=SHOWN)
    save_png(figure, stage.picture("pix2pix"))
    sharp = {name: measured(run)["sharpness_a2b"] for name, run in runs.items()}
    far = {name: measured(run)["l1_a2b"] for name, run in runs.items()}
    return [
        Finding(
            Said(
                "sharpness relative to the true digits, L1 alone", "與正確數字的清晰度之比：只用 L1"
            ),
            sharp["L1"],
            at_most=0.9,
        ),
        Finding(
            Said(
                "sharpness relative to the true digits, GAN + L1",
                "與正確數字的清晰度之比：GAN + L1",
            ),
            sharp["GAN + L1"],
        ),
        Finding(
            Said("how many times as sharp", "後者是前者的幾倍"),
            sharp["GAN + L1"] / sharp["L1"],
            at_least=1.05,
        ),
        Finding(
            Said("distance to the true digit, L1 alone", "與正確數字的距離：只用 L1"), far["L1"]
        ),
        Finding(
            Said("that of GAN + L1, over L1 alone", "GAN + L1 的距離與只用 L1 之比"),
            far["GAN + L1"] / far["L1"],
            at_most=1.2,
        ),
        Finding(
            Said("that of GAN alone, over GAN + L1", "只用 GAN 的距離與 GAN + L1 之比"),
            far["GAN"] / far["GAN + L1"],
            at_least=1.0,
        ),
    ]


PAIRS = Idea(
    32,
    Said("A picture from a picture (pix2pix)", "從圖片到圖片 (pix2pix)"),
    Said(
        "With pairs, a generator can be taught by the distance to the true picture, but where "
        "several pictures are possible that is smallest at their blurred middle. A critic that "
        "reads source and picture together wants one of them, and the distance keeps it to the "
        "right one.",
        "有成對資料時，可以用與正確圖片的距離來訓練生成器，但若有多種可能，距離最小的是模糊的中間值。"
        "同時讀輸入與圖片的判別器會要求其中一張清晰的圖，而距離項讓它不會偏離正確的那一張。",
    ),
    Said.both("min_G max_D E[log D(x, y)] + E[log(1 − D(x, G(x)))] + λ E|y − G(x)|"),
    _pix2pix,
)

# ── 37: colourisation ─────────────────────────────────────────────────────────────────────────


def colourfulness(x_NCHW: "Tensor") -> float:
    """Mean deviation of a pixel's colours from its lightness."""
    return float((x_NCHW - x_NCHW.mean(1, keepdim=True)).abs().mean())


def _colours(stage: "Stage") -> list[Finding]:
    from seqgan.core.pictures import to_unit
    from seqgan.reporting.panels import panels, save_png, show_pictures

    run = stage.train(COLOURS, name="colours", quick=FEW_PAIRS)
    grey, true = pairs_of(run)
    x, y = to_unit(grey.test.x_NCHW), to_unit(true.test.x_NCHW)
    made = run.transform_pictures(x).cpu()
    rows = {"lightness": x, "coloured": made, "true faces": y}
    figure, axes = panels(1, len(rows), titles=list(rows), width=4.6, height=0.85)
    for panel, pictures in zip(axes, rows.values(), strict=True):
        show_pictures(panel, pictures[:SHOWN], columns=SHOWN)
    save_png(figure, stage.picture("colourisation"))
    far, before = float((made - y).abs().mean()), float((x - y).abs().mean())
    return [
        Finding(Said("distance to the true colours", "與真實顏色的距離"), far),
        Finding(
            Said("as a share of that of the grey face", "與不上色時的距離之比"),
            far / before,
            at_most=0.5,
        ),
        Finding(
            Said("colour, as a share of the true faces'", "色彩的鮮豔程度與真實的臉之比"),
            colourfulness(made) / colourfulness(y),
            at_least=0.8,
            at_most=1.2,
        ),
    ]


COLOURISATION = Idea(
    37,
    Said("Colourisation", "黑白照片上色"),
    Said(
        "Colouring, removing a mosaic or ageing a face are the same game with other pairs. What "
        "the lightness does not decide, such as red against blue hair, the generator has to make "
        "up.",
        "上色、去馬賽克、讓臉變老，都是同一套 GAN 訓練，只是換了成對的資料。"
        "亮度無法決定的部分，例如頭髮是紅是藍，就得由生成器自己決定。",
    ),
    Said(
        "x = lightness(y),   min_G max_D E[log D(x, y)] + E[log(1 − D(x, G(x)))] + λ E|y − G(x)|",
        "x = 亮度(y)，   min_G max_D E[log D(x, y)] + E[log(1 − D(x, G(x)))] + λ E|y − G(x)|",
    ),
    _colours,
)

IDEAS: tuple[Idea, ...] = (TEXT_TO_PICTURE, PAIRS, COLOURISATION)
