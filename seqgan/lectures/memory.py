"""The idea that a generator may learn its training pictures by heart, and how that is found out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.pictures import extractor_of, pictures_of
from seqgan.lectures.quick import FEW_PICTURES

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

CONFIG = "lectures/30_memory.yaml"
FEW, MANY = 100, 10_000
"""Training pictures."""
SHOWN = 10


@dataclass(frozen=True)
class Copies:
    """What a generator made, how near that is to what it was trained on, and its FID."""

    made_NCHW: "Tensor"
    nearest_NCHW: "Tensor"
    """The nearest training pictures of the first `SHOWN`."""
    distance_N: "Tensor"
    held_out_distance_M: "Tensor"
    test: dict[str, float]
    """`duplicates`, `nearest_ratio` and `copy_p_value`."""
    fid: float
    """To as many held-out pictures as there are, whatever the number of training pictures."""


def copies_of(run: "SavedRun", samples: int) -> Copies:
    """Look for the training pictures in a run's samples, pixel by pixel, and compare these with
    held-out pictures."""
    from seqgan.core.pictures import to_bytes
    from seqgan.metrics.frechet import frechet_distance
    from seqgan.metrics.memorisation import (
        compare_distances,
        nearest_distances,
        nearest_indices,
    )

    pictures = pictures_of(run)
    extractor = extractor_of(run, pictures)
    made_NCHW = to_bytes(run.sample_arrays(samples))
    made_NF, held_out_MF, train_KF = (
        x_NCHW.flatten(1).float() / 255
        for x_NCHW in (made_NCHW, pictures.test.x_NCHW, pictures.train.x_NCHW)
    )
    distance_N = nearest_distances(made_NF, train_KF)
    held_out_distance_M = nearest_distances(held_out_MF, train_KF)
    nearest_NCHW = pictures.train.x_NCHW[nearest_indices(made_NF[:SHOWN], train_KF)]
    test = compare_distances(distance_N, held_out_distance_M)
    features = (extractor.features(x_NCHW) for x_NCHW in (pictures.test.x_NCHW, made_NCHW))
    fid = frechet_distance(*features)
    return Copies(made_NCHW, nearest_NCHW, distance_N, held_out_distance_M, test, fid)


def _memory(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.core.pictures import to_unit
    from seqgan.reporting.panels import PALETTE, panels, save_png, show_pictures

    samples = 200 if stage.quick else 2_000
    few = stage.train(CONFIG, f"data.max_train={FEW}", name="few", quick=FEW_PICTURES)
    many = stage.train(CONFIG, name="many", quick=FEW_PICTURES)
    found = {FEW: copies_of(few, samples), MANY: copies_of(many, samples)}
    figure, axes = panels(2, 2, width=3.9, height=2.3)
    for (count, copies), shown, panel in zip(found.items(), axes[:2], axes[2:], strict=True):
        pairs = torch.cat([copies.made_NCHW[:SHOWN], copies.nearest_NCHW])
        show_pictures(shown, to_unit(pairs), columns=SHOWN)
        title = f"{count:,} training pictures: samples,\nnearest training pictures below"
        shown.set_title(title, fontsize=10)
        edges = torch.linspace(0, 8, 33).tolist()
        sets = {"held out": copies.held_out_distance_M, "generated": copies.distance_N}
        for colour, (name, distances) in zip(("0.7", PALETTE[1]), sets.items(), strict=True):
            panel.hist(distances.numpy(), edges, color=colour, alpha=0.7, density=True, label=name)
        panel.set(xlabel="distance to the nearest training picture", yticks=[])
        panel.legend(fontsize=8)
    save_png(figure, stage.picture("memory"))
    copier, fresh = found[FEW].test, found[MANY].test
    test = Said(
        "p-value (are samples nearer to training pictures than held-out ones?)",
        "抄襲檢定的 p 值（生成圖片是否比測試圖片更靠近訓練圖片）",
    )
    return [
        *(
            Finding(Said(f"{count} pictures: FID", f"{count} 張訓練圖片：FID"), copies.fid)
            for count, copies in found.items()
        ),
        Finding(
            Said(f"{FEW} pictures: share of duplicates", f"{FEW} 張訓練圖片：幾乎照抄的比例"),
            copier["duplicates"],
        ),
        Finding(
            Said(f"{FEW} pictures: {test.en}", f"{FEW} 張訓練圖片：{test.zh}"),
            copier["copy_p_value"],
            at_most=1e-3,
        ),
        Finding(
            Said(
                f"{FEW} pictures: distance / held out",
                f"{FEW} 張訓練圖片：生成與測試圖片的距離之比",
            ),
            copier["nearest_ratio"],
        ),
        Finding(
            Said(f"{MANY} pictures: share of duplicates", f"{MANY} 張訓練圖片：幾乎照抄的比例"),
            fresh["duplicates"],
            at_most=0.05,
        ),
        Finding(
            Said(f"{MANY} pictures: {test.en}", f"{MANY} 張訓練圖片：{test.zh}"),
            fresh["copy_p_value"],
            at_least=0.01,
        ),
        Finding(
            Said(
                f"{MANY} pictures: distance / held out",
                f"{MANY} 張訓練圖片：生成與測試圖片的距離之比",
            ),
            fresh["nearest_ratio"],
        ),
    ]


MEMORY = Idea(
    30,
    Said("The memory GAN", "只會背資料的 GAN"),
    Said(
        "FID and Inception score do not ask whether a picture was copied. Distances to the nearest "
        "training picture do, beside those of held-out pictures: trained on 100 digits the GAN "
        "copies, trained on 10,000 it does not.",
        "FID 和 Inception score 不管圖片是不是抄來的。"
        "把生成圖片與測試圖片各自到最近訓練圖片的距離擺在一起就看得出來："
        "只用 100 張訓練的 GAN 在背答案，用 10,000 張的沒有。",
    ),
    Said(
        "d(G(z), nearest training picture)   against   "
        "d(held-out picture, nearest training picture)",
        "d(G(z), 最近的訓練圖片)   對照   d(測試圖片, 最近的訓練圖片)",
    ),
    _memory,
)

IDEAS: tuple[Idea, ...] = (MEMORY,)
