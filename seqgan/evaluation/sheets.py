"""Pictures for people: sheets (grids of samples), plots of points, walks through the latent space.

Equal inputs give equal bytes. Pictures are `uint8`, grey or RGB.

Interpolation. Noise z ~ N(0, I) of L dimensions lies close to a sphere of radius √L. A straight
line between two draws leaves it, the great circle does not (White, "Sampling Generative Networks",
arXiv 1609.04468, 2016):

    slerp(a, b; t) = sin((1-t)Ω)/sin Ω · a + sin(tΩ)/sin Ω · b,    cos Ω = a·b / (|a| |b|)

with t in [0, 1]. Where sin Ω vanishes, the straight line (1-t)a + tb takes its place.
"""

from collections.abc import Callable
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from seqgan.core.picture_files import read_picture
from seqgan.core.saved_files import replacing

LEAST_CELL = 48
"""Pixels of a cell's shorter side; smaller pictures are enlarged by a whole factor."""
GAP = 2
PAPER = 255
FONT_SIZE = 13
LAST_FRAME_FACTOR = 5
"""How much longer than the others the last frame of an animation stays."""
SCATTER_INCHES, SCATTER_DPI = 4.0, 100
SCATTER_REACH = 1.5
"""Axes end at this multiple of the largest coordinate among the centres."""
LEAST_SINE = 1e-4

Generate = Callable[[Tensor], Tensor]
"""From `z_BL` to samples, one per row."""


def grid(x_NCHW: Tensor, columns: int) -> Image.Image:
    """A sheet of `uint8` pictures, row by row; what the last row lacks stays white."""
    count, channels, height, width = x_NCHW.shape
    cells_NHWC = _enlarged(x_NCHW)
    height, width = cells_NHWC.shape[1:3]
    rows = ceil(count / columns)
    sheet_HWC = np.full(
        (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels), PAPER, np.uint8
    )
    for index, cell_HWC in enumerate(cells_NHWC):
        top = GAP + (index // columns) * (height + GAP)
        left = GAP + (index % columns) * (width + GAP)
        sheet_HWC[top : top + height, left : left + width] = cell_HWC
    return Image.fromarray(sheet_HWC[..., 0] if channels == 1 else sheet_HWC)


def _enlarged(x_NCHW: Tensor) -> NDArray[np.uint8]:
    """Channels last, every pixel repeated until the shorter side has `LEAST_CELL` pixels."""
    if x_NCHW.dtype != torch.uint8:  # floats would silently become black and white
        raise TypeError(f"pictures must be uint8, not {x_NCHW.dtype}; see core.pictures.to_bytes")
    factor = max(1, ceil(LEAST_CELL / min(x_NCHW.shape[2:])))
    x_NHWC = x_NCHW.cpu().permute(0, 2, 3, 1).numpy()
    return x_NHWC.repeat(factor, axis=1).repeat(factor, axis=2)


def labelled_rows(rows: list[tuple[str, Tensor]]) -> Image.Image:
    """One row for each (short text, `uint8` pictures [N, C, H, W]), the text at its left."""
    from matplotlib import get_data_path  # brings a font; slow to import, so only where it is used

    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", FONT_SIZE)
    strips = [grid(x_NCHW, len(x_NCHW)) for _, x_NCHW in rows]
    margin = ceil(max(font.getlength(text) for text, _ in rows)) + 4 * GAP
    mode = "RGB" if any(strip.mode == "RGB" for strip in strips) else "L"
    size = margin + max(strip.width for strip in strips), sum(strip.height for strip in strips)
    sheet = Image.new(mode, size, "white")
    draw = ImageDraw.Draw(sheet)
    top = 0
    for (text, _), strip in zip(rows, strips, strict=True):
        middle = top + strip.height // 2
        draw.text((margin - 2 * GAP, middle), text, fill="black", font=font, anchor="rm")
        sheet.paste(strip, (margin, top))
        top += strip.height
    return sheet


def scatter(x_ND: Tensor, centres_KD: Tensor) -> Image.Image:
    """Points of the plane, and crosses at the centres of the true distribution.

    Axes depend on the centres only, so that sheets of one run can be compared; the title counts
    the points that lie outside (non-finite ones too).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points_ND = x_ND.detach().float().cpu().numpy()
    centres_KD = centres_KD.cpu()
    reach = SCATTER_REACH * float(centres_KD.abs().max())
    inside_N = (np.abs(points_ND) <= reach).all(axis=1)  # false for NaN
    figure = Figure(figsize=(SCATTER_INCHES, SCATTER_INCHES), dpi=SCATTER_DPI)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.1, 0.07, 0.87, 0.86))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.tick_params(labelsize=8)
    x_N, y_N = points_ND[inside_N].T
    axes.scatter(x_N, y_N, s=4, color="#3a7fc1", alpha=0.4, linewidths=0)
    axes.scatter(
        centres_KD[:, 0], centres_KD[:, 1], s=40, marker="x", color="#c8453b", linewidths=1.2
    )
    outside = int((~inside_N).sum())
    axes.set_title(f"{len(points_ND)} points, {outside} outside", fontsize=9)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def write_gif(frames: list[Path], output: Path, milliseconds: int = 250) -> None:
    """An endless animation of picture files; smaller frames get a white margin.

    Each frame has a palette of its own, of 256 colours. The last frame stays `LAST_FRAME_FACTOR`
    times as long as the others.
    """
    pictures = [Image.fromarray(read_picture(path)) for path in frames]
    size = max(p.width for p in pictures), max(p.height for p in pictures)
    first, *others = [_padded(picture, size) for picture in pictures]
    durations = [milliseconds] * len(others) + [milliseconds * LAST_FRAME_FACTOR]
    with replacing(output) as file:
        first.save(file, "GIF", save_all=True, append_images=others, duration=durations, loop=0)


def _padded(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """On white paper of this size; colours by median cut, without dithering."""
    paper = Image.new(picture.mode, size, "white")
    paper.paste(picture)
    if paper.mode == "L":
        return paper
    return paper.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


@torch.no_grad()
def interpolation(generate: Generate, start_SL: Tensor, end_SL: Tensor, steps: int) -> Tensor:
    """Samples along the great circle from each start to its end, both included.

    One batch of S · `steps` samples: sample s · steps + t is step t from start s.
    """
    t_T = torch.linspace(0, 1, steps, dtype=torch.float64, device=start_SL.device)
    return generate(slerp(start_SL, end_SL, t_T).flatten(0, 1))


def slerp(start_SL: Tensor, end_SL: Tensor, t_T: Tensor) -> Tensor:
    """`z_STL` of the module's formula, in double precision inside."""
    a_S1L, b_S1L = start_SL.double().unsqueeze(1), end_SL.double().unsqueeze(1)
    cosine_S11 = torch.cosine_similarity(a_S1L, b_S1L, dim=-1).clamp(-1, 1).unsqueeze(-1)
    omega_S11 = torch.arccos(cosine_S11)
    sine_S11 = torch.sin(omega_S11)
    t_T1 = t_T.double().unsqueeze(-1)
    straight_S11 = sine_S11 < LEAST_SINE
    sine_S11 = sine_S11.where(~straight_S11, torch.ones_like(sine_S11))
    from_a = torch.where(straight_S11, 1 - t_T1, torch.sin((1 - t_T1) * omega_S11) / sine_S11)
    from_b = torch.where(straight_S11, t_T1, torch.sin(t_T1 * omega_S11) / sine_S11)
    return (from_a * a_S1L + from_b * b_S1L).to(start_SL.dtype)


@torch.no_grad()
def plane(generate: Generate, z0_L: Tensor, u_L: Tensor, v_L: Tensor, side: int) -> Tensor:
    """`side`² samples on z0 + a·u + b·v, with a and b evenly from -1 to 1, in one batch.

    Row by row for `grid(..., columns=side)`: a grows from left to right, b from top to bottom.
    """
    steps = torch.linspace(-1, 1, side, dtype=z0_L.dtype, device=z0_L.device)
    b, a = torch.meshgrid(steps, steps, indexing="ij")
    z_BL = z0_L + a.reshape(-1, 1) * u_L + b.reshape(-1, 1) * v_L
    return generate(z_BL)


@torch.no_grad()
def sliders(
    generate: Generate, z0_L: Tensor, directions_KL: Tensor, steps: int, reach: float = 3.0
) -> Tensor:
    """Samples at z0 + t·u for each direction u, t evenly from -`reach` to `reach`, in one batch.

    Row by row for `grid(..., columns=steps)`: one direction a row.
    """
    t_T = torch.linspace(-reach, reach, steps, dtype=z0_L.dtype, device=z0_L.device)
    z_KTL = z0_L + t_T[None, :, None] * directions_KL[:, None, :]
    return generate(z_KTL.flatten(0, 1))
