"""Digits drawn in code as strokes, each with exact attributes: white on black, like MNIST.

A digit's strokes are polygonal lines. With d the distance of a pixel's middle to the nearest of
them, in units of a 16th of the picture,

    level = clamp((thickness / 2 − d) · pixels per unit + ½, 0, 1)

Attributes, independent of each other and of the digit, uniform within `STYLES`: slant (the shear,
right if positive), thickness (units), height (units), and the place of the middle (units right and
down). Besides, every control point is off by a normal deviate, so no two digits are the same. The
same labels and seed give the same digits at every size.
"""

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.data.picture_sources import Drawn, RawPictures, draw_splits
from seqgan.tasks.digits.glyphs import GLYPHS, control_points, segments

UNITS = 16
"""Units across a picture."""
STYLES = {
    "slant": (-0.35, 0.35),
    "thickness": (1.0, 2.2),
    "height": (8.0, 11.0),
    "right": (-1.2, 1.2),
    "down": (-1.2, 1.2),
}
"""Attribute → its least and its largest value, in the order of their columns."""
WOBBLE = 0.025
"""Standard deviation of a control point's coordinates, as a share of the digit's height."""
COLOURS = ("red", "green", "blue")
"""The labels of three digits in one picture."""
DEFAULT_SIZE = 16
"""Height and width where the configuration leaves it open."""
LEAST_SIZE = 12

_CHUNK = 2**22
"""Numbers (pixels × pieces of strokes) in one step of drawing."""


def draw_pictures(
    counts: dict[str, int], size: int, seed: int, field: str, stacked: bool = False
) -> RawPictures:
    """So many pictures of each split, of one digit or, `stacked`, of three independent ones in
    three colours; see `draw_splits`. Raises what `draw_digits` does."""
    labels = COLOURS if stacked else ("class",)

    def draw(count: int, labels_seed: int, strokes_seed: int) -> Drawn:
        labels_N, styles_NK = sample_digits(count * len(labels), labels_seed)
        x_N1HW = draw_digits(labels_N, styles_NK, size, strokes_seed)
        x_NCHW = x_N1HW.view(count, len(labels), size, size)
        x = x_NCHW.permute(0, 2, 3, 1) if stacked else x_NCHW[:, 0]
        return x.numpy(), labels_N.view(count, len(labels)).numpy()

    return draw_splits("digit", counts, seed, draw, dict.fromkeys(labels, len(GLYPHS)), field)


def sample_digits(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """`labels_N` (long), each digit as likely, and `styles_NK`, a column for each of `STYLES`."""
    stream = torch.Generator().manual_seed(seed)
    labels_N = torch.randint(len(GLYPHS), (count,), generator=stream)
    low_K, high_K = torch.tensor(list(STYLES.values())).T
    return labels_N, low_K + (high_K - low_K) * torch.rand(count, len(STYLES), generator=stream)


def draw_digits(labels_N: Tensor, styles_NK: Tensor, size: int, seed: int) -> Tensor:
    """`uint8` pictures [N, 1, size, size] of these digits in these styles; the seed decides how the
    control points are off.

    Raises `UserError` for sizes below 12.
    """
    if size < LEAST_SIZE:
        raise UserError(f"size = {size}: digits have a size of at least {LEAST_SIZE}; 16 is usual")
    stream = torch.Generator().manual_seed(seed)
    most = max(len(control_points(digit)) for digit in range(len(GLYPHS)))
    wobble_NK2 = WOBBLE * torch.randn(len(labels_N), most, 2, generator=stream)
    pictures = torch.empty(len(labels_N), 1, size, size, dtype=torch.uint8)
    for digit in range(len(GLYPHS)):
        rows = (labels_N == digit).nonzero().squeeze(1)
        points_K2 = control_points(digit)
        points_NK2 = points_K2 + wobble_NK2[rows, : len(points_K2)]
        begins, ends = segments(digit, _styled(points_NK2, styles_NK[rows]))
        share = max(1, _CHUNK // (size**2 * begins.shape[1]))
        for some in torch.arange(len(rows)).split(share):
            thickness_N = styles_NK[rows[some], 1]
            drawn = _draw(begins[some], ends[some], thickness_N, size)
            pictures[rows[some], 0] = (255 * drawn).round().to(torch.uint8)
    return pictures


def _styled(points_NK2: Tensor, styles_NK: Tensor) -> Tensor:
    """Control points in units of the picture, from its upper left corner."""
    slant, _, height, right, down = (column[:, None] for column in styles_NK.T)
    x, y = points_NK2.unbind(2)
    x, y = height * (x - slant * y) + right, height * y + down
    return torch.stack([x, y], 2) + UNITS / 2


def _draw(begins_NS2: Tensor, ends_NS2: Tensor, thickness_N: Tensor, size: int) -> Tensor:
    """Levels [N, size, size] in [0, 1]."""
    middles = (torch.arange(size) + 0.5) * UNITS / size
    along_NS2 = ends_NS2 - begins_NS2
    length_NS = along_NS2.square().sum(2).clamp(min=1e-12)
    # A pixel's offset from the beginning of a piece, and how far along the piece it is.
    x_NSW = middles - begins_NS2[:, :, :1]
    y_NSH = middles - begins_NS2[:, :, 1:]
    along_x, along_y = (along_NS2 / length_NS[:, :, None]).unbind(2)
    t_NSHW = (along_y[:, :, None] * y_NSH)[..., None] + (along_x[:, :, None] * x_NSW)[:, :, None]
    t_NSHW = t_NSHW.clamp_(0, 1)
    dx = x_NSW[:, :, None] - t_NSHW * along_NS2[:, :, 0, None, None]
    dy = y_NSH[..., None] - t_NSHW * along_NS2[:, :, 1, None, None]
    distance_NHW = (dx.square_() + dy.square_()).amin(1).sqrt_()
    inside = (thickness_N[:, None, None] / 2 - distance_NHW) * (size / UNITS)
    return (inside + 0.5).clamp_(0, 1)
