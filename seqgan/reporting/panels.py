"""Small PNG figures of one or several panels side by side, for the lectures.

    figure, (left, right) = panels(2, titles=("no noise", "noise"))
    left.plot(x, y, color=PALETTE[0], label="critic")
    show_pictures(right, x_NCHW, columns=4)
    save_png(figure, path)

Equal figures give equal bytes.
"""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from seqgan.core.saved_files import replacing
from seqgan.reporting.plots import PALETTE as PALETTE

_DPI = 110
_COLOURS = 128
"""Of the palette of a file, chosen so that thin lines keep theirs: a third of the bytes."""


def panels(
    columns: int,
    rows: int = 1,
    titles: Sequence[str] = (),
    width: float = 3.4,
    height: float = 2.9,
) -> tuple[Figure, list[Axes]]:
    """A figure and its panels, row by row; each is `width` × `height` inches."""
    figure = Figure(figsize=(columns * width, rows * height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in axes:
        panel.grid(alpha=0.2, linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
    for panel, title in zip(axes, titles, strict=False):
        panel.set_title(title, fontsize=10)
    return figure, axes


def show_pictures(panel: Axes, x_NCHW: ArrayLike, columns: int, gap: int = 1) -> None:
    """Fill a panel with pictures in [-1, 1], row by row; what the last row lacks stays white."""
    x_NHWC = np.asarray(x_NCHW, dtype=np.float32).transpose(0, 2, 3, 1).clip(-1, 1) / 2 + 0.5
    count, height, width, channels = x_NHWC.shape
    rows = ceil(count / columns)
    sheet = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, channels))
    for index, picture in enumerate(x_NHWC):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    panel.imshow(
        sheet if channels == 3 else sheet[..., 0],
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    without_axes(panel)


def show_points(panel: Axes, x_N2: ArrayLike, **style: Any) -> None:
    """Small dots in the plane."""
    x_N, y_N = np.asarray(x_N2).T
    panel.scatter(x_N, y_N, **{"s": 3, "linewidths": 0, **style})


def without_axes(panel: Axes) -> None:
    """No ticks, no grid, no frame: for pictures."""
    panel.set(xticks=[], yticks=[])
    panel.grid(False)
    for spine in panel.spines.values():
        spine.set_visible(False)


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure with few colours, so that it is small."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg), "made by panels()"
    canvas.draw()
    save_picture(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()), path)


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture, such as a sheet of samples, with few colours."""
    few = picture.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, 2, dither=Image.Dither.NONE)
    with replacing(path) as file:
        few.save(file, "PNG", optimize=True)
