"""Ideas on codes: a generator taught by examples, autoencoders, and what noise does to them."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.pictures import pictures_of
from seqgan.lectures.quick import FEW_PICTURES

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

AUTOENCODER, RANDOM_CODES = "lectures/12_autoencoder.yaml", "lectures/11_random_codes.yaml"


def mean_error(x_NCHW: "Tensor", other_NCHW: "Tensor") -> float:
    """Mean squared difference per pixel; pictures lie in [-1, 1]."""
    return float((x_NCHW - other_NCHW).square().mean())


def encoded(run: "SavedRun", x_NCHW: "Tensor") -> "Tensor":
    """`code_NL`: the encoder's means."""
    code_NL: Tensor = run.generator.encode(x_NCHW)[0]
    return code_NL


# ── 11: random codes against encoder codes ────────────────────────────────────────────────────


def _random_codes(stage: "Stage") -> list[Finding]:
    from seqgan.core.pictures import to_unit
    from seqgan.games.regression import fixed_codes
    from seqgan.reporting.panels import panels, save_png, show_pictures

    random = stage.train(RANDOM_CODES, name="random", quick=FEW_PICTURES)
    encoder = stage.train(AUTOENCODER, name="encoder", quick=FEW_PICTURES)
    digits = pictures_of(random)
    train, test = (to_unit(part.x_NCHW) for part in (digits.train, digits.test))
    seed, generator = random.experiment.seed, random.generator
    recalled = generator(fixed_codes(generator, len(train), seed))
    drawn = {
        "encoder": encoder.generator(encoded(encoder, test)),
        "random": generator(fixed_codes(generator, len(test), seed + 1)),
    }
    error = {name: mean_error(x, test) for name, x in drawn.items()}
    rows = {
        "held-out digits": test,
        "decoded from the encoder's codes": drawn["encoder"],
        "generated from random codes": drawn["random"],
        "training digits": train,
        "from their own random codes": recalled,
        "from their encoder's codes": encoder.generator(encoded(encoder, train[:10])),
    }
    figure, axes = panels(3, 2, titles=list(rows), width=2.4, height=1.5)
    for panel, x in zip(axes, rows.values(), strict=True):
        show_pictures(panel, x[:10], columns=5)
    save_png(figure, stage.picture("codes"))
    taught = mean_error(recalled, train)
    taught_encoder = mean_error(encoder.generator(encoded(encoder, train)), train)
    return [
        Finding(
            Said("error on held-out digits, encoder's codes", "測試數字的誤差：編碼器給的向量"),
            error["encoder"],
        ),
        Finding(
            Said("error on held-out digits, random codes", "測試數字的誤差：隨機給的向量"),
            error["random"],
        ),
        Finding(
            Said("how many times as large", "後者是前者的幾倍"),
            error["random"] / error["encoder"],
            at_least=3,
        ),
        Finding(
            Said("the same on training digits", "在訓練數字上是幾倍"),
            taught / taught_encoder,
            at_least=2,
        ),
    ]


CODES = Idea(
    11,
    Said("Which code for which picture?", "圖片該配哪個向量？"),
    Said(
        "A generator can be taught like any network if each picture has a code; with codes drawn "
        "at random it has to learn by heart, and a new code says nothing about a new picture. An "
        "encoder gives similar pictures similar codes, which the decoder can make use of.",
        "只要每張圖配上一個向量，生成器就能像一般網路那樣訓練；若向量是隨機給的，它只能死記，"
        "新的向量也與新的圖毫無關係。編碼器會讓相似的圖有相似的向量，解碼器才學得起來。",
    ),
    Said(
        "min_G Σ_i ‖x_i − G(z_i)‖²,   z_i ~ N(0, I) once for all   or   z_i = E(x_i)",
        "min_G Σ_i ‖x_i − G(z_i)‖²，   z_i ~ N(0, I) 抽一次就固定   或   z_i = E(x_i)",
    ),
    _random_codes,
)

# ── 12: autoencoder against PCA ───────────────────────────────────────────────────────────────

SIZES = (2, 8)
SIDE = 11


def _autoencoder(stage: "Stage") -> list[Finding]:
    from seqgan.core.pictures import to_unit
    from seqgan.metrics.linear import principal_components
    from seqgan.reporting.panels import PALETTE, panels, save_png, show_pictures

    runs = {
        k: stage.train(AUTOENCODER, f"generator.latent={k}", name=f"code{k}", quick=FEW_PICTURES)
        for k in SIZES
    }
    digits = pictures_of(runs[SIZES[0]])
    train, test = (to_unit(part.x_NCHW) for part in (digits.train, digits.test))
    errors = {k: mean_error(run.generator(encoded(run, test)), test) for k, run in runs.items()}
    linear = {}
    for k in (1, 2, 4, 8, 12, 16):
        pca = principal_components(train.flatten(1), k)
        linear[k] = mean_error(pca.decode(pca.encode(test.flatten(1))), test.flatten(1))
    figure, (curve, sweep) = panels(2, titles=("held-out digits", "the decoder over a 2-D code"))
    curve.plot(list(linear), list(linear.values()), "o-", color=PALETTE[0], label="PCA")
    curve.plot(list(errors), list(errors.values()), "o-", color=PALETTE[1], label="autoencoder")
    curve.set(xlabel="numbers in the code", ylabel="squared error per pixel", ylim=(0, None))
    curve.legend(fontsize=8)
    show_pictures(sweep, _sweep(runs[SIZES[0]], test), columns=SIDE)
    save_png(figure, stage.picture("codes"))
    return [
        finding
        for k in SIZES
        for finding in (
            Finding(
                Said(f"error of the autoencoder, {k} numbers", f"自動編碼器的誤差：{k} 個數"),
                errors[k],
            ),
            Finding(
                Said(f"as a share of PCA's, {k} numbers", f"與 PCA 的誤差之比：{k} 個數"),
                errors[k] / linear[k],
                at_most=0.9,
            ),
        )
    ]


def _sweep(run: "SavedRun", x_NCHW: "Tensor") -> "Tensor":
    """The decoder over the middle 90 % of each of two code numbers, `SIDE`² pictures."""
    import torch

    from seqgan.evaluation import sheets

    low, high = torch.quantile(encoded(run, x_NCHW), torch.tensor([0.05, 0.95]), dim=0)
    axes = torch.diag((high - low) / 2)
    return sheets.plane(run.generator, (low + high) / 2, axes[0], axes[1], SIDE)


COMPARED = Idea(
    12,
    Said("Autoencoder", "自動編碼器"),
    Said(
        "An encoder squeezes a digit into a few numbers and a decoder draws it again from them, "
        "with less error than any linear code of the same size. Alone, the decoder is a "
        "generator: moved over a 2-D code it draws one digit after the other.",
        "編碼器把一張數字圖壓成幾個數，解碼器再畫回來，誤差比同樣大小的任何線性編碼都小。"
        "單獨拿出解碼器就是生成器：在二維編碼上移動，它會畫出一個又一個數字。",
    ),
    Said(
        "min_{E,G} E‖x − G(E(x))‖²   against   PCA: x̂ = m + Vᵀ V (x − m)",
        "min_{E,G} E‖x − G(E(x))‖²   對照   PCA：x̂ = m + Vᵀ V (x − m)",
    ),
    _autoencoder,
)

# ── 13: noise ─────────────────────────────────────────────────────────────────────────────────

NOISES = {
    "plain": (),
    "noise on the code": ("game.code_noise=4.0",),
    "noise on the input": ("game.input_noise=0.5",),
}
CODE_OFFSETS = (0.0, 0.8, 1.6, 2.4, 3.2, 4.0)
INPUT_OFFSETS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Standard deviations of noise in use; the last is the one that is trained with."""


def code_noise_errors(run: "SavedRun", x_NCHW: "Tensor") -> list[float]:
    """The error after noise on the code, for each of `CODE_OFFSETS`."""
    import torch

    code_NL = encoded(run, x_NCHW)
    noise_NL = torch.randn_like(code_NL)
    return [mean_error(run.generator(code_NL + by * noise_NL), x_NCHW) for by in CODE_OFFSETS]


def input_noise_errors(run: "SavedRun", x_NCHW: "Tensor") -> list[float]:
    """The error to the clean picture after noise on the input, for each of `INPUT_OFFSETS`."""
    import torch

    noise = torch.randn_like(x_NCHW)
    return [
        mean_error(run.generator(encoded(run, x_NCHW + by * noise)), x_NCHW) for by in INPUT_OFFSETS
    ]


def _noise(stage: "Stage") -> list[Finding]:
    from seqgan.core.pictures import to_unit
    from seqgan.reporting.panels import PALETTE, panels, save_png

    runs = {
        name: stage.train(AUTOENCODER, *changes, name=name, quick=FEW_PICTURES)
        for name, changes in NOISES.items()
    }
    test = to_unit(pictures_of(runs["plain"]).test.x_NCHW)
    measures = {
        "noise on the code": ("編碼加雜訊", code_noise_errors, CODE_OFFSETS),
        "noise on the input": ("輸入加雜訊", input_noise_errors, INPUT_OFFSETS),
    }
    figure, axes = panels(2, titles=[f"{name}, in use" for name in measures])
    found = []
    for panel, (name, (zh, measure, offsets)) in zip(axes, measures.items(), strict=True):
        curves = {"plain": measure(runs["plain"], test), name: measure(runs[name], test)}
        for colour, (taught, errors) in zip(PALETTE, curves.items(), strict=False):
            label = "trained without noise" if taught == "plain" else "trained with it"
            panel.plot(offsets, errors, "o-", color=colour, label=label)
        panel.set(xlabel="size of the noise", ylabel="squared error per pixel", ylim=(0, None))
        panel.legend(fontsize=8)
        rise = {taught: errors[-1] - errors[0] for taught, errors in curves.items()}
        found += [
            Finding(
                Said(f"{name}: rise of the error, plain", f"{zh}：一般訓練，誤差上升多少"),
                rise["plain"],
            ),
            Finding(
                Said(
                    f"{name}: trained with it, as a share",
                    f"{zh}：訓練時也加，上升幅度與一般訓練之比",
                ),
                rise[name] / rise["plain"],
                at_most=0.8,
            ),
        ]
    save_png(figure, stage.picture("noise"))
    # Larger codes are one way to make noise of a given size matter less.
    spread = [float(encoded(runs[name], test).std()) for name in ("plain", "noise on the code")]
    what = Said(
        "noise on the code: standard deviation of the codes, trained with it / without",
        "編碼加雜訊：編碼的標準差，加雜訊訓練與一般訓練之比",
    )
    return [*found, Finding(what, spread[1] / spread[0])]


NOISE = Idea(
    13,
    Said("Noise makes codes robust", "加雜訊讓編碼更穩健"),
    Said(
        "Noise on the code while training forces the decoder to draw the same digit from all codes "
        "around one; noise on the input forces the encoder to ignore it. Either way the error "
        "rises more slowly with the same noise in use; with noise on the code partly because the "
        "codes spread wider.",
        "訓練時在編碼上加雜訊，解碼器就得從附近的編碼都畫出同一個數字；在輸入上加雜訊，"
        "編碼器就得學會忽略它。兩種做法都讓誤差隨雜訊上升得比較慢；"
        "在編碼上加雜訊時，部分原因是編碼散得更開。",
    ),
    Said(
        "min E‖x − G(E(x) + σ ε)‖²   and   min E‖x − G(E(x + σ ε))‖²,   ε ~ N(0, I)",
        "min E‖x − G(E(x) + σ ε)‖²   與   min E‖x − G(E(x + σ ε))‖²，   ε ~ N(0, I)",
    ),
    _noise,
)

# ── 14: variational autoencoder ───────────────────────────────────────────────────────────────

VARIATIONAL = ("game.variational=true", "game.decoder_std=0.25")
STEPS, PAIRS, DRAWS = 9, 2_000, 2_000


def _between(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.core.pictures import to_bytes, to_unit
    from seqgan.core.rng import isolated
    from seqgan.games.autoencode import kl_to_standard_normal
    from seqgan.metrics.coverage import prdc

    more = ("data.source.extractor=3000", f"data.source.test={2 * PAIRS}")
    runs = {
        "autoencoder": stage.train(AUTOENCODER, *more, name="plain", quick=FEW_PICTURES),
        "VAE": stage.train(AUTOENCODER, *more, *VARIATIONAL, name="vae", quick=FEW_PICTURES),
    }
    digits = pictures_of(runs["VAE"])
    config = runs["VAE"].experiment.evaluation.feature_extractor.model_copy(
        update={"kind": "labels", "updates": 2 if stage.quick else 300}
    )
    examples = digits.extractor
    reader = config.build(
        examples.x_NCHW, examples.labels_NA, digits.label_sizes, torch.device("cpu")
    )

    def confidence(x_NCHW: "Tensor") -> "Tensor":
        """Probability of each picture's likeliest class: [N]."""
        (log_probs_NK,) = reader.log_probs(to_bytes(x_NCHW))
        return log_probs_NK.exp().amax(1)

    test, labels_NA = to_unit(digits.test.x_NCHW), digits.test.labels_NA
    assert labels_NA is not None, "digits have labels"
    half = min(PAIRS, len(test) // 2)
    unlike = (labels_NA[:half] != labels_NA[half : 2 * half])[:, 0]
    ends = test[:half][unlike], test[half : 2 * half][unlike]
    middle = {}
    for name, run in runs.items():
        a, b = (encoded(run, x) for x in ends)
        middle[name] = run.generator((a + b) / 2)
    with isolated(1):
        z_NL = torch.randn(DRAWS, runs["VAE"].generator.latent)
        drawn = {name: run.generator(z_NL) for name, run in runs.items()}
        mean_NL, log_variance_NL = runs["VAE"].generator.encode(test)
        closed = float(kl_to_standard_normal(mean_NL, log_variance_NL).mean())
        sampled = sampled_kl(mean_NL, log_variance_NL, draws=200)
    _draw_walks(stage, runs, ends, drawn)
    real_NF = reader.features(to_bytes(test))
    covered, main_class = {}, {}
    for name, x_NCHW in drawn.items():
        made_NCHW = to_bytes(x_NCHW)
        covered[name] = prdc(real_NF, reader.features(made_NCHW))["coverage"]
        main_class[name] = float(reader.labels(made_NCHW)[:, 0].bincount().max()) / DRAWS
    in_chinese = {"autoencoder": "自動編碼器", "VAE": "VAE"}
    return [
        *(
            Finding(
                Said(
                    f"z ~ N(0, I) decoded: share of one digit, {name}",
                    f"解碼 z ~ N(0, I)：最常見的一種數字占多少，{zh}",
                ),
                main_class[name],
            )
            for name, zh in in_chinese.items()
        ),
        *(
            Finding(
                Said(
                    f"coverage (real digits with a decoded one near them), {name}",
                    f"coverage（附近有解碼樣本的真實數字比例），{zh}",
                ),
                covered[name],
            )
            for name, zh in in_chinese.items()
        ),
        Finding(
            Said("coverage, VAE minus autoencoder", "coverage：VAE 減去自動編碼器"),
            covered["VAE"] - covered["autoencoder"],
            at_least=0.1,
        ),
        *(
            Finding(
                Said(
                    f"classifier's confidence midway between two digits, {name}",
                    f"分類器對兩個數字的中點的信心：{zh}",
                ),
                float(confidence(x_NCHW).mean()),
            )
            for (name, zh), x_NCHW in zip(in_chinese.items(), middle.values(), strict=True)
        ),
        Finding(
            Said(
                "KL(q(z|x) ‖ N(0, I)) in closed form over sampled",
                "KL(q(z|x) ‖ N(0, I))：公式與取樣之比",
            ),
            closed / sampled,
            at_least=0.98,
            at_most=1.02,
        ),
    ]


def sampled_kl(mean_NL: "Tensor", log_variance_NL: "Tensor", draws: int) -> float:
    """E_q[log q(z) − log p(z)] by drawing z from q, nats per sample."""
    import torch

    q = torch.distributions.Normal(mean_NL, (0.5 * log_variance_NL).exp())
    p = torch.distributions.Normal(0.0, 1.0)
    z_KNL = q.sample(torch.Size([draws]))
    return float((q.log_prob(z_KNL) - p.log_prob(z_KNL)).sum(2).mean())


def _draw_walks(
    stage: "Stage",
    runs: "dict[str, SavedRun]",
    ends: "tuple[Tensor, Tensor]",
    drawn: "dict[str, Tensor]",
) -> None:
    import torch

    from seqgan.reporting.panels import panels, save_png, show_pictures

    titles = [
        *(f"{name}: between two digits" for name in runs),
        *(f"{name}: N(0, I)" for name in runs),
    ]
    figure, axes = panels(2, 2, titles=titles, width=3.6, height=2.0)
    for panel, x_NCHW in zip(axes[2:], drawn.values(), strict=True):
        show_pictures(panel, x_NCHW[: 4 * STEPS], columns=STEPS)
    for panel, run in zip(axes[:2], runs.values(), strict=True):
        a, b = (encoded(run, x[:5]) for x in ends)
        t_T11 = torch.linspace(0, 1, STEPS)[:, None, None]
        walk = ((1 - t_T11) * a + t_T11 * b).transpose(0, 1)  # pair by pair
        show_pictures(panel, run.generator(walk.flatten(0, 1)), columns=STEPS)
    save_png(figure, stage.picture("between"))


BETWEEN = Idea(
    14,
    Said("Variational autoencoder", "變分自動編碼器 (VAE)"),
    Said(
        "Nothing says where the codes of an autoencoder lie, and draws from N(0, I) decode to "
        "pale, noisy strokes, nearly all of which a classifier takes for one and the same digit. "
        "A VAE draws from a cloud around each code and pulls the clouds towards N(0, I), so that "
        "draws from it become all kinds of digits.",
        "自動編碼器的編碼落在哪裡沒有任何限制，從 N(0, I) 抽出的向量解碼後只是淡而雜亂的筆畫，"
        "幾乎都被分類器當成同一個數字。VAE 從每個編碼周圍的一團雲取樣，並把這些雲拉向 N(0, I)，"
        "所以從 N(0, I) 抽樣就能得到各種數字。",
    ),
    Said.both("min E‖x − G(m + e^{s/2} ε)‖² / 2σ² + KL,   KL = ½ Σ (m² + e^s − 1 − s)"),
    _between,
)

IDEAS: tuple[Idea, ...] = (CODES, COMPARED, NOISE, BETWEEN)
