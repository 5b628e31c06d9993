"""The detectors' calibration: what they must read, and what they must refuse."""

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.tasks.faces.anatomy import ATTRIBUTES, PALETTES
from seqgan.tasks.faces.detector import (
    attribute_distances,
    detect,
    has_eyes,
    valid_share,
)
from seqgan.tasks.faces.drawing import draw_faces, sample_labels

COUNT = 600
LABELS_NA = sample_labels(COUNT, 5)
NAMES = [attribute.name for attribute in ATTRIBUTES]

pytestmark = pytest.mark.parametrize(
    ("size", "palette"), [(size, palette) for size in (32, 64) for palette in PALETTES]
)


@cache
def real(size: int, palette: str) -> Tensor:
    return draw_faces(LABELS_NA, size, palette, 6)


def noise(like: Tensor) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(0))


def to_bytes(levels: Tensor) -> Tensor:
    return levels.clamp(0, 255).round().to(torch.uint8)


def blur(x_NCHW: Tensor) -> Tensor:
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    weight = (kernel[:, None] * kernel).expand(3, 1, 3, 3)
    padded = F.pad(x_NCHW.float(), (1, 1, 1, 1), mode="replicate")
    return to_bytes(F.conv2d(padded, weight, groups=3))


def halves(left: Tensor, right: Tensor) -> Tensor:
    middle = left.shape[-1] // 2
    return torch.cat([left[..., :middle], right[..., middle:]], 3)


def unreadable(x_NCHW: Tensor, palette: str, name: str) -> Tensor:
    return detect(x_NCHW, palette)[:, NAMES.index(name)] == -1


# ── What must be read ─────────────────────────────────────────────────────────────────────────


def test_real_faces_are_read_correctly(size, palette) -> None:
    detected = detect(real(size, palette), palette)
    assert detected.dtype == torch.long
    assert ((detected == LABELS_NA).float().mean(0) >= 0.995).all()
    assert valid_share(detected) >= 0.99


def test_slightly_wrong_faces_are_read_correctly(size, palette) -> None:
    """Blur, noise, both, ±25 levels in each pixel; a wrong value is never better than none."""
    x = real(size, palette)
    uniform = torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    for name, damaged in {
        "noise": to_bytes(x + 10 * noise(x)),
        "blur": blur(x),
        "both": to_bytes(blur(x) + 10 * noise(x)),
        "levels": to_bytes(x + 25 * uniform),
    }.items():
        detected = detect(damaged, palette)
        assert valid_share(detected) >= 0.93, name
        assert ((detected == LABELS_NA) | (detected == -1)).float().mean() >= 0.999, name


def test_colours_may_be_off(size, palette) -> None:
    """Each picture's channels are off by up to 25 levels, all pixels alike."""
    x = real(size, palette)
    cast = torch.rand(COUNT, 3, 1, 1, generator=torch.Generator().manual_seed(1)) * 50 - 25
    assert valid_share(detect(to_bytes(x + cast), palette)) >= 0.83


# ── What must be refused ──────────────────────────────────────────────────────────────────────


def test_what_is_no_face_is_unreadable(size, palette) -> None:
    x = real(size, palette)
    stream = torch.Generator().manual_seed(0)
    mean = x.float().mean(0, keepdim=True)
    for name, wrong in {
        "uniform noise": torch.randint(0, 256, x.shape, generator=stream).to(torch.uint8),
        "Gaussian noise": to_bytes(127.5 + 64 * noise(x)),
        "constant": torch.randint(0, 256, (COUNT, 3, 1, 1), generator=stream).expand_as(x),
        "the mean face": to_bytes(mean),
        "the mean face and noise": to_bytes(mean + 10 * noise(x)),
        "upside down": x.flip(2),
        "negative": 255 - x,
        "the pixels of a face, shuffled": x.flatten(2)[
            ..., torch.randperm(size**2, generator=stream)
        ].view_as(x),
    }.items():
        assert valid_share(detect(wrong, palette)) <= 0.01, name


def test_blends_of_two_faces_are_unreadable(size, palette) -> None:
    x, other = real(size, palette), real(size, palette).roll(1, 0)
    detected = detect(to_bytes((x.float() + other.float()) / 2), palette)
    assert valid_share(detected) <= 0.1
    differs = LABELS_NA.roll(1, 0) != LABELS_NA
    refused = [float((detected[differs[:, i], i] == -1).float().mean()) for i in range(5)]
    # Half an open mouth over half a line is the hardest to tell from either.
    for name, share, least in zip(NAMES, refused, (0.95, 0.98, 0.7, 0.3, 0.9), strict=True):
        assert share >= least, name


def test_halves_that_do_not_belong_together_are_unreadable(size, palette) -> None:
    x, other = real(size, palette), real(size, palette).roll(1, 0)
    middle = size // 2
    for name, wrong, most in (
        ("of two faces", halves(x, other), 0.05),
        ("each mirrored", torch.cat([h.flip(3) for h in x.split(middle, 3)], 3), 0.01),
        ("swapped", x.roll(middle, 3), 0.01),
        ("one upside down", halves(x, x.flip(2)), 0.01),
        ("a left half and its mirror image", halves(x, x.flip(3)), 0.02),
        ("a right half and its mirror image", halves(x.flip(3), x), 0.02),
    ):
        assert valid_share(detect(wrong, palette)) <= most, name
    detected = detect(halves(x, other), palette)
    differs = LABELS_NA.roll(1, 0) != LABELS_NA
    for i, name in enumerate(NAMES):
        if name != "mouth":  # it is in the middle, and the halves are off by up to two pixels
            assert (detected[differs[:, i], i] == -1).float().mean() >= 0.97, name


def test_eyes_come_in_pairs_of_one_colour(size, palette) -> None:
    x, pixels = real(size, palette), size // 32
    one_eyed = x.clone()
    rows, columns = slice(12 * pixels, 21 * pixels), slice(16 * pixels, 25 * pixels)
    one_eyed[:, :, rows, columns] = x[:, :, 22 * pixels, 11 * pixels][:, :, None, None]
    assert unreadable(one_eyed, palette, "eye_colour").all()
    assert not has_eyes(one_eyed[:50]).any()
    brown, blue = (LABELS_NA.clone() for _ in range(2))
    brown[:, 2], blue[:, 2] = 0, 1
    odd = halves(draw_faces(brown, size, palette, 6), draw_faces(blue, size, palette, 6))
    assert unreadable(odd, palette, "eye_colour").all()
    assert has_eyes(odd[:50]).all()
    others = [i for i in range(5) if NAMES[i] != "eye_colour"]
    assert torch.equal(detect(odd, palette)[:, others], LABELS_NA[:, others])


def test_eyes_are_there_in_whatever_colour(size, palette) -> None:
    x = real(size, palette)[:50]
    grey = to_bytes(x.float().mean(1, keepdim=True).expand_as(x))
    assert has_eyes(x).all()
    assert has_eyes(grey).float().mean() > 0.95
    assert not has_eyes(x.flip(2)).any()
    assert not has_eyes(to_bytes(128 + 60 * noise(x))).any()


def test_half_a_pair_of_glasses_and_a_missing_mouth_are_unreadable(size, palette) -> None:
    without, wearing = (LABELS_NA.clone() for _ in range(2))
    without[:, 4], wearing[:, 4] = 0, 1
    odd = halves(draw_faces(without, size, palette, 6), draw_faces(wearing, size, palette, 6))
    assert unreadable(odd, palette, "glasses").all()
    x, pixels = real(size, palette), size // 32
    mute = x.clone()
    rows, columns = slice(22 * pixels, 28 * pixels), slice(12 * pixels, 20 * pixels)
    mute[:, :, rows, columns] = x[:, :, 24 * pixels, 10 * pixels][:, :, None, None]
    assert unreadable(mute, palette, "mouth").float().mean() >= 0.95


def test_hair_is_of_one_colour_and_not_only_in_the_mean(size, palette) -> None:
    """A chequered red, 100 levels up and down; its mean is within the tolerance of plain red."""
    red = LABELS_NA.clone()
    red[:, 1] = 2
    x = draw_faces(red, size, palette, 6)
    chequers = (torch.arange(size)[:, None] + torch.arange(size)) % 2 * 200 - 100
    assert not unreadable(x, palette, "hair_colour").any()
    assert unreadable(to_bytes(x + chequers), palette, "hair_colour").all()


def test_skin_and_background_are_those_of_the_palette(size, palette) -> None:
    other = "night" if palette == "day" else "day"
    x = real(size, other)
    assert unreadable(x, palette, "mouth").all()
    assert unreadable(x, palette, "glasses").all()
    assert unreadable(x[LABELS_NA[:, 0] == 0], palette, "hair_length").all()


# ── Distances ─────────────────────────────────────────────────────────────────────────────────


def test_distances_by_hand(size, palette) -> None:
    """Eyes: truth (½, ¼, ¼); found ¼ unreadable, ¾ brown: ½ (¼ + ¼ + ¼ + ¼) = ½."""
    truth, found = torch.zeros(4, 5).long(), torch.zeros(4, 5).long()
    truth[:, 2] = torch.tensor([0, 0, 1, 2])
    found[:, 2] = torch.tensor([0, 0, 0, -1])
    found[:, 4] = 1
    distances = attribute_distances(found, truth)
    assert list(distances) == NAMES
    assert distances == {**dict.fromkeys(NAMES, 0.0), "eye_colour": 0.5, "glasses": 1.0}


def test_new_faces_are_close_and_one_face_is_far(size, palette) -> None:
    truth = sample_labels(5_000, 1)
    close = attribute_distances(detect(real(size, palette), palette), truth)
    assert max(close.values()) < 0.08
    collapsed = detect(real(size, palette)[:1].expand(50, -1, -1, -1), palette)
    assert valid_share(collapsed) == 1
    far = attribute_distances(collapsed, truth)
    assert sum(distance >= 0.3 for distance in far.values()) >= 4
    lost = attribute_distances(torch.full((50, 5), -1), truth)
    assert lost == dict.fromkeys(NAMES, 1.0)


def test_nothing_is_detected_in_no_pictures(size, palette) -> None:
    assert detect(real(size, palette)[:0], palette).shape == (0, 5)
