"""Ideas on discrete tokens and structures."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said

if TYPE_CHECKING:
    from torch import Tensor, nn

    from seqgan.estimators.base import Estimator
    from seqgan.lectures.stage import Stage

# ── 26: tokens let no gradient through ────────────────────────────────────────────────────────


class TinySentences:
    """Three tokens, three columns: 27 sentences, a generator of them, and a critic as it stands."""

    def __init__(self) -> None:
        import torch

        from seqgan.core.types import SequenceSpace
        from seqgan.models.critics.mlp import MlpCritic
        from seqgan.models.generators.rnn import RnnGenerator

        torch.manual_seed(3)
        self.space = SequenceSpace(vocab_size=3, length=3)
        self.generator = RnnGenerator(self.space, embed=4, hidden=6, init_std=1.0)
        self.critic = MlpCritic(self.space, hidden=16, layers=2)
        for parameter in self.critic.parameters():
            parameter.data.mul_(3)

    def reward(self, x: "Tensor", mask: "Tensor | None", shared: object = None) -> "Tensor":
        """What the critic says of each sentence, ids or relaxed rows."""
        return self.critic(x, mask).score

    def through_tokens(self) -> int:
        """How many of the generator's parameters the critic's score has a gradient for."""
        from seqgan.core.types import SampleRequest
        from seqgan.estimators.base import hard_samples

        rollout = hard_samples(self.generator, self.space, SampleRequest(64))
        return reached(self.reward(rollout.tokens, rollout.mask_BT).mean(), self.generator)

    def exact_gradient(self) -> "Tensor":
        """Of minus the expected score, over all sentences: [P]."""
        from seqgan.probe.gradients import listed_gradient

        return listed_gradient(self.generator, self.space, self.reward, summed=False)

    def estimates(self, estimator: "Estimator", batches: int) -> "Tensor":
        """Estimates of `exact_gradient` from 64 sentences each: [N, P]."""
        import torch

        from seqgan.core.types import SampleRequest

        found = []
        for _ in range(batches):
            rollout = estimator.sample(self.generator, SampleRequest(64))
            loss = estimator.loss(self.generator, rollout, self.reward).loss
            gradients = torch.autograd.grad(loss, trained(self.generator))
            found.append(torch.cat([gradient.flatten() for gradient in gradients]).double())
        return torch.stack(found)


def trained(module: "nn.Module") -> "list[Tensor]":
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def reached(value: "Tensor", generator: "nn.Module") -> int:
    """How many of the generator's parameters `value` has a gradient for; the rest have `None`."""
    import torch

    gradients = torch.autograd.grad(value, trained(generator), allow_unused=True)
    return sum(gradient is not None for gradient in gradients)


def standard_errors(estimates_NP: "Tensor", exact_P: "Tensor") -> float:
    """How many standard errors the mean estimate is off; about 1 where there is no bias."""
    noise = (estimates_NP.var(0).sum() / len(estimates_NP)).sqrt()
    return float((estimates_NP.mean(0) - exact_P).norm() / noise)


def _tokens(stage: "Stage") -> list[Finding]:
    from functools import partial

    import torch

    from seqgan.core.types import ArraySpace
    from seqgan.decoding.samplers import GumbelSoftmax
    from seqgan.estimators import NoBaseline, Relaxed, ScoreFunction
    from seqgan.models.critics.mlp import MlpCritic
    from seqgan.models.image.mlp import MlpGenerator
    from seqgan.reporting.panels import PALETTE, panels, save_png

    painter = MlpGenerator(ArraySpace((1, 8, 8)), latent=4, hidden=8, layers=1)
    score_B = MlpCritic(painter.space, hidden=8)(painter(painter.draw(8))).score
    through_pixels = reached(score_B.mean(), painter)

    tiny, batches = TinySentences(), 40 if stage.quick else 1_000
    exact_P = tiny.exact_gradient()
    estimators = {
        "REINFORCE": ScoreFunction(tiny.space, baseline=NoBaseline()),
        "REINFORCE, baseline": ScoreFunction(tiny.space),
        "soft Gumbel, τ = 1": Relaxed(tiny.space, partial(GumbelSoftmax, hard=False), 1.0),
    }
    figure, (none, curve) = panels(2, titles=("parameters that get a gradient", "RL instead"))
    total = len(trained(painter)), len(trained(tiny.generator))
    through_tokens = tiny.through_tokens()
    names = ("pixels", "tokens")
    none.bar(names, total, color="0.88", label="of so many")
    none.bar(names, (through_pixels, through_tokens), color=PALETTE[0], label="get one")
    none.annotate("all None", (1, 0.15), ha="center", fontsize=9, color=PALETTE[3])
    none.legend(fontsize=8)
    away = {}
    for colour, (label, estimator) in zip(PALETTE, estimators.items(), strict=False):
        torch.manual_seed(0)
        estimates_NP = tiny.estimates(estimator, batches)
        count_N = torch.arange(1, batches + 1)
        means_NP = estimates_NP.cumsum(0) / count_N[:, None]
        error_N = (means_NP - exact_P).norm(dim=1) / exact_P.norm()
        curve.loglog(64 * count_N, error_N, color=colour, label=label)
        away[label] = standard_errors(estimates_NP, exact_P)
    curve.set(xlabel="sentences", ylabel="distance from the exact gradient")
    curve.legend(fontsize=8)
    save_png(figure, stage.picture("tokens"))
    return [
        Finding(
            Said("parameters with a gradient through pixels", "經過像素：有梯度的參數張量有幾個"),
            through_pixels,
            at_least=total[0],
        ),
        Finding(
            Said(
                "parameters with a gradient through tokens", "經過離散的詞：有梯度的參數張量有幾個"
            ),
            through_tokens,
            at_most=0,
        ),
        *(
            Finding(
                Said(f"{label}: bias of the mean, in standard errors", f"{zh}：平均偏離幾個標準誤"),
                away[label],
                at_most=1.5,
            )
            for label, zh in {
                "REINFORCE": "REINFORCE",
                "REINFORCE, baseline": "REINFORCE 加 baseline",
            }.items()
        ),
        Finding(
            Said(
                "soft Gumbel: bias of the mean, in standard errors",
                "soft Gumbel：平均偏離幾個標準誤",
            ),
            away["soft Gumbel, τ = 1"],
            at_least=3,
        ),
    ]


TOKENS = Idea(
    26,
    Said("Tokens let no gradient through", "離散的詞沒有梯度可傳"),
    Said(
        "A critic's gradient passes through pixels into the generator, but a token is chosen, not "
        "computed, and every gradient is None. REINFORCE estimates it from rewards: without bias, "
        "as listing all sentences shows, but noisily; soft tokens (Gumbel-softmax) let a gradient "
        "through, but a biased one.",
        "判別器的梯度可以穿過像素傳到生成器，但詞是選出來的而不是算出來的，因此梯度全是 None。"
        "REINFORCE 由獎勵估計梯度：列舉所有句子可驗證它是不偏的，只是雜訊很大；"
        "改用 soft Gumbel 的軟性詞雖有梯度，卻有偏差。",
    ),
    Said.both("∇ E[D(x)] = E[D(x) ∇ log p(x)]"),
    _tokens,
)

# ── 34: the same cycle on text ────────────────────────────────────────────────────────────────


def _cipher(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.data.tokenizers import LETTERS
    from seqgan.lectures.stage import measured
    from seqgan.reporting.panels import panels, save_png, without_axes
    from seqgan.tasks.cipher.config import CipherDataConfig

    few = ("data.train=64", "data.valid=16", "data.test=16")
    run = stage.train("lectures/34_cipher.yaml", name="critic", quick=few)
    alone = ("game.adversarial_weight=0", "schedule=[{repeat: 200, phases: {generator: 1}}]")
    deaf = stage.train("lectures/34_cipher.yaml", *alone, name="no_critic", quick=few)

    data = run.experiment.data
    assert isinstance(data, CipherDataConfig)
    key_V = torch.from_numpy(data.build_table()[0])
    figure, (table, text) = panels(2, titles=("the table it has learned", "a line, deciphered"))
    belief_VV = run.generator["b2a"].table_PUV[0].softmax(-1)[key_V]
    table.imshow(belief_VV.numpy(), cmap="Blues", vmin=0, vmax=1)
    letters = [letter.replace(" ", "␣") for letter in LETTERS]
    table.set(xlabel="read as", ylabel="cipher of", xticks=range(27), yticks=range(27))
    table.set_xticklabels(letters, fontsize=5)
    table.set_yticklabels(letters, fontsize=5)
    table.grid(False)
    plain = data.build_sentences()["test"][0][:44].ljust(44)
    cipher = "".join(LETTERS[key_V[LETTERS.find(letter)]] for letter in plain)
    lines = ("cipher", cipher), ("deciphered", str(run.transform([cipher])[0])), ("truth", plain)
    for row, (label, line) in enumerate(lines):
        text.text(0, 0.85 - 0.3 * row, label, fontsize=8, color="0.4")
        text.text(0, 0.75 - 0.3 * row, line[:22], fontsize=10, family="monospace")
        text.text(0, 0.66 - 0.3 * row, line[22:44], fontsize=10, family="monospace")
    without_axes(text)
    save_png(figure, stage.picture("cipher"))
    return [
        Finding(
            Said("letters deciphered", "解對的字母比例"),
            measured(run)["accuracy_b2a"],
            at_least=0.95,
        ),
        Finding(
            Said("without a critic", "解對的字母比例：沒有判別器"),
            measured(deaf)["accuracy_b2a"],
            at_most=0.3,
        ),
    ]


CIPHER = Idea(
    34,
    Said("Text without pairs: a cipher, summaries, translation", "不成對的文字：解密、摘要與翻譯"),
    Said(
        "The game that turns pictures of one kind into another also translates text without pairs, "
        "once the critic's score passes through tokens by an estimator. Here it deciphers a secret "
        "alphabet from unrelated sentences, where being one-to-one takes the place of the way "
        "back; configs/summarize and configs/translate do summaries and translation, with a cycle.",
        "把一類圖片轉成另一類的那套 GAN 訓練，只要用梯度估計讓判別器的分數能傳過離散的詞，"
        "也能在沒有成對資料下翻譯文字。這裡它只看不相關的句子就解開一套密碼，"
        "並以「一對一」的要求代替轉換回來的 cycle；"
        "configs/summarize 與 configs/translate 則用 cycle 做摘要與翻譯。",
    ),
    Said(
        "min_F max_D E[D(plain)] − E[D(F(cipher))] + how far F is from one-to-one",
        "min_F max_D E[D(明文)] − E[D(F(密文))] + F 離一對一多遠",
    ),
    _cipher,
)

IDEAS: tuple[Idea, ...] = (TOKENS, CIPHER)
