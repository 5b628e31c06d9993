"""The strokes of the ten digits, in a frame of height 1 around the origin; y grows downwards.

A stroke goes through its control points: straight where there are two, else a Catmull-Rom spline,
which leaves each point p_i in the direction p_{i+1} − p_{i−1}.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

Point = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    """Control points, and whether the last leads back to the first."""

    points: tuple[Point, ...]
    closed: bool = False


def _line(*points: Point) -> Stroke:
    return Stroke(points)


def _loop(x: float, y: float, rx: float, ry: float) -> Stroke:
    """An ellipse around (x, y)."""
    angles_K = torch.arange(8) * (2 * torch.pi / 8)
    xs, ys = (x + rx * angles_K.sin()).tolist(), (y - ry * angles_K.cos()).tolist()
    return Stroke(tuple(zip(xs, ys, strict=True)), closed=True)


_SIX = _line(
    *((0.2, -0.47), (-0.06, -0.32), (-0.25, 0.03), (-0.23, 0.34), (0.0, 0.5)),
    *((0.24, 0.34), (0.22, 0.07), (0.0, -0.03), (-0.22, 0.12)),
)

GLYPHS: tuple[tuple[Stroke, ...], ...] = (
    (_loop(0, 0, 0.27, 0.5),),
    (_line((-0.16, -0.3), (0.03, -0.5)), _line((0.03, -0.5), (0.03, 0.5))),
    (
        _line(
            (-0.26, -0.28), (-0.13, -0.46), (0.1, -0.47), (0.25, -0.28), (0.14, 0.0), (-0.28, 0.5)
        ),
        _line((-0.28, 0.5), (0.3, 0.5)),
    ),
    (
        _line((-0.26, -0.4), (-0.03, -0.5), (0.22, -0.36), (0.18, -0.12), (-0.06, -0.03)),
        _line((-0.06, -0.03), (0.22, 0.08), (0.26, 0.33), (0.02, 0.5), (-0.28, 0.39)),
    ),
    (
        _line((0.1, -0.5), (-0.3, 0.16)),
        _line((-0.3, 0.16), (0.33, 0.16)),
        _line((0.1, -0.5), (0.1, 0.5)),
    ),
    (
        _line((0.25, -0.5), (-0.19, -0.5)),
        _line((-0.19, -0.5), (-0.22, -0.07)),
        _line((-0.22, -0.07), (0.04, -0.16), (0.26, 0.02), (0.25, 0.31), (0.03, 0.5), (-0.27, 0.4)),
    ),
    (_SIX,),
    (_line((-0.28, -0.5), (0.28, -0.5)), _line((0.28, -0.5), (0.07, -0.05), (-0.06, 0.5))),
    (_loop(0, -0.26, 0.2, 0.24), _loop(0, 0.24, 0.25, 0.26)),
    (Stroke(tuple((-x, -y) for x, y in _SIX.points)),),  # a six, turned by half
)
"""The strokes of digit k at place k."""

_PIECES = 3
"""Straight pieces between two control points of a curve."""


def control_points(digit: int) -> Tensor:
    """`points_K2` of all strokes, one after the other."""
    return torch.tensor([point for stroke in GLYPHS[digit] for point in stroke.points])


def segments(digit: int, points_NK2: Tensor) -> tuple[Tensor, Tensor]:
    """The beginnings and the ends of the straight pieces, each [N, S, 2], that the strokes of a
    digit are drawn with when its control points are moved to `points_NK2`."""
    begins, ends, first = [], [], 0
    for stroke in GLYPHS[digit]:
        own_NK2 = points_NK2[:, first : first + len(stroke.points)]
        first += len(stroke.points)
        path_NM2 = own_NK2 if len(stroke.points) == 2 else _spline(own_NK2, stroke.closed)
        begins.append(path_NM2[:, :-1])
        ends.append(path_NM2[:, 1:])
    return torch.cat(begins, 1), torch.cat(ends, 1)


def _spline(points_NK2: Tensor, closed: bool) -> Tensor:
    """`path_NM2` along the Catmull-Rom spline through the points."""
    if closed:
        before, after = points_NK2[:, -1:], points_NK2[:, :2]
    else:  # the curve begins and ends in the direction of its first and last chord
        before = 2 * points_NK2[:, :1] - points_NK2[:, 1:2]
        after = 2 * points_NK2[:, -1:] - points_NK2[:, -2:-1]
    all_NJ2 = torch.cat([before, points_NK2, after], 1)
    a, b, c, d = (all_NJ2[:, k : all_NJ2.shape[1] - 3 + k, None] for k in range(4))
    t_P1 = (torch.arange(_PIECES) / _PIECES)[:, None]
    curve = 2 * b + (c - a) * t_P1 + (2 * a - 5 * b + 4 * c - d) * t_P1**2
    curve = (curve + (3 * b - a - 3 * c + d) * t_P1**3) / 2
    return torch.cat([curve.flatten(1, 2), c[:, -1]], 1)
