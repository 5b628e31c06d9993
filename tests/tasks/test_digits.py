"""Drawn digits: determinism, that attributes are what they say, and the splits."""

from itertools import pairwise

import pytest
import torch

from seqgan.core.errors import UserError
from seqgan.data.picture_config import PictureSetConfig
from seqgan.tasks.digits.config import DigitsSourceConfig
from seqgan.tasks.digits.drawing import (
    STYLES,
    UNITS,
    draw_digits,
    sample_digits,
)
from seqgan.tasks.digits.glyphs import GLYPHS, control_points, segments

EACH = torch.arange(10)
MIDDLE = torch.tensor([(low + high) / 2 for low, high in STYLES.values()]).expand(10, -1)


def with_style(name: str, value: float) -> torch.Tensor:
    """One of each digit as float levels [10, 48, 48], all in the middle style but for one."""
    styles = MIDDLE.clone()
    styles[:, list(STYLES).index(name)] = value
    return draw_digits(EACH, styles, 48, 0)[:, 0].double() / 255


def moments(x_NHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Middle of the ink, right and down, in units, and the shear of its second moments."""
    at = (torch.arange(48) + 0.5) * UNITS / 48
    ink = x_NHW.sum((1, 2))
    x, y = (x_NHW.sum(1) @ at.double()) / ink, (x_NHW.sum(2) @ at.double()) / ink
    dx, dy = at - x[:, None], at - y[:, None]
    covariance = torch.einsum("nhw,nh,nw->n", x_NHW, dy, dx) / ink
    variance = torch.einsum("nhw,nh->n", x_NHW, dy.square()) / ink
    return x, y, -covariance / variance


def test_the_seed_decides_and_no_global_state_is_touched() -> None:
    before = torch.get_rng_state()
    labels, styles = sample_digits(200, 1)
    x = draw_digits(labels, styles, 16, 2)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(8)
    again = sample_digits(200, 1)
    assert torch.equal(labels, again[0])
    assert torch.equal(styles, again[1])
    assert torch.equal(x, draw_digits(labels, styles, 16, 2))
    assert not torch.equal(x, draw_digits(labels, styles, 16, 3))
    assert not torch.equal(styles, sample_digits(200, 2)[1])
    assert x.shape == (200, 1, 16, 16)
    assert x.dtype == torch.uint8


def test_labels_and_styles_have_their_distribution() -> None:
    labels, styles = sample_digits(20_000, 0)
    shares = labels.bincount(minlength=10) / 20_000
    torch.testing.assert_close(shares, torch.full((10,), 0.1), atol=0.011, rtol=0)
    low, high = torch.tensor(list(STYLES.values())).T
    assert ((styles >= low) & (styles <= high)).all()
    torch.testing.assert_close(styles.mean(0), (low + high) / 2, atol=0.05, rtol=0)
    off = torch.corrcoef(styles.T) - torch.eye(len(STYLES))
    assert off.abs().max() < 0.04


def test_a_digit_does_not_depend_on_the_others() -> None:
    labels, styles = sample_digits(60, 1)
    others = labels.clone()
    others[:30] = 7
    one, other = draw_digits(labels, styles, 16, 2), draw_digits(others, styles, 16, 2)
    assert torch.equal(one[30:], other[30:])


def test_sizes_show_the_same_digits() -> None:
    labels, styles = sample_digits(50, 1)
    small, large = (draw_digits(labels, styles, size, 2).float() for size in (16, 32))
    shrunk = torch.nn.functional.avg_pool2d(large, 2)
    assert (shrunk - small).abs().mean() < 6 < 25 < (shrunk - small.roll(1, 0)).abs().mean()


def test_attributes_are_in_the_picture() -> None:
    x, y, _ = moments(with_style("right", 0.0))
    right = moments(with_style("right", 1.0))
    torch.testing.assert_close(right[0] - x, torch.ones(10).double(), atol=0.05, rtol=0)
    torch.testing.assert_close(right[1], y, atol=0.05, rtol=0)
    down = moments(with_style("down", 1.0))
    torch.testing.assert_close(down[1] - y, torch.ones(10).double(), atol=0.05, rtol=0)
    shear = [moments(with_style("slant", slant))[2] for slant in (-0.3, 0.0, 0.3)]
    for less, more in pairwise(shear):
        torch.testing.assert_close(more - less, torch.full((10,), 0.3).double(), atol=0.06, rtol=0)
    thin, thick = (with_style("thickness", value).sum((1, 2)) for value in (1.0, 2.0))
    assert ((thick / thin > 1.7) & (thick / thin < 2.1)).all()
    low, high = ((with_style("height", h) > 0.5).any(2).sum(1) * UNITS / 48 for h in (8.0, 11.0))
    torch.testing.assert_close((high - low).float(), torch.full((10,), 3.0), atol=0.7, rtol=0)


def test_strokes_go_through_their_control_points() -> None:
    for digit, strokes in enumerate(GLYPHS):
        points = control_points(digit)
        begins, ends = segments(digit, points[None])
        path = torch.cat([begins, ends], 1)[0]
        assert torch.cdist(points, path).min(1).values.max() < 1e-3
        assert len(points) == sum(len(stroke.points) for stroke in strokes)
        assert points.abs().max() <= 0.501


def test_digits_can_be_told_apart() -> None:
    """By the nearest of 1,500 others, as pixels."""
    labels, styles = sample_digits(2_000, 0)
    x = draw_digits(labels, styles, 16, 0).flatten(1).float()
    nearest = torch.cdist(x[1_500:], x[:1_500]).argmin(1)
    assert (labels[nearest] == labels[1_500:]).float().mean() > 0.95


def test_as_a_source_of_pictures() -> None:
    source = DigitsSourceConfig(train=300, extractor=40, valid=40, test=300)
    pictures = PictureSetConfig(source=source).build_pictures()
    assert pictures.shape == (1, 16, 16)
    assert pictures.label_names == ("class",)
    assert pictures.label_sizes == (10,)
    train, test = (getattr(pictures, name).x_NCHW.flatten(1) for name in ("train", "test"))
    assert len(train) == len(test) == 300
    assert torch.cdist(train.float(), test.float()).min() > 0
    larger = PictureSetConfig(source=source, size=28).build_pictures()
    assert larger.shape == (1, 28, 28)
    with pytest.raises(UserError, match=r"data: size = 8: digits have a size of at least 12"):
        PictureSetConfig(source=source, size=8).build_pictures()


def test_stacked_digits_have_one_in_each_colour() -> None:
    source = DigitsSourceConfig(train=400, extractor=40, valid=40, test=40, stacked=True)
    pictures = PictureSetConfig(source=source).build_pictures()
    assert pictures.shape == (3, 16, 16)
    assert pictures.label_names == ("red", "green", "blue")
    assert pictures.label_sizes == (10, 10, 10)
    labels_NA = pictures.train.labels_NA
    assert labels_NA.unique(dim=0).shape[0] > 250
    single = PictureSetConfig(source=source.model_copy(update={"stacked": False, "train": 1_200}))
    plain = single.build_pictures().train
    assert torch.equal(plain.labels_NA.view(400, 3), labels_NA)
    assert torch.equal(plain.x_NCHW.view(400, 3, 16, 16), pictures.train.x_NCHW)
