"""Ideas on two players: how they alternate, and what each of them plays for."""

from typing import TYPE_CHECKING, Any

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.quick import FEW_PICTURES, FEW_POINTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

    from seqgan.lectures.stage import Stage
    from seqgan.training.game import Game

RING = "lectures/01_ring.yaml"


def visit(game: "Game", phase: str) -> None:
    """One visit of a phase: its players take their losses."""
    for player, loss, _ in game.updates(phase):
        player.update(loss)


# ── 6: the two take turns ─────────────────────────────────────────────────────────────────────


def changed_tensors(game: "Game", phase: str) -> dict[str, int]:
    """Player → how many of its parameters and buffers one visit of the phase has changed."""
    import torch

    before = {
        name: {key: value.clone() for key, value in player.module.state_dict().items()}
        for name, player in game.players.items()
    }
    visit(game, phase)
    return {
        name: sum(
            not torch.equal(value, before[name][key])
            for key, value in player.module.state_dict().items()
        )
        for name, player in game.players.items()
    }


def _alternation(stage: "Stage") -> list[Finding]:
    import copy

    from seqgan.evaluation.base import DecodingSetting
    from seqgan.reporting.panels import PALETTE, panels, save_png

    digits = stage.build("lectures/06_digits.yaml", *FEW_PICTURES)[2]
    in_critic_turn = changed_tensors(digits, "critic")
    in_generator_turn = changed_tensors(digits, "generator")

    rounds, judged = (16, 64) if stage.quick else (800, 2_000)
    shown = [0, rounds // 16, rounds // 4, rounds]
    figure, (*maps, curve) = panels(
        5, titles=[f"v{k + 1}: after {at} turns" for k, at in enumerate(shown)], width=2.3
    )
    quality: dict[str, list[Any]] = {}
    for label in ("goes on", "starts anew"):
        _, task, game = stage.build(RING, quick=FEW_POINTS)
        fresh = copy.deepcopy(game.players["critic"].state_dict())
        quality[label] = []
        for turn in range(rounds + 1):
            if label == "goes on" and turn in shown:
                _show_round(maps[shown.index(turn)], game)
            if turn % (rounds // 8) == 0:
                with game.players["generator"].evaluated() as generator:
                    found = task.evaluator.generated(generator, "valid", judged, DecodingSetting())
                quality[label].append(found["high_quality"])
            if label == "starts anew":
                game.players["critic"].load_state_dict(copy.deepcopy(fresh))
            visit(game, "critic")
            visit(game, "generator")
        if label == "goes on":
            kept = game.players["critic"].state_dict()
    at = [turn * rounds // 8 for turn in range(9)]
    for colour, (label, values) in zip(PALETTE, quality.items(), strict=False):
        curve.plot(at, values, color=colour, label=f"D {label}")
    curve.set(xlabel="turns", title="share of good samples", ylim=(-0.03, 1.03))
    curve.title.set_fontsize(10)
    curve.legend(fontsize=8)
    save_png(figure, stage.picture("turns"))
    steps = float(next(iter(kept["optimizer"]["state"].values()))["step"])
    return [
        Finding(
            Said("tensors of G changed in D's turn", "輪到 D：G 有幾個張量改變"),
            in_critic_turn["generator"],
            at_least=0,
            at_most=0,
        ),
        Finding(
            Said("tensors of D changed in G's turn", "輪到 G：D 有幾個張量改變"),
            in_generator_turn["critic"],
            at_least=0,
            at_most=0,
        ),
        Finding(
            Said("tensors of D changed in D's turn", "輪到 D：D 有幾個張量改變"),
            in_critic_turn["critic"],
            at_least=1,
        ),
        Finding(
            Said("tensors of G changed in G's turn", "輪到 G：G 有幾個張量改變"),
            in_generator_turn["generator"],
            at_least=1,
        ),
        Finding(
            Said("steps that D's Adam remembers, per turn", "D 的 Adam 平均每輪累計幾步"),
            steps / kept["updates"],
            at_least=1,
            at_most=1,
        ),
        Finding(
            Said("good samples, D goes on", "好樣本的比例：D 接著訓練"),
            quality["goes on"][-1],
            at_least=0.8,
        ),
        Finding(
            Said("good samples, D starts anew each turn", "好樣本的比例：D 每輪重新初始化"),
            quality["starts anew"][-1],
            at_most=0.4,
        ),
    ]


def _show_round(panel: "Axes", game: "Game") -> None:
    """The critic's opinion of the plane, and the generator's samples on it."""
    import torch

    from seqgan.data.points import Mixture
    from seqgan.decoding import generate
    from seqgan.reporting.panels import show_points

    steps = torch.linspace(-1.6, 1.6, 60)
    grid_NX = torch.cartesian_prod(steps, steps).flip(1)
    with game.players["critic"].evaluated() as critic:
        belief = critic(grid_NX).score.sigmoid().view(60, 60)
    player: Any = game.players["generator"]
    with player.evaluated() as generator:
        x_N2 = generate(generator, 300)
    edge = (-1.6, 1.6, -1.6, 1.6)
    panel.imshow(belief, origin="lower", extent=edge, vmin=0.2, vmax=0.8, cmap="coolwarm")
    circles = {"s": 60, "facecolors": "none", "edgecolors": "black", "linewidths": 0.6}
    show_points(panel, Mixture("ring", 0).centres_K2, **circles)
    show_points(panel, x_N2, color="black")
    panel.set(xlim=edge[:2], ylim=edge[2:], xticks=[], yticks=[])
    panel.set_xlabel("D: red real, blue generated", fontsize=8)
    panel.grid(False)


ALTERNATION = Idea(
    6,
    Said("The players take turns", "兩個玩家輪流訓練"),
    Said(
        "In the critic's turn the generator is fixed and in the generator's turn the critic, so "
        "the versions v1, v2, v3 of both drive each other on. The critic goes on from where it "
        "was: one that starts anew each turn is never good enough to teach.",
        "訓練判別器時固定生成器，訓練生成器時固定判別器，兩者的 v1、v2、v3 便互相推著進步。"
        "判別器要從上一輪接著訓練：若每輪重新初始化，它永遠不夠好，教不了生成器。",
    ),
    Said(
        "repeat:  θ_D ← θ_D + η ∇V(D, G),  G fixed;   θ_G ← θ_G − η ∇V(D, G),  D fixed",
        "反覆：  固定 G，θ_D ← θ_D + η ∇V(D, G)；   固定 D，θ_G ← θ_G − η ∇V(D, G)",
    ),
    _alternation,
)

# ── 7: labels 1 and 0, by classification or regression ────────────────────────────────────────


def best_critic(x_N: "Tensor") -> "Tensor":
    """D*(x) = p(x) / (p(x) + q(x)) of the densities that `fit_critic` draws from."""
    import torch

    def normal(mean: float, std: float) -> "Tensor":
        return torch.exp(-(((x_N - mean) / std) ** 2) / 2) / std

    real_N, fake_N = 0.5 * (normal(-2, 0.6) + normal(1.5, 0.6)), normal(0, 1.2)
    return real_N / (real_N + fake_N)


def fit_critic(objective: str, updates: int, x_N: "Tensor") -> "Tensor":
    """D(x) of a critic that has learned label 1 for real points and 0 for generated ones.

    `objective` is non_saturating (cross-entropy, D = σ of the score) or lsgan (regression, D is the
    score).
    """
    import torch

    from seqgan.core.types import ArraySpace, Batch
    from seqgan.games.critics import score
    from seqgan.models.critics.mlp import MlpCritic
    from seqgan.objectives.divergences import Divergence

    torch.manual_seed(0)
    critic = MlpCritic(ArraySpace((1,)), hidden=48, layers=3)
    optimizer = torch.optim.Adam(critic.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=updates)
    criterion = Divergence(objective)  # type: ignore[arg-type]
    for _ in range(updates):
        side_B1 = torch.randint(2, (512, 1)) * 3.5 - 2
        real = score(critic, Batch(side_B1 + 0.6 * torch.randn(512, 1)))
        fake = score(critic, Batch(1.2 * torch.randn(512, 1)))
        optimizer.zero_grad()
        criterion.critic_loss(real, fake).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        learned_N = score(critic, Batch(x_N[:, None])).score
    return learned_N if objective == "lsgan" else learned_N.sigmoid()


_LABELS = {"non_saturating": Said("classification", "分類"), "lsgan": Said("regression", "迴歸")}


def _regression(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.decoding import generate
    from seqgan.lectures.stage import measured
    from seqgan.reporting.panels import PALETTE, panels, save_png, show_points

    x_N = torch.linspace(-3.5, 3.2, 200)
    best_N = best_critic(x_N)
    figure, (left, *rings) = panels(
        3, titles=("one critic, two losses", *(label.en for label in _LABELS.values()))
    )
    left.plot(x_N, best_N, color="0.6", linewidth=4, label="p / (p + q)")
    findings, made = [], []
    for colour, panel, (name, label) in zip(PALETTE, rings, _LABELS.items(), strict=False):
        learned_N = fit_critic(name, 10 if stage.quick else 600, x_N)
        left.plot(x_N, learned_N, color=colour, label=label.en)
        error = float((learned_N - best_N).abs().mean())
        findings.append(
            Finding(
                Said(f"mean |D − p/(p+q)|, {label.en}", f"|D − p/(p+q)| 的平均：{label.zh}"),
                error,
                at_most=0.05,
            )
        )
        run = stage.train(RING, f"objective.name={name}", name=label.en, quick=FEW_POINTS)
        show_points(panel, generate(run.generator, 1_000), color=colour)
        panel.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
        metrics = measured(run)
        made += [
            Finding(
                Said(f"modes of eight, {label.en}", f"八個 mode 涵蓋了幾個：{label.zh}"),
                metrics["modes"],
                at_least=8,
            ),
            Finding(
                Said(f"good samples, {label.en}", f"好樣本的比例：{label.zh}"),
                metrics["high_quality"],
                at_least=0.7,
            ),
        ]
    left.set(xlabel="x", ylabel="D(x)", ylim=(-0.1, 1.25))
    left.legend(fontsize=8, loc="upper center", ncols=3, columnspacing=0.8, handlelength=1.2)
    save_png(figure, stage.picture("labels"))
    return [*findings, *made]


REGRESSION = Idea(
    7,
    Said("Labels 1 and 0: classification or regression", "標籤 1 與 0：分類或迴歸"),
    Said(
        "The critic learns to answer 1 to real samples and 0 to generated ones, as a classifier "
        "(cross-entropy) or by regression (least squares). Both have the same best critic, and the "
        "same trainer learns a generator from either.",
        "判別器學著對真實樣本輸出 1、對生成樣本輸出 0，可以當成分類（交叉熵），"
        "也可以當成迴歸（最小平方）。兩者的最佳判別器相同，用哪一種都能以同一套程式訓練生成器。",
    ),
    Said.both(
        "argmin_D E_p[(D − 1)²] + E_q[D²]  =  argmax_D E_p[log D] + E_q[log(1 − D)]  =  p / (p + q)"
    ),
    _regression,
)

# ── 8: minimax against non-saturating, and the sign that one lecture note has wrong ───────────


def reward_gradients(name: str, logits_N: "Tensor") -> "Tensor":
    """The slope of the generator's reward at each of the critic's logits."""
    import torch

    from seqgan.core.types import Scores
    from seqgan.objectives.divergences import Divergence

    logits_N = logits_N.clone().requires_grad_()
    reward = Divergence(name).reward(Scores(logits_N)).sum()  # type: ignore[arg-type]
    (slope_N,) = torch.autograd.grad(reward, logits_N)
    return slope_N


def fooled_critic(game: "Game", turns: int, sign: int) -> list[float]:
    """Mean D(G(z)) before each of the generator's turns, while the critic stays as it is.

    `sign` 1 is the game's own loss, which raises log D(G(z)); -1 descends on it, as one lecture
    note says by mistake.
    """
    import torch

    from seqgan.decoding import generate

    generator: Any = game.players["generator"].module
    critic = game.players["critic"].module
    means = []
    for _ in range(turns):
        with torch.no_grad():
            means.append(float(critic(generate(generator, 512)).score.sigmoid().mean()))
        for player, loss, _ in game.updates("generator"):
            player.update(sign * loss)
    return means


def _losses(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.reporting.panels import PALETTE, panels, save_png
    from seqgan.reporting.runs import read_run

    logits_N = torch.linspace(-22, 6, 113)
    slopes = {name: reward_gradients(name, logits_N) for name in ("minimax", "non_saturating")}
    titles = ("what teaches the generator", "the sign matters", "equilibrium: D cannot tell")
    figure, (left, sign, end) = panels(3, titles=titles)
    for colour, (name, slope_N) in zip(PALETTE, slopes.items(), strict=False):
        left.semilogy(logits_N, slope_N, color=colour, label=name.replace("_", "-"))
    left.axvline(-20, color="0.6", linewidth=0.8, linestyle=":")
    left.annotate("critic is sure", (-20, 1e-4), (-18.8, 1e-4), fontsize=8, color="0.4")
    left.set(xlabel="critic's logit at a generated sample", ylabel="slope of the reward")

    rises = {}
    for label, direction in {"raise log D(G(z))": 1, "descend on it (the slip)": -1}.items():
        game = stage.build(RING, quick=FEW_POINTS)[2]
        for _ in range(2 if stage.quick else 60):
            visit(game, "critic")
            visit(game, "generator")
        means = fooled_critic(game, 2 if stage.quick else 30, direction)
        sign.plot(means, color=PALETTE[2 if direction == 1 else 3], label=label)
        rises[direction] = means[-1] - means[0]
    sign.set(xlabel="generator updates, critic fixed", ylabel="mean D(G(z))", ylim=(-0.03, 1.03))

    run = stage.train(RING, name="ring", quick=FEW_POINTS)
    lines = read_run(run.folder).train
    accuracy = [line["critic/accuracy"] for line in lines]
    turns = [line["generator_updates"] for line in lines]
    end.plot(turns, accuracy, color=PALETTE[0], label="accuracy of D")
    end.axhline(0.5, color="0.6", linewidth=0.8, linestyle=":")
    end.set(xlabel="generator updates", ylim=(0.3, 1.03))
    for panel in (left, sign, end):
        panel.legend(fontsize=8)
    save_png(figure, stage.picture("losses"))
    at = {name: float(reward_gradients(name, torch.tensor([-20.0]))) for name in slopes}
    return [
        Finding(
            Said("slope at logit -20, minimax", "logit 為 −20 時的斜率：minimax"),
            at["minimax"],
            at_most=1e-8,
        ),
        Finding(
            Said("slope at logit -20, non-saturating", "logit 為 −20 時的斜率：non-saturating"),
            at["non_saturating"],
            at_least=0.99,
        ),
        Finding(
            Said("rise of mean D(G(z)), log D raised", "D(G(z)) 平均上升多少：提高 log D"),
            rises[1],
            at_least=0.05,
        ),
        Finding(
            Said("rise of mean D(G(z)), sign mistaken", "D(G(z)) 平均上升多少：正負號弄錯"),
            rises[-1],
            at_most=-0.05,
        ),
        Finding(
            Said("accuracy of D, first updates", "D 的正確率：最初幾次更新"),
            accuracy[0],
            at_least=0.6,
        ),
        Finding(Said("accuracy of D at the end", "D 的正確率：訓練結束時"), accuracy[-1], 0.4, 0.6),
    ]


LOSSES = Idea(
    8,
    Said("Minimax and non-saturating losses", "minimax 與 non-saturating 損失"),
    Said(
        "Where the critic is sure that a sample is generated, the minimax loss teaches the "
        "generator nothing, raising log D(G(z)) does, and in the end D is right half of the time. "
        "With the sign mistaken, descending on log D(G(z)), the generator learns to lose.",
        "當判別器確信樣本是生成的，minimax 損失幾乎不給生成器梯度，改成提高 log D(G(z)) 就有梯度，"
        "訓練到最後，判別器只答對一半。"
        "若把正負號弄錯，對 log D(G(z)) 做梯度下降，生成器會越學越輸。",
    ),
    Said(
        "min_G E[log(1 − D(G(z)))]   against   max_G E[log D(G(z))]",
        "min_G E[log(1 − D(G(z)))]   對照   max_G E[log D(G(z))]",
    ),
    _losses,
)

IDEAS: tuple[Idea, ...] = (ALTERNATION, REGRESSION, LOSSES)
