"""Read the attributes of a cartoon face back from its pixels, or say that they cannot be read.

Rules on regions, not a learned classifier, whose confidence a collapsed generator can raise. A
region is a small part of the face (`anatomy.py`); the rules use its mean colour, and for hair also
the spread of colours in it.

1. *Where.* Of 147 poses (shift in x and y, scale), take the one at which a pixel's smallest channel
   correlates best with eyes: it is high in the white, low in lashes and in irises of every colour.
2. *What.* Each attribute takes the value that its regions show, and −1 (unreadable) unless they
   show it clearly:
   - hair_colour: four parts of the hair are near the same colour, and each is of one colour;
   - hair_length: beside the jaw is hair on both sides, or background on both sides;
   - eye_colour: both eyes correlate with an eye, lights included, and both irises have one hue;
   - mouth: dark red in both halves of an open mouth; or a dark line across both halves of a
     closed one, and skin above and below it;
   - glasses: as much ink below both eyes and between them as rims leave there; or next to none in
     all three places.
   Mouth and glasses need cheeks of the palette's skin, against which ink is measured.

Thresholds lie between what blurred or noisy faces show and what a blend of two faces shows,
calibrated at 32 and 64 pixels in `tests/tasks/test_face_detector.py`.
"""

from functools import cache

import torch
from torch import Tensor

from seqgan.metrics.histograms import total_variation
from seqgan.tasks.faces import anatomy
from seqgan.tasks.faces.anatomy import ATTRIBUTES, CENTRE, PALETTES, UNITS, Blob, Palette, both

NEAR = 60.0
"""Distance in RGB up to which a region has a colour; ±25 levels in every channel are 43."""
SIDE_NEAR = 40.0
"""The same beside the jaw, from the colour of this face's hair or from the background's."""
MAX_SPREAD = 55.0
"""Root mean squared distance from its mean colour of the pixels of a region of hair."""
MIN_EYE = 0.72
"""Correlation of a picture's smallest channel with that of an eye: white, dark iris, lashes."""
MIN_HUE = 0.92
"""Cosine between the chroma of an iris and that of its colour."""
IRIS_CHROMA = (0.3, 1.2)
"""Size of the chroma of an iris, as a share of its colour's. Blur takes it down to about 0.4."""
RIM_INK = (0.55, 1.4)
"""Ink where a rim is, as a share of what a sharp rim leaves."""
NO_RIM_INK = (-0.5, 0.25)
"""The same where none is: skin may be lighter there than on the cheeks."""
SMILE_INK = (0.4, 1.4)
"""The same of a closed mouth."""
MAX_INK_AROUND = 0.25
"""Ink above and below a closed mouth, as a share of the ink of an open one."""

UNREADABLE = -1

_CHUNK = 128


def detect(x_NCHW: Tensor, palette: str) -> Tensor:
    """`labels_NA` (long) of `uint8` pictures [N, 3, size, size]; −1 is unreadable."""
    chunks = [_detect(x.float(), PALETTES[palette]) for x in x_NCHW.cpu().split(_CHUNK)]
    return torch.cat(chunks)


def has_eyes(x_NCHW: Tensor) -> Tensor:
    """`bool_N`: whether both eyes of `uint8` pictures [N, 3, size, size] are there, white, iris and
    lashes each in its place, in whatever colour."""
    chunks = [_find_eyes(x.float().amin(1))[1] for x in x_NCHW.cpu().split(_CHUNK)]
    return (torch.cat(chunks) >= MIN_EYE).all(1)


def valid_share(detected_NA: Tensor) -> float:
    """Share of the faces in which every attribute is readable."""
    return float((detected_NA != UNREADABLE).all(1).float().mean())


def attribute_distances(detected_NA: Tensor, truth_NA: Tensor) -> dict[str, float]:
    """For each attribute the total variation between its histograms, ½ Σ_v |p_v − q_v|.

    Unreadable is one more value, which the truth never has. 0 is equal, 1 is disjoint.
    """
    return {
        attribute.name: total_variation(
            detected_NA[:, column] + 1, truth_NA[:, column] + 1, len(attribute.values) + 1
        )
        for column, attribute in enumerate(ATTRIBUTES)
    }


# ── Regions ───────────────────────────────────────────────────────────────────────────────────


_Region = tuple[Blob, tuple[Blob, ...]]
"""A blob without some others."""


def _regions(*blobs: Blob) -> tuple[_Region, ...]:
    return tuple((blob, ()) for blob in blobs)


def _eye(left: Blob, *holes: Blob) -> tuple[_Region, ...]:
    """The same part of both eyes; their lights are not mirrored, hence moved."""
    return tuple(
        (left.moved(x, 0), tuple(hole.moved(x, 0) for hole in holes))
        for x in (0, anatomy.EYE_DISTANCE)
    )


_PARTS: dict[str, tuple[_Region, ...]] = {
    "iris": _eye(anatomy.IRIS.grown(-0.2), anatomy.PUPIL.grown(0.2), anatomy.LIGHT.grown(0.2)),
    "cheek": _regions(*both(Blob(10.4, 23.9, 1.6, 0.8, 4))),
    "rim": _regions(*both(Blob(11.4, 21.5, 2.0, 1.2, 4)), Blob(16, 16.8, 0.9, 2.2, 4)),
    "hair": _regions(
        *both(Blob(8.2, 9.6, 1.6, 1.8)), Blob(16, 4.8, 4.0, 1.0, 4), Blob(15, 9.0, 3.5, 1.0, 4)
    ),
    "side": _regions(*both(Blob(5.9, 24.0, 0.9, 2.0, 4))),
    "lips": _regions(*both(Blob(15.1, 24.3, 0.9, 1.0, 4))),
    "smile": _regions(*both(Blob(14.8, 24.6, 1.2, 1.0, 4))),
    "around": _regions(Blob(16, 22.8, 1.2, 0.5, 4), Blob(16, 26.1, 1.2, 0.4, 4)),
}
"""The regions of each part of a face, in units (`anatomy.py`)."""

_ORDER = [(name, i) for name, regions in _PARTS.items() for i in range(len(regions))]
_STEPS = (-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1)
_POSES = [
    (x * anatomy.MAX_SHIFT, y * anatomy.MAX_SHIFT, 1 + s * anatomy.MAX_SCALE)
    for s in (0, -2 / 3, 2 / 3)
    for y in _STEPS
    for x in _STEPS
]
"""(shift in x, shift in y, scale) that are tried."""
_CENTRED = _POSES.index((0, 0, 1))


def _grid(size: int, pose: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
    """Middles of pixels, in the units of a face with this pose: `x_1W` and `y_H1`."""
    shift_x, shift_y, scale = pose
    middles = (torch.arange(size) + 0.5) * UNITS / size - CENTRE
    return (
        (middles[None, :] - shift_x) / scale + CENTRE,
        (middles[:, None] - shift_y) / scale + CENTRE,
    )


def _cover(depth_HW: Tensor, size: int) -> Tensor:
    return (depth_HW * size / UNITS + 0.5).clamp(0, 1)


@cache
def _weights(size: int) -> Tensor:
    """`weights_PRX`: for each pose and region a mean over pixels."""
    rows = []
    for pose in _POSES:
        at = _grid(size, pose)
        for name, i in _ORDER:
            blob, holes = _PARTS[name][i]
            depth_HW = blob.depth(*at)
            for hole in holes:
                depth_HW = torch.minimum(depth_HW, -hole.depth(*at))
            cover_X = _cover(depth_HW, size).flatten()
            rows.append(cover_X / cover_X.sum())
    return torch.stack(rows).view(len(_POSES), len(_ORDER), -1)


@cache
def _eye_templates(size: int) -> tuple[Tensor, Tensor]:
    """`weights_QX` of the pixels of an eye and its lashes, and `template_QX`, how bright they are.

    Q is two eyes for each pose, left and right. The template is scaled such that
    `(weights * template) @ x` over the weighted deviation of x is a correlation.
    """
    weights, templates = [], []
    for pose in _POSES:
        at = _grid(size, pose)
        lashes_HW = _cover(anatomy.LASH_LINE - at[1], size)
        for i in range(2):
            eye, iris, lash = (
                _cover(both(blob)[i].depth(*at), size)
                for blob in (anatomy.EYE, anatomy.IRIS, anatomy.LASHES)
            )
            light = _cover(anatomy.LIGHT.moved(i * anatomy.EYE_DISTANCE, 0).depth(*at), size)
            covered_HW = torch.maximum(eye, lash * lashes_HW)
            bright_HW = (eye - iris * (1 - light)).clamp(min=0) / covered_HW.clamp(min=1e-3)
            # Pixels on the edge are part skin, which may be as bright as the white or not.
            weight_X = covered_HW.flatten() ** 4
            weight_X = weight_X / weight_X.sum()
            template_X = bright_HW.flatten() - (weight_X * bright_HW.flatten()).sum()
            weights.append(weight_X)
            templates.append(template_X / (weight_X * template_X.square()).sum().sqrt())
    return torch.stack(weights), torch.stack(templates)


@cache
def _line_shares(size: int) -> tuple[Tensor, Tensor]:
    """How much of each region of rim and of smile a sharp line of that kind covers."""
    at = _grid(size, _POSES[_CENTRED])
    rim_HW = _cover(anatomy.BRIDGE.depth(*at), size)
    for rim in both(anatomy.RIM):
        outer, inner = (rim.grown(by * anatomy.RIM_WIDTH / 2).depth(*at) for by in (1, -1))
        rim_HW = torch.maximum(rim_HW, _cover(outer, size) - _cover(inner, size))
    smile_HW = _cover(anatomy.smile_depth(*at), size)
    weights_RX = _weights(size)[_CENTRED]
    return _of(weights_RX @ rim_HW.flatten(), "rim"), _of(weights_RX @ smile_HW.flatten(), "smile")


def _of(values: Tensor, name: str) -> Tensor:
    """The entries of one part, of a tensor with all regions in its last dimension."""
    return values[..., [r for r, (part, _) in enumerate(_ORDER) if part == name]]


# ── Rules ─────────────────────────────────────────────────────────────────────────────────────


def _detect(x_NCHW: Tensor, palette: Palette) -> Tensor:
    size = x_NCHW.shape[-1]
    x_NCX, weights_PRX = x_NCHW.flatten(2), _weights(size)
    pose_N, eyes_N2 = _find_eyes(x_NCHW.amin(1))

    seen_NKX = torch.cat([x_NCX, x_NCX.square().sum(1, keepdim=True)], 1)
    seen_NKR = torch.bmm(seen_NKX, weights_PRX[pose_N].mT)
    mean_NCR, square_NR = seen_NKR[:, :3], seen_NKR[:, 3]
    spread_NR = (square_NR - mean_NCR.square().sum(1)).clamp(min=0).sqrt()

    skin_NC1 = _of(mean_NCR, "cheek").mean(2, keepdim=True)
    skin_N = (_from_segment(_of(mean_NCR, "cheek"), palette.skin) <= NEAR).all(1)
    hair_N = _hair_colour(_of(mean_NCR, "hair"), _of(spread_NR, "hair"))
    columns = {
        "hair_length": _where(
            hair_N != UNREADABLE,
            _hair_length(_of(mean_NCR, "side"), _of(mean_NCR, "hair"), palette),
        ),
        "hair_colour": hair_N,
        "eye_colour": _eye_colour(eyes_N2, _of(mean_NCR, "iris")),
        "mouth": _where(skin_N, _mouth(mean_NCR, skin_NC1, size)),
        "glasses": _where(skin_N, _glasses(_of(mean_NCR, "rim"), skin_NC1, size)),
    }
    return torch.stack([columns[attribute.name] for attribute in ATTRIBUTES], 1)


def _where(condition_N: Tensor, values_N: Tensor) -> Tensor:
    return torch.where(condition_N, values_N, UNREADABLE)


def _no_or_yes(no_N: Tensor, yes_N: Tensor) -> Tensor:
    """0, 1, or unreadable where neither holds, or both do."""
    return _where(no_N != yes_N, yes_N.long())


def _same(values_NR: Tensor) -> Tensor:
    """The value that all regions agree on."""
    return _where((values_NR == values_NR[:, :1]).all(1), values_NR[:, 0])


def _distances(mean_NCR: Tensor, colours: tuple[anatomy.Colour, ...]) -> Tensor:
    """RGB distance of each region from each colour, `distance_NRK`."""
    return (mean_NCR[:, :, :, None] - torch.tensor(colours).T[None, :, None, :]).norm(dim=1)


def _from_segment(mean_NCR: Tensor, ends: tuple[anatomy.Colour, anatomy.Colour]) -> Tensor:
    """RGB distance of each region from the colours between two, `distance_NR`."""
    first_C1, last_C1 = (torch.tensor(end).float()[:, None] for end in ends)
    along_C1 = last_C1 - first_C1
    share_N1R = ((mean_NCR - first_C1) * along_C1).sum(1, keepdim=True) / along_C1.square().sum()
    return (mean_NCR - first_C1 - share_N1R.clamp(0, 1) * along_C1).norm(dim=1)


def _hair_colour(mean_NCR: Tensor, spread_NR: Tensor) -> Tensor:
    nearest = _distances(mean_NCR, anatomy.HAIR_COLOURS).min(2)
    clear_NR = (nearest.values <= NEAR) & (spread_NR <= MAX_SPREAD)
    return _where(clear_NR.all(1), _same(nearest.indices))


def _hair_length(side_NCR: Tensor, hair_NCR: Tensor, palette: Palette) -> Tensor:
    from_hair_NR = (side_NCR - hair_NCR.mean(2, keepdim=True)).norm(dim=1)
    from_background_NR = _from_segment(side_NCR, palette.background)
    return _no_or_yes((from_background_NR <= SIDE_NEAR).all(1), (from_hair_NR <= SIDE_NEAR).all(1))


def _find_eyes(least_NHW: Tensor) -> tuple[Tensor, Tensor]:
    """The number of the pose, `pose_N`, and the correlations with both eyes there, `eyes_N2`."""
    eyes_NP2 = _eyes(least_NHW.flatten(1), least_NHW.shape[-1])
    pose_N = eyes_NP2.sum(2).argmax(1)
    return pose_N, eyes_NP2[torch.arange(len(least_NHW)), pose_N]


def _eyes(least_NX: Tensor, size: int) -> Tensor:
    """Correlation with the left and right eye at every pose, `eyes_NP2`."""
    weights_QX, template_QX = _eye_templates(size)
    mean_NQ = least_NX @ weights_QX.T
    variance_NQ = least_NX.square() @ weights_QX.T - mean_NQ.square()
    # An even area has no deviation; the bound keeps its correlation at 0.
    deviation_NQ = variance_NQ.clamp(min=100).sqrt()
    return (least_NX @ (weights_QX * template_QX).T / deviation_NQ).view(-1, len(_POSES), 2)


def _eye_colour(eyes_N2: Tensor, iris_NCR: Tensor) -> Tensor:
    colours_KC = torch.tensor(anatomy.EYE_COLOURS).float()
    chroma_NCR = iris_NCR - iris_NCR.mean(1, keepdim=True)
    chroma_KC = colours_KC - colours_KC.mean(1, keepdim=True)
    along_NRK = torch.einsum("ncr,kc->nrk", chroma_NCR, chroma_KC / chroma_KC.norm(dim=1)[:, None])
    cosine = (along_NRK / chroma_NCR.norm(dim=1)[:, :, None].clamp(min=1)).max(2)
    share_NRK = along_NRK / chroma_KC.norm(dim=1)
    share_NR = share_NRK.gather(2, cosine.indices[:, :, None])[:, :, 0]
    clear_NR = (cosine.values >= MIN_HUE) & (eyes_N2 >= MIN_EYE)
    return _where(clear_NR.all(1) & _within(share_NR, IRIS_CHROMA), _same(cosine.indices))


def _ink(level_NR: Tensor, skin_N1: Tensor, ink: float, share_R: Tensor) -> Tensor:
    """Ink in each region, as a share of what a sharp line leaves there."""
    return (skin_N1 - level_NR) / (skin_N1 - ink).clamp(min=1) / share_R


def _within(values_NR: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Whether all regions are."""
    return ((values_NR >= bounds[0]) & (values_NR <= bounds[1])).all(1)


def _mouth(mean_NCR: Tensor, skin_NC1: Tensor, size: int) -> Tensor:
    # In green, where mouth and skin differ most under every palette.
    green_NR, skin_N1 = mean_NCR[:, 1], skin_NC1[:, 1]
    line_NR = _ink(_of(green_NR, "smile"), skin_N1, anatomy.LINE[1], _line_shares(size)[1])
    around_NR = _ink(_of(green_NR, "around"), skin_N1, anatomy.OPEN[1], torch.ones(2))
    closed_N = _within(line_NR, SMILE_INK) & (around_NR.mean(1).abs() <= MAX_INK_AROUND)
    red_NR1 = _distances(_of(mean_NCR, "lips"), (anatomy.OPEN,))
    return _no_or_yes(closed_N, (red_NR1 <= NEAR).all(1)[:, 0])


def _glasses(mean_NCR: Tensor, skin_NC1: Tensor, size: int) -> Tensor:
    black = sum(anatomy.INK) / 3
    rims_NR = _ink(mean_NCR.mean(1), skin_NC1.mean(1), black, _line_shares(size)[0])
    return _no_or_yes(_within(rims_NR, NO_RIM_INK), _within(rims_NR, RIM_INK))
