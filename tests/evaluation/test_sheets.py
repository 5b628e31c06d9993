"""Sheets for people: every picture where it belongs, and latent walks that follow the formula."""

from math import cos, pi, sin

import numpy as np
import pytest
import torch
from PIL import Image

from seqgan.evaluation.sheets import (
    GAP,
    LAST_FRAME_FACTOR,
    LEAST_CELL,
    grid,
    interpolation,
    labelled_rows,
    plane,
    scatter,
    slerp,
    sliders,
    write_gif,
)

RED, BLUE = (200, 30, 20), (10, 40, 220)
RING = torch.tensor([[cos(pi * k / 4), sin(pi * k / 4)] for k in range(8)])


def flat(values, size=8, channels=1):
    """Pictures of one value each."""
    x_N111 = torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1)
    return x_N111.expand(-1, channels, size, size)


def coloured(*colours, size=8):
    x_NC11 = torch.tensor(colours, dtype=torch.uint8)[:, :, None, None]
    return x_NC11.expand(-1, -1, size, size)


def test_grid_puts_pictures_row_by_row_on_white():
    sheet = np.asarray(grid(flat([10, 20, 30, 40, 50], size=64), columns=3))
    step = 64 + GAP
    assert sheet.shape == (2 * step + GAP, 3 * step + GAP)
    centres = sheet[GAP + 32 :: step, GAP + 32 :: step]
    assert centres.tolist() == [[10, 20, 30], [40, 50, 255]]
    assert (sheet[:GAP] == 255).all()
    assert (sheet[GAP + 64 : GAP + 64 + GAP] == 255).all()


@pytest.mark.parametrize(("size", "factor"), [(8, 6), (28, 2), (32, 2), (48, 1), (64, 1)])
def test_small_pictures_grow_by_a_whole_factor(size, factor):
    x_1CHW = torch.randint(0, 255, (1, 1, size, size), dtype=torch.uint8)
    cell = np.asarray(grid(x_1CHW, columns=1))[GAP:-GAP, GAP:-GAP]
    assert cell.shape == (size * factor, size * factor)
    assert min(cell.shape) >= LEAST_CELL
    assert np.array_equal(cell[::factor, ::factor], x_1CHW[0, 0].numpy())
    assert np.array_equal(cell[factor - 1 :: factor, factor - 1 :: factor], x_1CHW[0, 0].numpy())


def test_grid_keeps_colours_and_orientation():
    x_1CHW = coloured(RED).clone()
    x_1CHW[:, :, :4, 4:] = torch.tensor(BLUE, dtype=torch.uint8).view(1, 3, 1, 1)
    sheet = grid(x_1CHW, columns=1)
    assert sheet.mode == "RGB"
    assert sheet.getpixel((sheet.width - GAP - 1, GAP)) == BLUE  # top right
    assert sheet.getpixel((GAP, sheet.height - GAP - 1)) == RED


def test_floats_are_refused():
    with pytest.raises(TypeError, match="to_bytes"):
        grid(torch.zeros(1, 1, 8, 8), columns=1)


def test_labelled_rows_have_their_text_at_the_left():
    sheet = labelled_rows([("a", flat([0, 90])), ("a→b→a", flat([120, 0]))])
    strip = grid(flat([0, 90]), columns=2)
    margin = sheet.width - strip.width
    assert sheet.height == 2 * strip.height
    assert np.array_equal(np.asarray(sheet)[: strip.height, margin:], np.asarray(strip))
    short, long = np.split(np.asarray(sheet)[:, :margin] < 128, 2)
    assert 0 < short.sum() < long.sum()
    assert not np.asarray(sheet)[:, :2].min() < 128  # nothing is cut off at the left


def test_labelled_rows_can_draw_an_arrow():
    """A font without the sign would draw the same box for any unknown character."""
    arrow, unknown = (labelled_rows([(text, flat([0]))]) for text in ("→", "\uffff"))
    assert arrow.tobytes() != unknown.tobytes()


def test_labelled_rows_of_grey_and_colour_are_in_colour():
    sheet = labelled_rows([("grey", flat([7])), ("colour", coloured(RED))])
    corner = sheet.width - GAP - 1
    assert sheet.getpixel((corner, GAP)) == (7, 7, 7)
    assert sheet.getpixel((corner, sheet.height - GAP - 1)) == RED


def blue(picture):
    """Pixels in the colour of points."""
    rgb = np.asarray(picture).astype(int)
    return (rgb[..., 2] - rgb[..., 0] > 40) & (rgb[..., 2] > rgb[..., 1])


def test_scatter_has_fixed_axes():
    """A point stands at the same pixel whatever the other points are."""
    point = torch.tensor([[-0.7, 0.8]])
    alone = scatter(point.expand(200, 2), RING)
    among = scatter(torch.cat([point.expand(200, 2), 0.5 * torch.randn(300, 2)]), RING)
    assert alone.size == among.size == (400, 400)
    marked = blue(alone)
    assert marked.any()
    assert blue(among)[marked].all()
    rows, columns = np.nonzero(marked)
    assert rows.mean() < 200  # up
    assert columns.mean() < 200  # left


def test_scatter_counts_what_it_cannot_show():
    points = torch.tensor([[0.0, 0.0], [50.0, 0.0], [float("nan"), 0.0]])
    assert scatter(points, RING).tobytes() != scatter(points[[0, 0, 0]], RING).tobytes()
    assert scatter(points, RING).tobytes() == scatter(points, RING).tobytes()


def save_sheets(folder, sheets):
    paths = [folder / f"step-{index:08d}.png" for index in range(len(sheets))]
    for path, sheet in zip(paths, sheets, strict=True):
        sheet.save(path)
    return paths


def test_gif_shows_the_frames_in_order_and_the_last_one_longer(tmp_path):
    sheets = [grid(coloured(colour), 1) for colour in (RED, BLUE, (0, 250, 0))]
    write_gif(save_sheets(tmp_path, sheets), tmp_path / "a.gif", milliseconds=100)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 3
        seen = []
        for index in range(3):
            gif.seek(index)
            seen.append((gif.convert("RGB").getpixel((20, 20)), gif.info["duration"]))
    assert seen == [(RED, 100), (BLUE, 100), ((0, 250, 0), 100 * LAST_FRAME_FACTOR)]


def test_gif_pads_smaller_frames_and_keeps_grey(tmp_path):
    frames = save_sheets(tmp_path, [grid(flat([100, 101]), 2), grid(flat([90]), 1)])
    write_gif(frames, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.convert("L").getpixel((20, 20)) == 100
        gif.seek(1)
        assert gif.size == Image.open(frames[0]).size
        second = gif.convert("L")
    assert second.getpixel((20, 20)) == 90
    assert second.getpixel((second.width - 20, 20)) == 255


def test_gif_bytes_are_deterministic(tmp_path):
    noise = torch.randint(0, 255, (2, 4, 3, 16, 16), dtype=torch.uint8)
    frames = save_sheets(tmp_path, [grid(x_NCHW, 2) for x_NCHW in noise])
    for name in ("a.gif", "b.gif"):
        write_gif(frames, tmp_path / name)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def as_pictures(z_BL):
    return z_BL[:, :, None, None]


def test_interpolation_goes_strip_by_strip_from_start_to_end():
    start_SL, end_SL = torch.randn(3, 5), torch.randn(3, 5)
    x_BCHW = interpolation(as_pictures, start_SL, end_SL, steps=4)
    assert x_BCHW.shape == (12, 5, 1, 1)
    strips = x_BCHW.view(3, 4, 5)
    torch.testing.assert_close(strips[:, 0], start_SL)
    torch.testing.assert_close(strips[:, -1], end_SL)


def test_slerp_is_an_even_walk_on_the_circle():
    start, end = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    z_TL = slerp(start, end, torch.tensor([0.0, 1 / 3, 2 / 3, 1.0]))[0]
    expected = [[2 * cos(k * pi / 6), 2 * sin(k * pi / 6)] for k in range(4)]
    torch.testing.assert_close(z_TL, torch.tensor(expected))


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-6, -1.0])
def test_slerp_falls_back_to_the_line(factor):
    start = torch.tensor([[1.0, -2.0, 0.5]])
    z_TL = slerp(start, factor * start, torch.tensor([0.0, 0.25, 1.0]))[0]
    expected = torch.cat([start, (0.75 + 0.25 * factor) * start, factor * start])
    torch.testing.assert_close(z_TL, expected)


def test_plane_covers_both_directions_row_by_row():
    z0, u, v = torch.tensor([1.0, 1.0]), torch.tensor([0.5, 0.0]), torch.tensor([0.0, 2.0])
    z = plane(as_pictures, z0, u, v, side=3).view(3, 3, 2)
    torch.testing.assert_close(z[1, 1], z0)
    torch.testing.assert_close(z[0, :, 0], torch.tensor([0.5, 1.0, 1.5]))  # left to right
    torch.testing.assert_close(z[:, 0, 1], torch.tensor([-1.0, 1.0, 3.0]))  # top to bottom


def test_sliders_move_along_one_direction_a_row():
    z0, directions = torch.tensor([1.0, 1.0]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    z = sliders(as_pictures, z0, directions, steps=3, reach=2).view(2, 3, 2)
    torch.testing.assert_close(z[0], torch.tensor([[-1.0, 1.0], [1.0, 1.0], [3.0, 1.0]]))
    torch.testing.assert_close(z[1], torch.tensor([[1.0, -3.0], [1.0, 1.0], [1.0, 5.0]]))


def test_walks_keep_no_gradient():
    z_SL = torch.randn(2, 3, requires_grad=True)
    assert not interpolation(as_pictures, z_SL, z_SL.flip(0), 3).requires_grad
    assert not plane(as_pictures, z_SL[0], z_SL[1], z_SL[0], 2).requires_grad
