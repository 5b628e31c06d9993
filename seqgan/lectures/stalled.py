"""The idea that two players need each other: if one stops, so does the other."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.quick import FEW_POINTS

if TYPE_CHECKING:
    from seqgan.lectures.stage import Stage
    from seqgan.runs.saved import SavedRun

CONFIG = "lectures/25_stopped.yaml"
STOPS = {
    "both learn": (),
    "critic stops": ("schedule.1.phases={generator: 1}",),
    "generator stops": ("players.generator.lr_decay={start: 1, end: 0}",),
}
IN_CHINESE = {
    "both learn": "雙方都學",
    "critic stops": "判別器停止",
    "generator stops": "生成器停止",
}


def near_centres(run: "SavedRun") -> dict[int, float]:
    """Updates of the generator → share of its points near a centre."""
    from seqgan.training.runlog import read_evaluations

    evaluations = read_evaluations(run.folder / "metrics.jsonl")
    shares = {line["generator_updates"]: line["metrics"]["high_quality"] for line in evaluations}
    return {updates: share for updates, share in shares.items() if share is not None}


def _stalled(stage: "Stage") -> list[Finding]:
    from seqgan.core.run_lines import read_run_lines
    from seqgan.reporting.panels import PALETTE, panels, save_png

    runs = {
        name: stage.train(CONFIG, *overrides, name=name, quick=FEW_POINTS)
        for name, overrides in STOPS.items()
    }
    logs = {name: read_run_lines(run.folder / "metrics.jsonl") for name, run in runs.items()}
    near = {name: near_centres(run) for name, run in runs.items()}
    figure, (good, sure, slope) = panels(
        3, titles=("points near a centre", "the critic's accuracy", "the generator's gradient")
    )
    for colour, (name, log) in zip(PALETTE, logs.items(), strict=False):
        good.plot(list(near[name]), list(near[name].values()), color=colour, label=name)
        for panel, key in ((sure, "critic/accuracy"), (slope, "generator/gradient_norm")):
            rows = [(line["generator_updates"], line[key]) for line in log.train if key in line]
            panel.plot(*zip(*rows, strict=True), color=colour)
        for line in log.alarms:
            sure.axvline(line["generator_updates"], color=colour, linestyle=":", linewidth=1)
    good.legend(fontsize=8)
    good.set(ylim=(0, 1.02))
    sure.set(ylim=(0, 1.02))
    slope.set_yscale("log")
    for panel in (good, sure, slope):
        panel.set_xlabel("generator updates", fontsize=8)
    save_png(figure, stage.picture("stopped"))
    last = {name: [*shares.values()][-1] for name, shares in near.items()}
    wins = logs["generator stops"].train[-1]
    return [
        *(
            Finding(
                Said(
                    f"share near a centre at the end, {name}",
                    f"最後落在中心附近的比例：{IN_CHINESE[name]}",
                ),
                last[name],
            )
            for name in runs
        ),
        Finding(
            Said("both, minus critic stopped", "雙方都學減去判別器停止"),
            last["both learn"] - last["critic stops"],
            at_least=0.2,
        ),
        Finding(
            Said("generator stopped: the critic's accuracy", "生成器停止：判別器的正確率"),
            wins["critic/accuracy"],
            at_least=0.98,
        ),
        *(
            Finding(
                Said(f"alarms, {name}", f"警報次數：{IN_CHINESE[name]}"),
                len(log.alarms),
                at_least=float(bool(STOPS[name])),
                at_most=float(bool(STOPS[name])),
            )
            for name, log in logs.items()
        ),
    ]


STALLED = Idea(
    25,
    Said("If one stops, both do", "一方停下，雙方都停"),
    Said(
        "If the critic no longer learns, the generator runs to wherever it scores highest, away "
        "from the data; against a generator that stands still the critic is soon right about "
        "everything, and has nothing left to learn. The log raises an alarm in both cases.",
        "判別器若不再學習，生成器會跑到它給分最高的地方，離資料越來越遠；"
        "生成器若停住，判別器很快就全部答對，也就不再有東西可學。"
        "這兩種情況，訓練紀錄都會發出警報。",
    ),
    Said(
        "G ← G − η ∇_G V(D, G),   D ← D + η ∇_D V(D, G):   both, or neither",
        "G ← G − η ∇_G V(D, G)，   D ← D + η ∇_D V(D, G)：   兩者都動，否則都停",
    ),
    _stalled,
)

IDEAS: tuple[Idea, ...] = (STALLED,)
