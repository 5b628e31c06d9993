"""Ideas on scores of generated samples: what they see, and what deceives them."""

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.data.pictures import Pictures
    from seqgan.evaluation.feature_extractor import FeatureExtractor
    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

# ── 28: the Inception score ───────────────────────────────────────────────────────────────────


def digits_and_extractor(quick: bool) -> "tuple[Pictures, FeatureExtractor]":
    """Drawn digits with the classifier that was trained on digits of its own."""
    import torch

    from seqgan.data.picture_config import PictureSetConfig
    from seqgan.evaluation.config import FeatureExtractorConfig
    from seqgan.tasks.digits.config import DigitsSourceConfig

    source = DigitsSourceConfig(train=2_000, valid=50, test=2_000)
    if quick:
        source = DigitsSourceConfig(train=200, extractor=200, valid=50, test=200)
    pictures = PictureSetConfig(source=source).build_pictures()
    config = FeatureExtractorConfig(updates=2 if quick else 400)
    own, sizes = pictures.extractor, pictures.label_sizes
    return pictures, config.build(own.x_NCHW, own.labels_NA, sizes, torch.device("cpu"))


def deceivers(pictures: "Pictures") -> "dict[str, Tensor]":
    """Sets of as many pictures (bytes): real ones, and some that should not score well."""
    import torch

    real_NCHW, labels_NA = pictures.train.x_NCHW, pictures.train.labels_NA
    assert labels_NA is not None, "digits have labels"
    rows = torch.arange(len(real_NCHW))
    first_K = torch.stack([(labels_NA[:, 0] == digit).nonzero()[0, 0] for digit in range(10)])
    stream = torch.Generator().manual_seed(0)
    noise = torch.randint(256, real_NCHW.shape, dtype=torch.uint8, generator=stream)
    blends = (real_NCHW.float() + real_NCHW.roll(1, 0).float()) / 2
    return {
        "real digits": real_NCHW,
        "one of each class": real_NCHW[first_K[rows % 10]],
        "one digit": real_NCHW[:1].expand_as(real_NCHW),
        "two digits blended": blends.to(torch.uint8),
        "noise": noise,
    }


def _inception(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.core.pictures import to_unit
    from seqgan.metrics.coverage import prdc
    from seqgan.metrics.inception import inception_score
    from seqgan.reporting.panels import PALETTE, panels, save_png, show_pictures

    pictures, extractor = digits_and_extractor(stage.quick)
    sets = deceivers(pictures)
    held_out_NF = extractor.features(pictures.test.x_NCHW)
    scores = {name: inception_score(extractor.log_probs(x)) for name, x in sets.items()}
    covered = {
        name: prdc(held_out_NF, extractor.features(x))["coverage"] for name, x in sets.items()
    }
    never = inception_score([torch.full((100, 10), 0.1).log()])
    sure = inception_score([(torch.eye(10).repeat(10, 1) + 1e-12).log()])
    figure, (shown, bars) = panels(2, width=3.9, height=2.9)
    rows = torch.cat([to_unit(x[:8]) for x in sets.values()])
    show_pictures(shown, rows, columns=8)
    shown.set_title("eight of each set", fontsize=10)
    places = torch.arange(len(sets))
    bars.barh(places - 0.2, list(scores.values()), 0.4, color=PALETTE[0], label="Inception score")
    share = [10 * value for value in covered.values()]
    bars.barh(places + 0.2, share, 0.4, color=PALETTE[1], label="coverage × 10")
    bars.set_yticks(places, list(sets))
    bars.invert_yaxis()
    bars.set_title(f"scores by {extractor.name}", fontsize=10)
    bars.legend(fontsize=8)
    save_png(figure, stage.picture("inception"))
    return [
        Finding("a classifier that never knows", never, 1 - 1e-6, 1 + 1e-6),
        Finding("ten classes, always sure", sure, 9.99, 10.01),
        Finding("real digits: Inception score", scores["real digits"], at_least=9.0),
        Finding("one of each class: Inception score", scores["one of each class"], at_least=9.0),
        Finding("one digit: Inception score", scores["one digit"], at_most=1.01),
        Finding("two digits blended: Inception score", scores["two digits blended"]),
        Finding("noise: Inception score", scores["noise"]),
        Finding("real digits: coverage", covered["real digits"], at_least=0.85),
        Finding("one of each class: coverage", covered["one of each class"], at_most=0.2),
    ]


INCEPTION = Idea(
    28,
    Said("The Inception score", "Inception score：又像又多樣"),
    Said(
        "A classifier should be sure about every sample and its answers should be spread over all "
        "classes: the score is 1 at worst and the number of classes at best. It does not look at "
        "real data: one picture of each class, over and over, gets the best score, and only "
        "coverage tells.",
        "讓分類器看生成的樣本：每一張都要很確定，整體又要平均分布在各類別，分數最差是 "
        "1、最好是類別數。"
        "它不看真實資料：每一類只重複同一張圖也能拿滿分，要靠 coverage 才看得出來。",
    ),
    "IS = exp E_x KL(p(y | x) ‖ p(y))",
    _inception,
)

# ── 29: the Fréchet distance ──────────────────────────────────────────────────────────────────


def three_heaps(points: int) -> "Tensor":
    """Points of three Gaussians at the corners of a triangle, with mean 0 and covariance 1."""
    import torch

    stream = torch.Generator().manual_seed(0)
    angles = torch.arange(3, dtype=torch.float64) * (2 * torch.pi / 3)
    corners_32 = sqrt(2) * torch.stack([angles.cos(), angles.sin()], 1)
    heap_N = torch.randint(3, (points,), generator=stream)
    noise_N2 = torch.randn(points, 2, generator=stream, dtype=torch.float64)
    return whitened(corners_32[heap_N] + 0.25 * noise_N2)


def whitened(x_NF: "Tensor") -> "Tensor":
    """The same points, moved so that mean and covariance are exactly 0 and 1."""
    import torch

    centred_NF = x_NF - x_NF.mean(0)
    factor_FF = torch.linalg.cholesky(centred_NF.T.cov())
    return torch.linalg.solve_triangular(factor_FF, centred_NF.T, upper=False).T


def _frechet(stage: "Stage") -> list[Finding]:
    import torch
    import torch.nn.functional as F

    from seqgan.metrics.frechet import frechet_distance
    from seqgan.metrics.kernel import kernel_distance
    from seqgan.reporting.panels import PALETTE, panels, save_png

    points = 200 if stage.quick else 3_000
    heaps_N2 = three_heaps(points)
    stream = torch.Generator().manual_seed(1)
    gauss_N2 = whitened(torch.randn(points, 2, generator=stream, dtype=torch.float64))
    other_N2 = torch.randn(points, 2, generator=stream, dtype=torch.float64)
    shifted = frechet_distance(gauss_N2, gauss_N2 + torch.tensor([3.0, 4.0]))
    deceived = frechet_distance(gauss_N2, heaps_N2)
    kernel, floor = kernel_distance(gauss_N2, heaps_N2), kernel_distance(gauss_N2, other_N2)

    pictures, extractor = digits_and_extractor(stage.quick)
    x_NCHW = pictures.test.x_NCHW
    held_out_NF = extractor.features(pictures.train.x_NCHW)

    def fid(x: "Tensor") -> float:
        features_NF = extractor.features(x.clamp(0, 255).to(torch.uint8))
        return frechet_distance(held_out_NF, features_NF)

    steps = (0, 1, 2, 3, 4)
    noise_NCHW = torch.randn(x_NCHW.shape, generator=stream)
    noisy = [fid(x_NCHW.float() + 25 * step * noise_NCHW) for step in steps]
    blurred, soft_NCHW = [], x_NCHW.float()
    for _ in steps:
        blurred.append(fid(soft_NCHW))
        soft_NCHW = F.avg_pool2d(soft_NCHW, 3, stride=1, padding=1)
    dropped = [fid(_without(pictures, step)) for step in steps]
    figure, (plane, curves) = panels(2, width=3.8)
    for cloud, colour, name in ((gauss_N2, "0.7", "Gaussian"), (heaps_N2, PALETTE[0], "3 heaps")):
        plane.plot(*cloud[:800].T, "o", color=colour, markersize=2, label=name)
    plane.set_title(f"equal moments: Fréchet {deceived:.2f}, kernel {kernel:.2f}", fontsize=10)
    plane.set(aspect="equal")
    plane.legend(fontsize=8)
    for colour, (name, values) in zip(
        PALETTE,
        {"noise": noisy, "blur": blurred, "2 classes dropped each": dropped}.items(),
        strict=False,
    ):
        curves.plot(steps, values, "o-", color=colour, markersize=4, label=name)
    curves.set(xlabel="how much is done to real digits", ylabel="FID", xticks=steps)
    curves.set_title(f"fid@{extractor.name}", fontsize=10)
    curves.legend(fontsize=8)
    save_png(figure, stage.picture("frechet"))
    return [
        Finding("Gaussians (3, 4) apart: FID", shifted, 24.999, 25.001),
        Finding("three heaps with a Gaussian's moments: FID", deceived, at_most=1e-3),
        Finding("the same: KID", kernel, at_least=0.1),
        Finding("two sets of one Gaussian: KID", floor, -0.02, 0.02),
        Finding("real digits against other real ones: FID", noisy[0]),
        Finding("most noise / real digits: FID", noisy[-1] / noisy[0], at_least=10),
        Finding("most blur / real digits: FID", blurred[-1] / blurred[0], at_least=10),
        Finding("two classes left / real digits: FID", dropped[-1] / dropped[0], at_least=10),
    ]


def _without(pictures: "Pictures", step: int) -> "Tensor":
    """Test digits without the last 2 · `step` classes."""
    labels_NA = pictures.test.labels_NA
    assert labels_NA is not None, "digits have labels"
    return pictures.test.x_NCHW[labels_NA[:, 0] < 10 - 2 * step]


FRECHET = Idea(
    29,
    Said("The Fréchet inception distance", "FID：隱藏層特徵的距離"),
    Said(
        "Features of a classifier's hidden layer, of real and of generated pictures, are each "
        "taken for a Gaussian, and the distance of the two Gaussians is the score: lower is "
        "better, and it sees noise, blur and missing classes. Features that are not Gaussian "
        "deceive it: three heaps with the mean and covariance of a Gaussian have FID 0, and only "
        "a kernel distance tells.",
        "把真實與生成圖片在分類器隱藏層的特徵各自當成高斯分布，兩個高斯之間的距離就是分數："
        "越小越好，雜訊、模糊、缺少類別都看得出來。"
        "但特徵若不是高斯就會被騙：三堆點只要平均與共變異數和某個高斯相同，FID "
        "就是 0，要靠 kernel distance 才分得出來。",
    ),
    "FID = ‖μ_r − μ_g‖² + tr(S_r + S_g − 2 (S_r S_g)^½)",
    _frechet,
)

# ── 30: the memory GAN ────────────────────────────────────────────────────────────────────────

CONFIG = "lectures/30_memory.yaml"
FEW, MANY = 100, 10_000
"""Training pictures."""
SHOWN = 10


@dataclass(frozen=True)
class Copies:
    """What a generator made, and how near that is to what it was trained on."""

    made_NCHW: "Tensor"
    nearest_NCHW: "Tensor"
    """The nearest training pictures of the first `SHOWN`."""
    distance_N: "Tensor"
    held_out_distance_M: "Tensor"
    test: dict[str, float]
    """`duplicates`, `nearest_ratio` and `copy_p_value`."""


def copies_of(run: "SavedRun", samples: int) -> Copies:
    """Look for the training pictures in the samples of a run on pictures, pixel by pixel."""
    from seqgan.core.pictures import to_bytes
    from seqgan.data.picture_config import PictureDataConfig
    from seqgan.metrics.memorisation import (
        compare_distances,
        nearest_distances,
        nearest_indices,
    )

    data = run.experiment.data
    assert isinstance(data, PictureDataConfig), "a run on pictures"
    pictures = data.build_pictures()
    made_NCHW = to_bytes(run.sample_arrays(samples))
    made_NF, held_out_MF, train_KF = (
        x_NCHW.flatten(1).float() / 255
        for x_NCHW in (made_NCHW, pictures.test.x_NCHW, pictures.train.x_NCHW)
    )
    distance_N = nearest_distances(made_NF, train_KF)
    held_out_distance_M = nearest_distances(held_out_MF, train_KF)
    nearest_NCHW = pictures.train.x_NCHW[nearest_indices(made_NF[:SHOWN], train_KF)]
    test = compare_distances(distance_N, held_out_distance_M)
    return Copies(made_NCHW, nearest_NCHW, distance_N, held_out_distance_M, test)


def _memory(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.core.pictures import to_unit
    from seqgan.lectures.modes import FEW_PICTURES
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
    return [
        Finding(f"{FEW} pictures: share of duplicates", copier["duplicates"]),
        Finding(f"{FEW} pictures: p-value of the copy test", copier["copy_p_value"], at_most=1e-3),
        Finding(f"{FEW} pictures: distance / held out", copier["nearest_ratio"]),
        Finding(f"{MANY} pictures: share of duplicates", fresh["duplicates"], at_most=0.05),
        Finding(f"{MANY} pictures: p-value of the copy test", fresh["copy_p_value"], at_least=0.01),
        Finding(f"{MANY} pictures: distance / held out", fresh["nearest_ratio"]),
    ]


MEMORY = Idea(
    30,
    Said("The memory GAN", "只會背資料的 GAN"),
    Said(
        "A generator that repeats its training pictures scores as well as real data do: FID and "
        "Inception score cannot see it. Distances to the nearest training picture can, beside "
        "those of held-out pictures: trained on 100 digits the GAN copies, trained on 10,000 it "
        "does not.",
        "如果生成器只是把訓練圖片背下來再輸出，FID 和 Inception score 都會很好看，卻沒有意義。"
        "把生成圖片與保留圖片各自到最近訓練圖片的距離擺在一起就看得出來：只用 100 "
        "張訓練的 GAN 在背答案，用 10,000 張的沒有。",
    ),
    "d(G(z), nearest training picture)   against   d(held-out picture, nearest training picture)",
    _memory,
)

IDEAS: tuple[Idea, ...] = (INCEPTION, FRECHET, MEMORY)
