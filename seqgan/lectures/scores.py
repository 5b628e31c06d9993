"""Ideas on scores of generated samples: what they see, and what deceives them."""

from math import sqrt
from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.data.pictures import Pictures
    from seqgan.evaluation.feature_extractor import FeatureExtractor
    from seqgan.lectures.stage import Stage

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
        Finding(
            Said("a classifier that never knows", "完全沒把握的分類器：Inception score"),
            never,
            at_least=1 - 1e-6,
            at_most=1 + 1e-6,
        ),
        Finding(
            Said("ten classes, always sure", "十個類別、每次都確定：Inception score"),
            sure,
            at_least=9.99,
            at_most=10.01,
        ),
        Finding(
            Said("real digits: Inception score", "真實數字：Inception score"),
            scores["real digits"],
            at_least=9.0,
        ),
        Finding(
            Said("one of each class: Inception score", "每類重複同一張：Inception score"),
            scores["one of each class"],
            at_least=9.0,
        ),
        Finding(
            Said("one digit: Inception score", "全部同一張：Inception score"),
            scores["one digit"],
            at_most=1.01,
        ),
        Finding(
            Said("two digits blended: Inception score", "兩個數字疊在一起：Inception score"),
            scores["two digits blended"],
        ),
        Finding(Said("noise: Inception score", "雜訊：Inception score"), scores["noise"]),
        Finding(
            Said("real digits: coverage", "真實數字：coverage"),
            covered["real digits"],
            at_least=0.85,
        ),
        Finding(
            Said("one of each class: coverage", "每類重複同一張：coverage"),
            covered["one of each class"],
            at_most=0.2,
        ),
    ]


INCEPTION = Idea(
    28,
    Said("The Inception score", "Inception score：又像又多樣"),
    Said(
        "A classifier should be sure about every sample and its answers should be spread over all "
        "classes: the score is 1 at worst and the number of classes at best. It does not look at "
        "real data: one picture of each class, over and over, gets nearly the best score, and only "
        "coverage, the share of real pictures with a sample near them, tells.",
        "讓分類器看生成的樣本：每一張都要很確定，整體又要平均分布在各類別，"
        "分數最差是 1、最好是類別數。"
        "它不看真實資料：每一類只重複同一張圖也接近滿分，"
        "要靠 coverage（附近有生成樣本的真實圖片比例）才看得出來。",
    ),
    Said.both("IS = exp E_x KL(p(y | x) ‖ p(y))"),
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
        Finding(
            Said("Gaussians (3, 4) apart: FID", "平均相差 (3, 4) 的兩個高斯：FID"),
            shifted,
            at_least=24.999,
            at_most=25.001,
        ),
        Finding(
            Said(
                "three heaps with a Gaussian's moments: FID",
                "平均值與共變異數和高斯相同的三堆點：FID",
            ),
            deceived,
            at_most=1e-3,
        ),
        Finding(Said("the same: KID", "同樣三堆點：KID"), kernel, at_least=0.1),
        Finding(
            Said("two sets of one Gaussian: KID", "同一個高斯的兩組樣本：KID"), floor, -0.02, 0.02
        ),
        Finding(Said("real digits against other real ones: FID", "兩批真實數字：FID"), noisy[0]),
        Finding(
            Said("most noise / real digits: FID", "雜訊最強：FID 是真實數字的幾倍"),
            noisy[-1] / noisy[0],
            at_least=10,
        ),
        Finding(
            Said("most blur / real digits: FID", "最模糊：FID 是真實數字的幾倍"),
            blurred[-1] / blurred[0],
            at_least=10,
        ),
        Finding(
            Said("two classes left / real digits: FID", "只剩兩類：FID 是真實數字的幾倍"),
            dropped[-1] / dropped[0],
            at_least=10,
        ),
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
        "但特徵若不是高斯就會被騙：三堆點只要平均與共變異數和某個高斯相同，"
        "FID 就是 0，要靠 kernel distance 才分得出來。",
    ),
    Said.both("FID = ‖μ_r − μ_g‖² + tr(S_r + S_g − 2 (S_r S_g)^½)"),
    _frechet,
)

IDEAS: tuple[Idea, ...] = (INCEPTION, FRECHET)
