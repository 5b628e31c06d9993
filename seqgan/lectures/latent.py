"""The idea that the numbers of the latent vector are characteristics of what is generated."""

from typing import TYPE_CHECKING

from seqgan.lectures.idea import Finding, Idea, Said
from seqgan.lectures.pictures import data_of
from seqgan.lectures.quick import FEW_PICTURES

if TYPE_CHECKING:
    from torch import Tensor

    from seqgan.lectures.stage import Stage
    from seqgan.metrics.linear import LinearProbe
    from seqgan.runs.saved import SavedRun

READ = {
    "long hair": ("hair_length", "long"),
    "blond hair": ("hair_colour", "blond"),
    "blue eyes": ("eye_colour", "blue"),
    "open mouth": ("mouth", "open"),
}
"""What is looked for in the latent vector: the name of an attribute, and the value that counts."""
IN_CHINESE = {
    "long hair": "長髮",
    "blond hair": "金髮",
    "blue eyes": "藍眼睛",
    "open mouth": "張嘴",
}
MOVED = ("long hair", "open mouth")
FACES, SHIFTED = 6_000, 500
FAR = 2.0
"""Standard deviations of noise along a direction to which faces are moved."""


class Faces:
    """A generator of faces, and the rules that read their attributes."""

    def __init__(self, run: "SavedRun") -> None:
        self.generator = run.generator
        detect = data_of(run).build_detector()
        assert detect is not None, "a run on faces in colour"
        self._detect = detect

    def pictures(self, z_NL: "Tensor") -> "Tensor":
        """`uint8` [N, 3, H, W]."""
        import torch

        from seqgan.core.pictures import to_bytes

        with torch.no_grad():
            return torch.cat([to_bytes(self.generator(z_BL)) for z_BL in z_NL.split(500)])

    def shows(self, z_NL: "Tensor") -> "dict[str, Tensor]":
        """For each name of `READ` 1 where the face has that value, 0 where another, NaN where the
        attribute cannot be read."""
        from seqgan.tasks.faces.anatomy import ATTRIBUTES

        read_NA = self._detect(self.pictures(z_NL))
        found = {}
        for name, (attribute, value) in READ.items():
            column = next(i for i, known in enumerate(ATTRIBUTES) if known.name == attribute)
            has_N = (read_NA[:, column] == ATTRIBUTES[column].values.index(value)).float()
            found[name] = has_N.where(read_NA[:, column] >= 0, has_N * float("nan"))
        return found


def set_along(z_NL: "Tensor", direction_L: "Tensor", value: float) -> "Tensor":
    """The codes with their coordinate along a direction of length 1 set to `value`."""
    return z_NL + (value - z_NL @ direction_L)[:, None] * direction_L


def probe_faces(z_NL: "Tensor", has_N: "Tensor") -> "LinearProbe | None":
    """The linear fit of an attribute on the codes of readable faces; None where they are few."""
    from seqgan.metrics.linear import linear_probe

    known_N = ~has_N.isnan()
    if int(known_N.sum()) < 4 * z_NL.shape[1]:
        return None
    return linear_probe(z_NL[known_N], has_N[known_N])


def _latent(stage: "Stage") -> list[Finding]:
    from seqgan.core.rng import isolated

    run = stage.train("lectures/05_latent_faces.yaml", name="faces", quick=FEW_PICTURES)
    faces = Faces(run)
    with isolated(0):
        z_NL = faces.generator.draw(200 if stage.quick else FACES)
        moved_NL = faces.generator.draw(20 if stage.quick else SHIFTED)
    shown = faces.shows(z_NL)
    probes = {name: probe_faces(z_NL, has_N) for name, has_N in shown.items()}
    found = []
    for name, probe in probes.items():
        r2 = float("nan") if probe is None else probe.r2
        what = Said(f"R² of {name} on the latent vector", f"由潛在向量預測{IN_CHINESE[name]}的 R²")
        found.append(Finding(what, r2, at_least=0.3))
    for name in MOVED:
        found += _moves(faces, moved_NL, name, probes[name])
    _draw(stage, faces, z_NL, probes)
    return found


def _moves(faces: Faces, z_NL: "Tensor", name: str, probe: "LinearProbe | None") -> list[Finding]:
    """How the share of faces with an attribute follows its direction."""
    shares = {-FAR: float("nan"), FAR: float("nan")}
    if probe is not None:
        for value in shares:
            has_N = faces.shows(set_along(z_NL, probe.unit_direction(), value))[name]
            shares[value] = float(has_N.nanmean())
    low, high = shares.values()
    zh = IN_CHINESE[name]
    return [
        Finding(
            Said(
                f"{name}: share at −{FAR:g} along its direction, of faces where it can be read",
                f"{zh}：沿它的方向移到 −{FAR:g} 時，在看得出來的臉中所占的比例",
            ),
            low,
        ),
        Finding(
            Said(f"{name}: rise of the share to +{FAR:g}", f"{zh}：再移到 +{FAR:g}，比例上升多少"),
            high - low,
            at_least=0.4,
        ),
    ]


def _draw(
    stage: "Stage", faces: Faces, z_NL: "Tensor", probes: "dict[str, LinearProbe | None]"
) -> None:
    """Sliders: one latent number, or one found direction, a row."""
    import torch

    from seqgan.core.pictures import to_bytes
    from seqgan.evaluation import sheets
    from seqgan.reporting.panels import save_picture

    rows, steps = [], 7
    directions = {f"z{k + 1}": torch.eye(z_NL.shape[1])[k] for k in range(2)}
    directions |= {name: p.unit_direction() for name, p in probes.items() if p is not None}
    for name, direction_L in directions.items():
        start_L = set_along(z_NL[:1], direction_L, 0.0)[0]
        x = sheets.sliders(faces.generator, start_L, direction_L[None], steps, reach=2.5)
        rows.append((name, to_bytes(x)))
    save_picture(sheets.labelled_rows(rows), stage.picture("sliders"))


LATENT = Idea(
    5,
    Said("What the latent vector means", "潛在向量代表什麼"),
    Said(
        "The numbers that a generator starts from become characteristics of the face: a linear "
        "fit finds the direction of long hair or of an open mouth. Moving the vector along it "
        "lengthens the hair or opens the mouth.",
        "生成器輸入的向量決定了臉的特徵：用線性迴歸就能找出長髮或張嘴的方向。"
        "沿著那個方向調整向量，頭髮就變長，嘴就張開。",
    ),
    Said(
        "attribute ≈ wᵀz + b,   R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²,   move: z + t · w / ‖w‖",
        "屬性 ≈ wᵀz + b，   R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)²，   移動：z + t · w / ‖w‖",
    ),
    _latent,
)

IDEAS: tuple[Idea, ...] = (LATENT,)
