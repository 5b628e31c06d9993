"""The idea that a critic generates by arg max: it learns from what it scores highest itself."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.quick import FEW_PICTURES, FEW_POINTS

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

POINTS, SENTENCES, DIGITS = (
    f"lectures/{name}.yaml" for name in ("19_argmax", "19_sentences", "18_negatives")
)
CHAINS, CHAIN_STEPS = 1_000, 400


def total_variation(prob_R: "Tensor", other_R: "Tensor") -> float:
    """Half the sum of absolute differences, of what lies in the table."""
    return 0.5 * float((prob_R - other_R).abs().sum())


def searched_at(run: "SavedRun") -> "dict[int, Tensor]":
    """Round → `prob_R`, what the grid search draws from, at first and at each checkpoint."""
    from seqgan.assembly import build_generating_module
    from seqgan.core.rng import seed_everything
    from seqgan.models.searches import GridSearch
    from seqgan.runs.weights import load_generator
    from seqgan.training.checkpoint import Checkpoints

    seed_everything(run.experiment.seed)
    searches = {0: build_generating_module(run.experiment, run.space)}
    checkpoints = Checkpoints(run.folder / "checkpoints", keep=1)
    for step in checkpoints.steps():
        state = checkpoints.load(step)
        searches[step // 2] = load_generator(run.experiment, run.space, state, run.device)
    found = {}
    for number, search in searches.items():
        assert isinstance(search, GridSearch), "the configuration's generator"
        found[number] = search.log_weights().softmax(0)
    return found


def true_cells(run: "SavedRun") -> "Tensor":
    """`prob_R` of the data, in the cells that the search has."""
    from seqgan.data.points_config import PointsDataConfig
    from seqgan.models.searches.config import GridSearchConfig

    data, search = run.experiment.data, run.experiment.generator
    assert isinstance(data, PointsDataConfig), "points"
    assert isinstance(search, GridSearchConfig), "a grid"
    return data.build_mixture().cell_probabilities(search.side, search.bound)


def sentences_found(run: "SavedRun") -> "tuple[float, float, bool]":
    """Distances of e^D to the truth, exactly, and of Markov chains to e^D; and whether arg max D is
    the likeliest sentence of the truth."""
    import torch

    from seqgan.core.enumeration import all_sequences
    from seqgan.core.rng import isolated
    from seqgan.core.types import SequenceSpace
    from seqgan.decoding import Ancestral, sample
    from seqgan.models.searches import ExhaustiveSearch, GibbsSearch

    space, search = run.space, run.generator
    assert isinstance(space, SequenceSpace), "sentences"
    assert isinstance(search, ExhaustiveSearch), "the configuration's generator"
    ids_RT = all_sequences(space.vocab_size, space.length)
    true_R = run.experiment.data.build_oracle(run.device).log_prob(ids_RT).exp()
    model_R = search.log_weights().softmax(0)
    with isolated(0), torch.no_grad():
        chains = GibbsSearch(space, search.critic, CHAIN_STEPS, buffer=CHAINS)
        ids_NT = sample(chains, space, CHAINS, Ancestral()).ids_BT
    places_T = space.vocab_size ** torch.arange(space.length).flip(0)
    walked_R = (ids_NT * places_T).sum(1).bincount(minlength=len(ids_RT)) / CHAINS
    best = bool(model_R.argmax() == true_R.argmax())
    return total_variation(model_R, true_R), total_variation(walked_R, model_R), best


def _argmax(stage: "Stage") -> list[Finding]:
    from seqgan.reporting.panels import PALETTE, panels, save_png, show_pictures, without_axes

    points = stage.train(POINTS, name="points", quick=FEW_POINTS)
    sentences = stage.train(SENTENCES, name="sentences")
    digits = stage.train(DIGITS, name="digits", quick=FEW_PICTURES)
    found, true_R = searched_at(points), true_cells(points)
    distances = {number: total_variation(prob_R, true_R) for number, prob_R in found.items()}
    of_sentences, of_chains, best = sentences_found(sentences)

    rounds = sorted(found)
    shown = {f"round {n}": found[n] for n in (rounds[0], rounds[len(rounds) // 5], rounds[-1])}
    shown["the data"] = true_R
    titles = [*shown, "distance to the data", "digits by Langevin"]
    figure, axes = panels(3, 2, titles=titles, width=2.5, height=2.3)
    for panel, prob_R in zip(axes, shown.values(), strict=False):
        side = round(len(prob_R) ** 0.5)
        panel.imshow(
            prob_R.view(side, side).T.flip(0).numpy(), cmap="viridis", vmax=float(true_R.max())
        )
        without_axes(panel)
    axes[4].plot(rounds, [distances[n] for n in rounds], color=PALETTE[0])
    axes[4].set(xlabel="rounds of mining", ylabel="total variation", ylim=(0, None))
    show_pictures(axes[5], digits.sample_arrays(30).cpu(), columns=6)
    save_png(figure, stage.picture("argmax"))
    first, last = distances[rounds[0]], distances[rounds[-1]]
    return [
        Finding(
            Said(
                "points: distance of the search to the data at first",
                "二維點：一開始，搜尋結果與資料的距離",
            ),
            first,
        ),
        Finding(
            Said(
                f"points: after {rounds[-1]} rounds, as a share of that",
                f"二維點：{rounds[-1]} 輪之後，與一開始之比",
            ),
            last / first,
            at_most=0.5,
        ),
        Finding(
            Said("sentences: distance of e^D to the data", "句子：e^D 與資料的距離"),
            of_sentences,
            at_most=0.2,
        ),
        Finding(
            Said(
                "sentences: arg max D is the likeliest one (1: yes)",
                "句子：arg max D 是機率最高的一句（1：是）",
            ),
            float(best),
            at_least=1,
        ),
        Finding(
            Said("sentences: distance of Markov chains to e^D", "句子：馬可夫鏈與 e^D 的距離"),
            of_chains,
            at_most=0.15,
        ),
    ]


ARGMAX = Idea(
    19,
    Said("The critic generates by arg max", "判別器自己用 arg max 生成"),
    Said(
        "In each round the critic draws samples with probability e^{D/T}, mostly those that it "
        "scores highest, and learns that these are negatives. Where there are no data its score "
        "falls round after round, until what it draws looks like the data: on a grid and on "
        "sentences all are listed, on digits it climbs the gradient, and some end as noise.",
        "每一輪以正比於 e^{D/T} 的機率抽樣，多半抽到判別器給分最高的樣本，再把它們當作負例來學。"
        "沒有資料的地方分數一輪一輪下降，直到抽出來的樣本像真實資料：在格點與句子上逐一列舉，"
        "在數字圖片上則沿梯度往上爬，有些最後仍是雜訊。",
    ),
    Said(
        "x̃ ~ e^{D(x)/T} / Z  (T → 0: arg max_x D),   then   max_D E_data[D(x)] − E[D(x̃)],   "
        "again and again",
        "x̃ ~ e^{D(x)/T} / Z （T → 0 就是 arg max_x D），   然後   max_D E_data[D(x)] − E[D(x̃)]，   "
        "反覆進行",
    ),
    _argmax,
)

IDEAS: tuple[Idea, ...] = (ARGMAX,)
