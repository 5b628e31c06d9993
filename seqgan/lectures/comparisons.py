"""Ideas that set GANs beside each other and beside a VAE."""

from statistics import median
from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.pictures import pictures_of
from seqgan.lectures.quick import FEW_PICTURES, FEW_POINTS

if TYPE_CHECKING:
    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

GAUSSIANS = "lectures/16_gaussians.yaml"
DIGITS = "lectures/digits.yaml"
_ALONE = ("critic=null", "objective=null", "penalties=[]", "estimator=null")
VAE_OF_POINTS = (
    "game={name: autoencode, decoder_std: 0.0177}",  # the data's own
    "encoder={name: mlp, hidden: 128, layers: 3}",
    *_ALONE,
    "schedule=[{repeat: 12000, phases: {reconstruct: 1}}]",
)
VAE_OF_DIGITS = (
    "game={name: autoencode, decoder_std: 0.3}",
    "encoder={name: dcgan, width: 16}",
    *_ALONE,
    "schedule=[{repeat: 1500, phases: {reconstruct: 1}}]",
)
"""A VAE in place of the GAN, with about as much computation."""

# ── 16: VAE and GAN ───────────────────────────────────────────────────────────────────────────


def sharpness(run: "SavedRun", samples: int) -> float:
    """The variance of the Laplacian of a run's samples, as a share of that of real pictures."""
    from seqgan.core.pictures import to_unit
    from seqgan.metrics.sharpness import laplacian_variance

    real_NCHW = to_unit(pictures_of(run).test.x_NCHW)
    return laplacian_variance(run.sample_arrays(samples)) / laplacian_variance(real_NCHW)


def _smears(stage: "Stage") -> list[Finding]:
    from seqgan.data.points import Mixture
    from seqgan.lectures.stage import measured
    from seqgan.reporting.panels import PALETTE, panels, save_png, show_pictures

    points = {
        "WGAN-GP": stage.train(GAUSSIANS, name="points-gan", quick=FEW_POINTS),
        "VAE": stage.train(GAUSSIANS, *VAE_OF_POINTS, name="points-vae", quick=FEW_POINTS),
    }
    digits = {
        "GAN": stage.train(DIGITS, name="digits-gan", quick=FEW_PICTURES),
        "VAE": stage.train(DIGITS, *VAE_OF_DIGITS, name="digits-vae", quick=FEW_PICTURES),
    }
    found = {name: measured(run) for name, run in points.items()}
    sharp = {name: sharpness(run, 64 if stage.quick else 1_000) for name, run in digits.items()}
    figure, axes = panels(2, 2, width=2.9, height=2.9)
    centres_K2 = Mixture("grid", 0.0177).centres_K2
    for panel, (name, run) in zip(axes[:2], points.items(), strict=True):
        panel.plot(*centres_K2.T, "x", color=PALETTE[3], markersize=5)
        panel.plot(*run.sample_arrays(1_500).T, "o", color=PALETTE[0], markersize=1.2, alpha=0.5)
        panel.set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), xticks=[], yticks=[], aspect="equal")
        panel.set_title(f"{name}: {found[name]['high_quality']:.0%} hit", fontsize=10)
    for panel, (name, run) in zip(axes[2:], digits.items(), strict=True):
        show_pictures(panel, run.sample_arrays(36), columns=6)
        panel.set_title(f"{name}: sharpness {sharp[name]:.2f} of real", fontsize=10)
    save_png(figure, stage.picture("smears"))
    gan, vae = found["WGAN-GP"], found["VAE"]
    return [
        Finding(
            Said("WGAN-GP: Gaussians hit, of 25", "WGAN-GP：25 個高斯打中幾個"),
            gan["modes"],
            at_least=25,
            at_most=25,
        ),
        Finding(
            Said("WGAN-GP: share of points that hit", "WGAN-GP：打中的點的比例"),
            gan["high_quality"],
            at_least=0.8,
        ),
        Finding(
            Said("VAE: share of points that hit", "VAE：打中的點的比例"),
            vae["high_quality"],
            at_most=0.5,
        ),
        Finding(
            Said("digits, GAN: sharpness / real", "數字：GAN 與真實圖片的清晰度之比"),
            sharp["GAN"],
            at_least=0.7,
        ),
        Finding(
            Said("digits, VAE / GAN: sharpness", "數字：VAE 與 GAN 的清晰度之比"),
            sharp["VAE"] / sharp["GAN"],
            at_most=0.8,
        ),
    ]


SMEARS = Idea(
    16,
    Said("A VAE smears, a GAN hits", "VAE 會糊成一片，GAN 打得準"),
    Said(
        "A VAE's decoder answers a code that could stand for two Gaussians with a point between "
        "them, and for two strokes with grey: that costs little squared error. A GAN's critic "
        "sees that no real sample looks like this, so the generator has to decide for one.",
        "VAE 的解碼器遇到可能對應兩個高斯的編碼，就輸出兩者之間的點，遇到兩種筆畫就輸出灰色，"
        "因為這樣平方誤差很小。"
        "GAN 的判別器會看出真實資料沒有這種樣本，逼生成器選定其中一個。",
    ),
    Said(
        "min E‖x − G(z)‖² / 2σ² + KL(q(z | x) ‖ N(0, I))   against   min_G max_D V(G, D)",
        "min E‖x − G(z)‖² / 2σ² + KL(q(z | x) ‖ N(0, I))   對照   min_G max_D V(G, D)",
    ),
    _smears,
)

# ── 17: are GANs created equal? ───────────────────────────────────────────────────────────────

RATES: tuple[str, ...] = ("2e-4", "1e-3", "4e-3")
METHODS: dict[str, tuple[str, ...]] = {
    "non-saturating": (),
    "LSGAN": ("objective.name=lsgan",),
    "WGAN-GP": (
        "objective.name=wgan",
        "penalties=[{name: gradient_penalty, weight: 10.0}]",
    ),
    "VAE": VAE_OF_DIGITS,
}
_SHORT = "schedule=[{repeat: 600, phases: {critic: 1, generator: 1}}]"
_SHORT_VAE = "schedule=[{repeat: 1200, phases: {reconstruct: 1}}]"


def fids(stage: "Stage", method: str, rates: tuple[str, ...]) -> list[float]:
    """The FID of a method at each learning rate of both players."""
    from seqgan.lectures.stage import measured

    found = []
    for rate in rates:
        players = [f"players.generator.lr={rate}", f"players.critic.lr={rate}"]
        length = _SHORT_VAE if method == "VAE" else _SHORT
        name = f"{method.lower()}-{rate}"
        overrides = (*METHODS[method], length, *players)
        run = stage.train(DIGITS, *overrides, name=name, quick=FEW_PICTURES)
        found.append(measured(run)["fid"])
    return found


def spread(values: list[float]) -> float:
    """How many times the least is in the largest."""
    return max(values) / min(values)


def _equal(stage: "Stage") -> list[Finding]:
    from seqgan.reporting.panels import PALETTE, panels, save_png

    rates, methods = RATES, list(METHODS)
    if stage.quick:
        rates, methods = RATES[:1], ["LSGAN", "VAE"]
    found = {method: fids(stage, method, rates) for method in methods}
    figure, (panel,) = panels(1, width=5.4, height=3.0)
    drawn = panel.boxplot(list(found.values()), whis=(0, 100), showcaps=False, patch_artist=True)
    for place, (box, values) in enumerate(zip(drawn["boxes"], found.values(), strict=True)):
        box.set(facecolor=PALETTE[place], alpha=0.3)
        places = [place + 1] * len(values)
        panel.plot(places, values, "o", color=PALETTE[place], markersize=5)
    panel.set_xticks(range(1, len(found) + 1), list(found))
    panel.set_yscale("log")
    panel.set_ylabel("FID, lower is better")
    panel.set_title("each point one learning rate", fontsize=10)
    save_png(figure, stage.picture("equal"))
    gans = {method: values for method, values in found.items() if method != "VAE"}
    best = {method: min(values) for method, values in found.items()}
    by_rate = median(spread(values) for values in gans.values())
    objectives = spread([best[method] for method in gans])
    return [
        *(
            Finding(Said(f"{method}: best FID", f"{method}：最好的 FID"), value)
            for method, value in best.items()
        ),
        Finding(
            Said(
                "FID between rates of a GAN, largest / least, median of three",
                "同一種 GAN 換學習率：FID 最大與最小之比（三種的中位數）",
            ),
            by_rate,
        ),
        Finding(
            Said("best FID between GANs, largest / least", "換一種 GAN：最好的 FID 最大與最小之比"),
            objectives,
        ),
        Finding(
            Said("rates / objectives", "換學習率與換損失函數的差距之比"),
            by_rate / objectives,
        ),
        Finding(
            Said("VAE / best GAN: best FID", "最好的 FID：VAE 與最好的 GAN 之比"),
            best["VAE"] / min(best[m] for m in gans),
            at_least=1.0,
        ),
        Finding(
            Said("spread over rates, VAE / GANs", "換學習率的差距：VAE 與 GAN 之比"),
            spread(found["VAE"]) / by_rate,
        ),
    ]


EQUAL = Idea(
    17,
    Said("Are GANs created equal?", "各種 GAN 其實差不多？"),
    Said(
        "In the time of a lecture, learning rates of one GAN and losses at their best rates "
        "differ by about as much, another run orders them anew, and only the VAE is always behind. "
        "Trained for longer, on MNIST, four of five losses cannot be told apart at their best "
        "rates.",
        "在一堂課的訓練時間裡，同一種 GAN 換學習率的差距，"
        "與各損失函數取最好學習率時的差距大小相近，"
        "重跑一次排名就會改變，只有 VAE 始終落後。在 MNIST 上訓練久一點，"
        "五種損失函數中有四種在各自最好的學習率下分不出高下。",
    ),
    Said(
        "FID(objective, rate): spread over rates against spread over objectives",
        "FID(目標函數, 學習率)：不同學習率之間的差距，對照不同目標函數之間的差距",
    ),
    _equal,
)

IDEAS: tuple[Idea, ...] = (SMEARS, EQUAL)
