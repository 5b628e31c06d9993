"""Ideas on networks that grow, and on the family of GANs."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from seqgan.experiment import Experiment
    from seqgan.lectures.stage import Stage

# ── 35: progressive growing, and walks through the latent space ───────────────────────────────

_COLUMNS = 8
_WALKS, _STEPS = 6, 21
_QUICK = (
    "data.source={name: faces, train: 64, extractor: 64, valid: 64, test: 64}",
    "train.show_at=[2, 4]",
)


def change_by_growth() -> float:
    """The largest change of a picture or a critic's feature by a new stage at α = 0."""
    from seqgan.core.types import ArraySpace
    from seqgan.models.image.growing import GrowingGenerator, GrowingTrunk

    space = ArraySpace((3, 32, 32))
    generator, trunk = GrowingGenerator(space, width=4), GrowingTrunk(space, width=4)
    z_BL, largest = generator.draw(8), 0.0
    x = generator(z_BL)
    for _ in generator.sizes[1:]:
        pictures, features = generator(z_BL), trunk(x)
        generator.grow()
        trunk.grow()
        changes = (generator(z_BL) - pictures, trunk(x) - features)
        largest = max([largest, *(float(change.detach().abs().max()) for change in changes)])
        for network in (generator, trunk):
            network.alpha.fill_(1.0)
    return largest


def longest_step(x_SNX: "Tensor") -> float:
    """Of walks of N pictures, the longest step as a share of the whole way; mean over walks."""
    steps_SN = (x_SNX[:, 1:] - x_SNX[:, :-1]).flatten(2).norm(dim=2)
    return float((steps_SN.amax(1) / steps_SN.sum(1)).mean())


def _straight(start_SL: "Tensor", end_SL: "Tensor", t_T: "Tensor") -> "Tensor":
    """lerp: `z_STL`."""
    import torch

    return torch.lerp(start_SL[:, None], end_SL[:, None], t_T[None, :, None])


def _stage_at(experiment: "Experiment", updates: int) -> str:
    """The size that is drawn after so many updates of the generator, and how far it is faded in."""
    from seqgan.games.adversarial_config import GrowingGameConfig
    from seqgan.models.image.config import GrowingGeneratorConfig

    game, generator = experiment.game, experiment.generator
    assert isinstance(game, GrowingGameConfig)
    assert isinstance(generator, GrowingGeneratorConfig)
    size, done, faded = generator.start, 0, game.fade
    for stage in experiment.schedule:
        if "grow" in stage.phases and done < updates:
            size, faded = 2 * size, updates - 1 - done
        done += stage.repeat * stage.phases.get("generator", 0)
    share = "" if faded >= game.fade else f", α = {faded / game.fade:.1f}"
    return f"{size} × {size}{share}"


def _rows_of_sheets(folder: "Path", experiment: "Experiment") -> list[tuple[str, "Tensor"]]:
    """The first row of each sheet that the training has saved, of the same noise."""
    import torch

    from seqgan.core.picture_files import read_picture
    from seqgan.evaluation.sheets import GAP

    rows = []
    for path in sorted(folder.glob("updates-*.png")):
        updates = int(path.stem.removeprefix("updates-"))
        sheet_HWC = torch.tensor(read_picture(path))
        cell = (sheet_HWC.shape[1] - GAP) // _COLUMNS - GAP
        cells = [
            sheet_HWC[GAP : GAP + cell, left : left + cell]
            for left in range(GAP, sheet_HWC.shape[1] - cell, cell + GAP)
        ]
        if updates:
            label = f"{updates} updates: {_stage_at(experiment, updates)}"
            rows.append((label, torch.stack(cells).permute(0, 3, 1, 2)))
    return rows


def _growing(stage: "Stage") -> list[Finding]:
    import torch

    from seqgan.core.pictures import to_bytes
    from seqgan.evaluation.sheets import slerp
    from seqgan.reporting.panels import panels, save_png, show_pictures

    run = stage.train("lectures/35_growing.yaml", name="growing", quick=_QUICK)
    generator = run.generator
    torch.manual_seed(0)
    ends = generator.draw(_WALKS), generator.draw(_WALKS)
    t_T = torch.linspace(0, 1, _STEPS)
    ways: dict[str, Callable[..., Tensor]] = {"slerp": slerp, "lerp": _straight}
    walks = {
        name: generator(way(*ends, t_T).flatten(0, 1)).unflatten(0, (_WALKS, _STEPS))
        for name, way in ways.items()
    }
    shown = torch.linspace(0, _STEPS - 1, _COLUMNS).round().long()
    rows = _rows_of_sheets(run.folder / "samples", run.experiment)
    rows += [(f"{name} between two draws", to_bytes(x[0, shown])) for name, x in walks.items()]
    figure, axes = panels(1, len(rows), titles=[text for text, _ in rows], width=5.2, height=0.85)
    for panel, (_, x_NCHW) in zip(axes, rows, strict=True):
        show_pictures(panel, x_NCHW.float() / 127.5 - 1, columns=_COLUMNS)
    save_png(figure, stage.picture("growing"))
    return [
        Finding(
            Said(
                "largest change of picture or feature by growth, untrained networks",
                "剛加上新的層時（未訓練的網路），圖片或特徵的最大變化",
            ),
            change_by_growth(),
            at_most=0.0,
        ),
        *(
            Finding(
                Said(
                    f"longest of 20 steps of a walk by {name}, share of the walk",
                    f"用 {name} 內插 20 步，最長一步占全程的比例",
                ),
                longest_step(x),
                at_most=0.2,
            )
            for name, x in walks.items()
        ),
    ]


GROWING = Idea(
    35,
    Said("Progressive growing", "漸進式增長 (Progressive GAN)"),
    Said(
        "Begin with small pictures, where the coarse things are learned fast, and add layers for "
        "larger ones, which are faded in so that nothing that was learned is lost. Between two "
        "draws of noise there is a smooth walk of faces.",
        "先從小圖開始，粗略的結構很快就學會；再加上負責較大圖的層，並用 α 慢慢淡入，"
        "使已學到的不會被破壞。"
        "在兩個雜訊向量之間內插，人臉會平滑地變化。",
    ),
    Said(
        "x = (1 − α) · ↑x_small + α · x_large,   α from 0 to 1",
        "x = (1 − α) · ↑x_小 + α · x_大，   α 由 0 到 1",
    ),
    _growing,
)

IDEAS: tuple[Idea, ...] = (GROWING,)
