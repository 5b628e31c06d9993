"""A video with two possible futures: a walker comes up a corridor and leaves left or right.

The frames before are told by a label, the walker's place k = 0 … 5 on the way; the picture is the
next frame. From places 0 to 4 he takes one step up. Place 5 is the corner, where the next frame has
him in the left exit or in the right one, each with probability ½. He is up to half a unit off his
place in x and y.

A frame is walls, floor, and the walker, a white disc that covers the share α of each pixel (from
its distance to the edge): level = (1 − α) · ground + α · 255.
"""

from math import pi

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.data.picture_sources import Drawn, RawPictures, draw_splits

UNITS = 16.0
"""Width and height of a frame, whatever its size in pixels."""
CENTRE = 8.0
CORNER_Y = 4.0
STEP = 2.0
EXIT = 4.5
"""From the corner to the walker's next place, left or right."""
PLACES = 6
"""Places on the way; the last is the corner."""
CORNER = PLACES - 1
RADIUS = 1.7
CORRIDOR = 2.5
"""Half its width."""
JITTER = 0.5
WALL, FLOOR, WALKER = 20.0, 80.0, 255.0
DEFAULT_SIZE = 16
LEAST_SIZE = 12


def draw_pictures(counts: dict[str, int], size: int, seed: int, field: str) -> RawPictures:
    """So many frames of each split; see `draw_splits`. Raises `UserError` for sizes below 12."""

    def draw(count: int, frames_seed: int, _: int) -> Drawn:
        if size < LEAST_SIZE:
            raise UserError(f"size = {size}: frames have a size of at least {LEAST_SIZE}")
        places_N, x_N1HW = draw_next_frames(count, size, frames_seed)
        return x_N1HW[:, 0].numpy(), places_N[:, None].numpy()

    return draw_splits("frame", counts, seed, draw, {"place": PLACES}, field)


def draw_next_frames(count: int, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """`places_N` (long), each as likely, and the frame after each: `uint8` [N, 1, size, size]."""
    stream = torch.Generator().manual_seed(seed)
    places_N = torch.randint(PLACES, (count,), generator=stream)
    sides_N = 2 * torch.randint(2, (count,), generator=stream) - 1
    jitter_N2 = JITTER * (2 * torch.rand(count, 2, generator=stream) - 1)
    at_corner_N = places_N == CORNER
    x_N = CENTRE + EXIT * sides_N * at_corner_N
    y_N = torch.where(at_corner_N, torch.tensor(CORNER_Y), height_of(places_N + 1))
    return places_N, _draw(torch.stack([x_N, y_N], 1) + jitter_N2, size)


def draw_former_frames(places_N: Tensor, size: int) -> Tensor:
    """The frames that the labels stand for, `uint8` [N, 1, size, size]: the walker at his place."""
    x_N = torch.full((len(places_N),), CENTRE)
    return _draw(torch.stack([x_N, height_of(places_N)], 1), size)


def height_of(places_N: Tensor) -> Tensor:
    """The walker's y on his way up, in units from the top."""
    return CORNER_Y + STEP * (CORNER - places_N)


def walker_shares(x_N1HW: Tensor) -> Tensor:
    """How much of a walker is in the left and in the right exit, `shares_N2`, of `uint8` frames.

    White beyond the ground, summed over the pixels that he may cover there, over the area of a
    walker: 1 where he is, 0 where he is not, and ½ in the mean of the two possible frames. The sum
    is linear in what is drawn, so the shares of a superposition are the superposed shares. Walls
    and floor elsewhere do not count: a level of 10 too many on all pixels of a side would be half
    a walker.
    """
    size = x_N1HW.shape[-1]
    ground_HW = _ground(size)
    white_NHW = (x_N1HW[:, 0].float() - ground_HW) / (WALKER - ground_HW)
    area = pi * (RADIUS * size / UNITS) ** 2
    middles = (torch.arange(size) + 0.5) * UNITS / size
    reach = RADIUS + JITTER + 0.5 * UNITS / size
    across_H = (middles - CORNER_Y).abs() < reach
    in_exit = middles < CENTRE - CORRIDOR + 0.5
    left_W = in_exit & ((middles - (CENTRE - EXIT)).abs() < reach)
    left_N = white_NHW[:, across_H][:, :, left_W].sum((1, 2)) / area
    right_N = white_NHW[:, across_H][:, :, left_W.flip(0)].sum((1, 2)) / area
    return torch.stack([left_N, right_N], 1)


def exits_taken(shares_N2: Tensor) -> Tensor:
    """0 left, 1 right, `[N]` (long); −1 where the walker is not in exactly one of them: at least
    0.7 of him in one, at most 0.3 in the other."""
    one_N2 = (shares_N2 >= 0.7) & (shares_N2.flip(1) <= 0.3)
    return torch.where(one_N2.any(1), one_N2.long().argmax(1), -1)


def _draw(middle_N2: Tensor, size: int) -> Tensor:
    pixels = size / UNITS
    at = (torch.arange(size) + 0.5) / pixels
    dx_N1W = at[None, None, :] - middle_N2[:, 0, None, None]
    dy_NH1 = at[None, :, None] - middle_N2[:, 1, None, None]
    cover_NHW = ((RADIUS - (dx_N1W.square() + dy_NH1.square()).sqrt()) * pixels + 0.5).clamp(0, 1)
    levels_NHW = (1 - cover_NHW) * _ground(size) + cover_NHW * WALKER
    return levels_NHW.round().to(torch.uint8)[:, None]


def _ground(size: int) -> Tensor:
    """Levels of walls and floor, [H, W]: a corridor from below that ends in one across."""
    at = (torch.arange(size) + 0.5) * UNITS / size
    up_W = (at - CENTRE).abs() <= CORRIDOR
    across_H = (at - CORNER_Y).abs() <= CORRIDOR
    floor_HW = across_H[:, None] | (up_W[None, :] & (at > CORNER_Y)[:, None])
    return torch.where(floor_HW, FLOOR, WALL)
