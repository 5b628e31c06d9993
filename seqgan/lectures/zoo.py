"""The family of GANs: what some of its many members change."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.pictures import extractor_of, pictures_of
from seqgan.lectures.quick import FEW_PICTURES

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

NAMES = {"acgan": "AC-GAN", "infogan": "InfoGAN", "ebgan": "EBGAN", "alphagan": "α-GAN"}
ROWS = 1_000
SHOWN = 10


def classes_read(run: "SavedRun", x_NCHW: "Tensor") -> "Tensor":
    """The class of each picture, as the run's feature extractor reads it: [N]."""
    from seqgan.core.pictures import to_bytes

    return extractor_of(run, pictures_of(run)).labels(to_bytes(x_NCHW))[:, 0]


def purity(codes_N: "Tensor", classes_N: "Tensor") -> float:
    """Share of pictures whose class is the most frequent one of their code."""
    counts = [classes_N[codes_N == code].bincount().max() for code in codes_N.unique()]
    return float(sum(counts)) / len(codes_N)


def main_classes(codes_N: "Tensor", classes_N: "Tensor") -> int:
    """How many classes are the most frequent one of some code."""
    return len({int(classes_N[codes_N == code].mode().values) for code in codes_N.unique()})


def shown_codes(values: int, each: int) -> "Tensor":
    """`codes_N1`: every value `each` times."""
    import torch

    return torch.arange(values).repeat_interleave(each)[:, None]


def _zoo(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.core.pictures import to_unit
    from seqgan.lectures.stage import measured
    from seqgan.reporting.panels import panels, save_png, show_pictures

    runs = {
        name: stage.train(f"lectures/36_{name}.yaml", name=name, quick=FEW_PICTURES)
        for name in NAMES
    }
    told = shown_codes(10, ROWS // 10)
    torch.manual_seed(0)
    drawn = {name: runs[name].generator.draw(ROWS) for name in ("acgan", "infogan")}
    with torch.no_grad():
        made = {name: runs[name].generator(z, told) for name, z in drawn.items()}
    read = {name: classes_read(runs[name], x) for name, x in made.items()}
    test = to_unit(pictures_of(runs["alphagan"]).test.x_NCHW[:ROWS])
    alpha = runs["alphagan"].generator
    again = alpha(alpha.encode(test)[0])
    critic = runs["ebgan"].critic
    fake = runs["ebgan"].sample_arrays(ROWS)
    energy = {
        name: float(-critic(x).score.mean()) for name, x in {"real": test, "made": fake}.items()
    }
    figure, axes = panels(2, 2, titles=_titles(), width=2.6, height=1.6)
    each = ROWS // 10
    by_code = {name: x.unflatten(0, (10, each))[:, :4] for name, x in made.items()}
    pictures = [
        *(x.transpose(0, 1).flatten(0, 1) for x in by_code.values()),
        fake[: 4 * SHOWN],
        torch.cat([test[:SHOWN], again[:SHOWN], runs["alphagan"].sample_arrays(2 * SHOWN)]),
    ]
    for panel, x in zip(axes, pictures, strict=True):
        show_pictures(panel, x.cpu(), columns=SHOWN)
    save_png(figure, stage.picture("zoo"))
    right = float((read["acgan"] == told[:, 0]).float().mean())
    error = float((again - test).abs().mean())
    from_mean = test.mean(0) - test
    blank, variance = float(from_mean.abs().mean()), float(from_mean.square().mean())
    uneven = {name: measured(runs[name])["mode_kl"] for name in ("ebgan", "alphagan")}
    return [
        Finding(
            Said(
                "AC-GAN: digits of the class that was asked for", "AC-GAN：數字符合指定類別的比例"
            ),
            right,
            at_least=0.8,
        ),
        Finding(
            Said(
                "InfoGAN: digits of their code's main class",
                "InfoGAN：數字屬於該編碼主要類別的比例",
            ),
            purity(told[:, 0], read["infogan"]),
            at_least=0.3,
        ),
        Finding(
            Said(
                "InfoGAN: different main classes of the ten codes",
                "InfoGAN：十個編碼的主要類別共有幾種",
            ),
            main_classes(told[:, 0], read["infogan"]),
            at_least=5,
        ),
        Finding(
            Said(
                "EBGAN: energy of real digits, over that with the mean digit as decoding",
                "EBGAN：真實數字的能量與一律解碼成平均圖時之比",
            ),
            energy["real"] / variance,
            at_most=0.7,
        ),
        Finding(
            Said(
                "EBGAN: energy of generated digits over that of real ones",
                "EBGAN：生成數字與真實數字的能量之比",
            ),
            energy["made"] / energy["real"],
        ),
        Finding(
            Said(
                "α-GAN: error of reconstruction, over that of the mean digit",
                "α-GAN：重建誤差與平均圖的誤差之比",
            ),
            error / blank,
            at_most=0.7,
        ),
        *(
            Finding(
                Said(
                    f"{NAMES[name]}: KL of its digits' classes to equally many of each",
                    f"{NAMES[name]}：各種數字的比例與均勻分布的 KL",
                ),
                kl,
                at_most=0.3,
            )
            for name, kl in uneven.items()
        ),
    ]


def _titles() -> tuple[str, ...]:
    return (
        "AC-GAN, a class per column",
        "InfoGAN, a code per column",
        "EBGAN",
        "α-GAN: real, decoded, generated",
    )


ZOO = Idea(
    36,
    Said("The zoo of GANs", "GAN 動物園"),
    Said(
        "Most of the many GANs change one thing: AC-GAN's critic predicts the class, InfoGAN's "
        "infers a code that is not in the data, EBGAN's is an autoencoder, and α-GAN adds an "
        "encoder to the generator. The game of two players stays the same; at this size AC-GAN and "
        "InfoGAN draw nearly one picture per class or code.",
        "各種 GAN 大多只改一處：AC-GAN 的判別器要說出類別，InfoGAN 的要猜出資料裡沒有標註的編碼，"
        "EBGAN 的判別器是自動編碼器，α-GAN 則替生成器加上編碼器。兩個玩家的對抗始終不變；"
        "在這個規模下，AC-GAN 與 InfoGAN 每個類別或編碼幾乎只畫出同一張圖。",
    ),
    Said.both(
        "AC-GAN, InfoGAN: − w E log P(c | x);   "
        "EBGAN: e(x) + max(0, m − e(G(z))),  e = ‖x − Dec(Enc(x))‖²"
    ),
    _zoo,
)

IDEAS: tuple[Idea, ...] = (ZOO,)
