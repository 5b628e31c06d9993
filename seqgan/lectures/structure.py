"""Ideas on outputs whose parts depend on one another."""

from typing import TYPE_CHECKING, Any

from seqgan.lectures.idea import Finding, Idea, Said

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage

# ── 9: only the whole is right or wrong ───────────────────────────────────────────────────────

TOKENS, COLUMNS = 3, 6
_SPELLING = "abc"


def all_words() -> "tuple[Tensor, Tensor]":
    """`ids_RT` of all words of six letters of three, and which of them are palindromes."""
    from seqgan.core.enumeration import all_sequences

    ids_RT = all_sequences(TOKENS, COLUMNS)
    return ids_RT, (ids_RT == ids_RT.flip(1)).all(1)


def corrected(kind: str, updates: int) -> "Tensor":
    """`probability_R` of every word when a generator that draws each letter by itself is corrected
    by a critic that has learned to tell palindromes from what it draws: q(x) exp(D(x)), normalised.

    `kind` is whole, or the sum of what it says of each letter (letters) or of every three letters
    in a row (windows).
    """
    import torch

    from seqgan.core.types import Scores, SequenceSpace
    from seqgan.models.critics.local import LocalCritic
    from seqgan.models.critics.mlp import MlpCritic
    from seqgan.objectives.divergences import Divergence

    torch.manual_seed(0)
    space = SequenceSpace(TOKENS, COLUMNS)
    reach = {"letters": 1, "windows": 3}.get(kind)
    critic: Any = LocalCritic(space, 48, (reach,)) if reach else MlpCritic(space, 96, 2)
    optimizer = torch.optim.Adam(critic.parameters(), lr=5e-3)
    ids_RT, right_R = all_words()

    def logits(ids_BT: "Tensor") -> "Tensor":
        return critic(ids_BT).score.view(len(ids_BT), -1).sum(1)

    real_BT = ids_RT[right_R]
    for _ in range(updates):
        drawn_BT = ids_RT[torch.randint(len(ids_RT), (256,))]  # every letter by itself
        optimizer.zero_grad()
        real, fake = Scores(logits(real_BT)), Scores(logits(drawn_BT))
        Divergence("non_saturating").critic_loss(real, fake).backward()
        optimizer.step()
    with torch.no_grad():
        return logits(ids_RT).softmax(0)


def _structure(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.reporting.panels import PALETTE, panels, save_png, without_axes

    ids_RT, right_R = all_words()
    updates = 20 if stage.quick else 400
    made = {
        "D of letters": corrected("letters", updates),
        "D of windows": corrected("windows", updates),
        "D of the whole": corrected("whole", updates),
    }
    figure, (bars, words) = panels(2, titles=("share of palindromes", "drawn words"))
    share = {name: float(p_R[right_R].sum()) for name, p_R in made.items()}
    bars.bar(list(share), list(share.values()), color=PALETTE[:3])
    bars.tick_params(axis="x", labelsize=8)
    bars.set(ylim=(0, 1.05))
    for column, (name, p_R) in enumerate(made.items()):
        words.text(0.34 * column, 0.95, name, fontsize=8, color="0.4")
        for row, index in enumerate(torch.multinomial(p_R, 8, replacement=True).tolist()):
            spelled = "".join(_SPELLING[letter] for letter in ids_RT[index])
            colour = PALETTE[2] if right_R[index] else PALETTE[3]
            place = 0.34 * column, 0.84 - 0.11 * row
            words.text(*place, spelled, fontsize=11, family="monospace", color=colour)
    without_axes(words)
    save_png(figure, stage.picture("structure"))
    by_letter, by_windows, by_whole = share.values()
    return [
        Finding(
            Said("palindromes among all words", "全部字串中迴文的比例"),
            float(right_R.float().mean()),
        ),
        Finding(
            Said(
                "palindromes, corrected by a critic of single letters",
                "迴文的比例：由只看單一字母的判別器修正",
            ),
            by_letter,
            at_most=0.1,
        ),
        Finding(
            Said(
                "palindromes, corrected by a critic of windows",
                "迴文的比例：由只看相鄰三個字母的判別器修正",
            ),
            by_windows,
            at_most=0.3,
        ),
        Finding(
            Said(
                "palindromes, corrected by a critic of the whole",
                "迴文的比例：由看整體的判別器修正",
            ),
            by_whole,
            at_least=0.9,
        ),
    ]


STRUCTURE = Idea(
    9,
    Said("GAN as structured learning", "把 GAN 看成結構化學習"),
    Said(
        "A sentence, a tree or a picture is right only as a whole: every letter of a palindrome is "
        "fine by itself, and so is every window of three. The generator puts parts together, "
        "bottom up, and needs a critic that judges the whole, top down.",
        "句子、樹或圖片要整體正確才算對：迴文的每個字母、每三個相鄰字母單獨看都沒有問題。"
        "生成器由下而上拼出各部分，需要由上而下評斷整體的判別器。",
    ),
    Said(
        "x* ~ q(x) exp D(x),   D(x_1, …, x_n)  against  Σ_i d(x_{i−1}, x_i, x_{i+1})",
        "x* ~ q(x) exp D(x)，   D(x_1, …, x_n)  對照  Σ_i d(x_{i−1}, x_i, x_{i+1})",
    ),
    _structure,
)

IDEAS: tuple[Idea, ...] = (STRUCTURE,)
