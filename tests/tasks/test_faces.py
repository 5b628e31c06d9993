"""Faces: the distribution of labels, determinism, and that each part is where it should be."""

import pytest
import torch

from seqgan.core.errors import UserError
from seqgan.tasks.faces import anatomy
from seqgan.tasks.faces.anatomy import ATTRIBUTES, HAIR_COLOURS, LABEL_SIZES, PALETTES
from seqgan.tasks.faces.drawing import draw_faces, sample_labels

NAMES = [attribute.name for attribute in ATTRIBUTES]


def changed(name: str, value: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The same 50 faces with value 0 and with `value` of one attribute."""
    zero = torch.zeros(50, len(ATTRIBUTES), dtype=torch.long)
    other = zero.clone()
    other[:, NAMES.index(name)] = value
    return draw_faces(zero, 32, "day", 3), draw_faces(other, 32, "day", 3)


def test_probabilities_are_stated_and_not_uniform() -> None:
    assert LABEL_SIZES == (2, 4, 3, 2, 2)
    for attribute in ATTRIBUTES:
        assert len(attribute.values) == len(attribute.probabilities)
        assert sum(attribute.probabilities) == pytest.approx(1)
        assert len(set(attribute.probabilities)) == len(attribute.probabilities)


def test_labels_have_their_probabilities_and_are_independent() -> None:
    count = 40_000
    labels_NA = sample_labels(count, 0)
    assert labels_NA.dtype == torch.long
    for i, attribute in enumerate(ATTRIBUTES):
        share = labels_NA[:, i].bincount(minlength=len(attribute.values)) / count
        # Five standard deviations of a share are at most 5 · ½ / √count.
        torch.testing.assert_close(
            share, torch.tensor(attribute.probabilities), atol=2.5 / count**0.5, rtol=0
        )
    correlations = torch.corrcoef(labels_NA.T.float()) - torch.eye(len(ATTRIBUTES))
    assert correlations.abs().max() < 5 / count**0.5


def test_the_seed_decides_and_no_global_state_is_touched() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    labels_NA = sample_labels(300, 1)
    faces_NCHW = draw_faces(labels_NA, 32, "day", 2)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(8)
    assert torch.equal(labels_NA, sample_labels(300, 1))
    assert torch.equal(faces_NCHW, draw_faces(labels_NA, 32, "day", 2))
    assert not torch.equal(labels_NA, sample_labels(300, 2))
    assert not torch.equal(faces_NCHW, draw_faces(labels_NA, 32, "day", 3))


@pytest.mark.parametrize("size", [16, 18, 32, 64])
def test_shape_and_type(size) -> None:
    pictures = draw_faces(sample_labels(3, 0), size, "night", 0)
    assert pictures.shape == (3, 3, size, size)
    assert pictures.dtype == torch.uint8
    assert draw_faces(sample_labels(3, 0)[:0], size, "day", 0).shape == (0, 3, size, size)


def test_a_face_does_not_depend_on_the_chunk_it_is_drawn_in() -> None:
    """300 faces of 32 × 32 are two chunks."""
    labels_NA = sample_labels(300, 1)
    changed_NA = labels_NA.clone()
    changed_NA[:250] = 0
    one, other = (draw_faces(labels, 32, "day", 2) for labels in (labels_NA, changed_NA))
    assert torch.equal(one[250:], other[250:])


def test_sizes_show_the_same_faces() -> None:
    labels_NA = sample_labels(50, 1)
    small, large = (draw_faces(labels_NA, size, "day", 2).float() for size in (32, 64))
    off = (torch.nn.functional.avg_pool2d(large, 2) - small).abs()
    other = (torch.nn.functional.avg_pool2d(large, 2) - small.roll(1, 0)).abs()
    assert off.mean() < 3 < 20 < other.mean()


@pytest.mark.parametrize(("name", "value"), [(n, 1) for n in NAMES] + [("hair_colour", 3)])
def test_an_attribute_changes_its_part_of_the_picture_only(name, value) -> None:
    """Rows and columns of 32 × 32 that may change, 1.5 pixels around the parts in `core.faces`."""
    rows, columns = {
        "hair_length": (slice(7, 32), slice(2, 30)),
        "hair_colour": (slice(0, 20), slice(3, 29)),
        "eye_colour": (slice(12, 23), slice(7, 25)),
        "mouth": (slice(20, 28), slice(11, 21)),
        "glasses": (slice(11, 24), slice(5, 27)),
    }[name]
    before, after = changed(name, value)
    differs = (before != after).any(1)
    assert differs.flatten(1).sum(1).min() > 10
    differs[:, rows, columns] = False
    assert not differs.any()


def test_colours_are_those_of_the_palette() -> None:
    labels_NA = sample_labels(300, 0)
    labels_NA = labels_NA[labels_NA[:, 4] == 0]  # the bridge of glasses lies on the nose
    for name, palette in PALETTES.items():
        pictures = draw_faces(labels_NA, 32, name, 1).float()
        hair = torch.tensor(HAIR_COLOURS)[labels_NA[:, 1]]
        torch.testing.assert_close(pictures[:, :, 9, 14], hair.float(), atol=1, rtol=0)
        for colours, at in ((palette.background, (1, 1)), (palette.skin, (24, 11))):
            found, (low, high) = pictures[:, :, at[0], at[1]], torch.tensor(colours).sort(0).values
            assert ((found >= low - 1) & (found <= high + 1)).all()
            assert found.std(0).max() > 5, "skin and background vary"


def test_palettes_differ_in_skin_and_background_only() -> None:
    labels_NA = sample_labels(50, 0)
    day, night = (draw_faces(labels_NA, 64, name, 1).float() for name in PALETTES)
    hair, left_eye = (..., 18, 28), (..., slice(33, 36), slice(22, 25))
    assert torch.equal(day[hair], night[hair])
    assert torch.equal(day[left_eye], night[left_eye])
    background, skin = (..., 2, 2), (..., 38, 32)
    assert (day[background] - night[background]).abs().mean() > 60
    assert (day[skin] - night[skin]).abs().mean() > 30


def test_faces_with_equal_labels_differ_a_little() -> None:
    pictures, _ = changed("mouth", 0)
    spread = pictures.float().std(0).mean()
    assert 5 < spread < 25
    assert len({picture.numpy().tobytes() for picture in pictures}) == 50


def test_places_stay_within_one_pixel() -> None:
    """The left-most column of black hair: 16 − 10.8 · 1.04 − 1 at the outermost, +0.5 soft edge."""
    pictures, _ = changed("mouth", 0)
    dark = (pictures.float().mean(1) < 60)[:, 8:16]
    edge = dark.any(1).float().argmax(1)
    assert edge.min() >= 3
    assert edge.max() <= 8
    assert edge.max() > edge.min()


@pytest.mark.parametrize("size", [14, 33])
def test_sizes_that_are_refused(size) -> None:
    with pytest.raises(UserError, match=f"size = {size}: .*even size of at least 16"):
        draw_faces(sample_labels(2, 0), size, "day", 0)


def test_palettes_and_labels_that_are_refused() -> None:
    with pytest.raises(UserError, match="palette = 'dusk': choose one of day, night"):
        draw_faces(sample_labels(2, 0), 32, "dusk", 0)
    for labels in (torch.full((2, 5), 2), torch.full((2, 5), -1), torch.zeros(2, 4).long()):
        with pytest.raises(UserError, match="labels of faces"):
            draw_faces(labels, 32, "day", 0)


def test_parts_do_not_overlap_where_detectors_need_skin() -> None:
    """Rims end above the mouth, the mouth above the chin, even in the largest face."""
    mouth_top = anatomy.MOUTH.y - anatomy.MOUTH.ry
    assert anatomy.RIM.y + anatomy.RIM.ry + anatomy.RIM_WIDTH / 2 < mouth_top
    assert anatomy.MOUTH.y + anatomy.MOUTH.ry < anatomy.HEAD.y + anatomy.HEAD.ry - 1
