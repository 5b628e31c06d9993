"""Picture evaluators tell real pictures from noise, a mean, a single picture and copies."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from seqgan.core.metric_names import base, find
from seqgan.core.pictures import to_unit
from seqgan.core.types import ArraySpace, DirectGenerator
from seqgan.data.picture_config import PictureDataConfig, PictureSetConfig, UnpairedPicturesConfig
from seqgan.data.pictures import Pictures
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.conditions import listed_labels
from seqgan.evaluation.config import EvaluationConfig, FeatureExtractorConfig
from seqgan.evaluation.cycle import CycleEvaluator, MeasuredPictures
from seqgan.evaluation.feature_extractor import ExtractorSpec, cached_extractor
from seqgan.evaluation.pictures import PictureEvaluator, combined_label
from seqgan.evaluation.task import TaskSetup
from seqgan.tasks.faces.config import FacesSourceConfig
from seqgan.tasks.faces.detector import detect

CPU = torch.device("cpu")
ROWS = 400
COPIES = {"duplicates", "nearest_ratio", "copy_p_value"}
"""Whether real pictures are copies of real pictures makes no sense."""


def faces(palette: str = "day", seed: int = 0) -> Pictures:
    source = FacesSourceConfig(
        name="faces", palette=palette, train=ROWS, extractor=2000, valid=50, test=ROWS, seed=seed
    )
    return PictureSetConfig(source=source).build_pictures()


def extractor_of(pictures: Pictures) -> Any:
    spec = ExtractorSpec("labels", pictures.label_sizes, 3, updates=60)
    return cached_extractor(spec, pictures.extractor.x_NCHW, pictures.extractor.labels_NA, CPU)


def detector(palette: str = "day") -> Callable[[Tensor], Tensor]:
    return partial(detect, palette=palette)


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return faces()


@pytest.fixture(scope="module")
def extractor(pictures: Pictures) -> Any:
    return extractor_of(pictures)


class Fixed(DirectGenerator):
    """Gives the pictures it was made with, under whatever noise and labels."""

    latent = 2

    def __init__(self, give: Callable[[int, Tensor | None], Tensor]) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(()))
        self._give = give

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        return to_unit(self._give(len(z_BL), cond))


def measured(
    pictures: Pictures,
    extractor: Any,
    give: Callable[[int, Tensor | None], Tensor],
    conditional: bool = False,
) -> dict[str, float | None]:
    space = ArraySpace(pictures.shape, pictures.label_sizes if conditional else ())
    evaluator = PictureEvaluator(pictures, space, extractor, detector(), CPU, 0)
    metrics = evaluator.generated(Fixed(give), "test", ROWS, DecodingSetting())
    return {base(name): value for name, value in metrics.items()}


def generators(pictures: Pictures) -> dict[str, Callable[[int, Tensor | None], Tensor]]:
    fresh = faces(seed=7).train.x_NCHW
    mean = fresh.float().mean(0).byte()
    random = torch.Generator().manual_seed(0)
    return {
        "real": lambda rows, _: fresh[:rows],
        "noise": lambda rows, _: torch.randint(
            256, (rows, *pictures.shape), dtype=torch.uint8, generator=random
        ),
        "mean": lambda rows, _: mean.expand(rows, -1, -1, -1),
        "one": lambda rows, _: fresh[:1].expand(rows, -1, -1, -1),
        "copier": lambda rows, _: pictures.train.x_NCHW[:rows],
    }


def test_controls(pictures: Pictures, extractor: Any) -> None:
    found = {
        name: measured(pictures, extractor, give) for name, give in generators(pictures).items()
    }
    real, one, copier = found["real"], found["one"], found["copier"]
    for name in ("noise", "mean", "one"):
        assert found[name]["fid"] > 20 * real["fid"]
        assert found[name]["coverage"] < 0.1 < 0.85 < real["coverage"]
        assert found[name]["attribute_distance"] > 0.3 > 0.1 > real["attribute_distance"]
    assert real["valid_attributes"] > 0.97
    assert one["valid_attributes"] == 1.0  # one good face, over and over …
    assert one["label_distance_hair_colour"] > 0.3  # … and its distributions give it away
    assert one["modes"] == 1
    assert one["inception_score"] == pytest.approx(1)
    assert one["mode_kl"] > 2 * real["mode_kl"]
    assert real["modes"] > 50
    assert real["inception_score"] > 20
    assert found["noise"]["valid_attributes"] == found["mean"]["valid_attributes"] == 0
    assert copier["duplicates"] == 1.0
    assert copier["nearest_ratio"] < 0.01
    assert real["duplicates"] < 0.05
    assert real["copy_p_value"] > 0.01


def test_label_accuracy_is_against_the_labels_that_were_asked_for(
    pictures: Pictures, extractor: Any
) -> None:
    from seqgan.tasks.faces.drawing import draw_faces

    obeying = measured(
        pictures, extractor, lambda rows, c: draw_faces(c, 32, "day", 3), conditional=True
    )
    ignoring = measured(
        pictures, extractor, lambda rows, c: faces(seed=9).train.x_NCHW[:rows], True
    )
    for label, chance in (("hair_colour", 0.45), ("eye_colour", 0.55)):
        assert obeying[f"label_accuracy_{label}"] > 0.9
        assert ignoring[f"label_accuracy_{label}"] < chance
    plain = measured(pictures, extractor, lambda rows, c: faces(seed=9).train.x_NCHW[:rows])
    assert not [name for name in plain if name.startswith("label_accuracy")]


def test_one_face_for_each_combination_obeys_and_is_caught_by_recall(
    pictures: Pictures, extractor: Any
) -> None:
    """Attributes all right, and nothing else varies: what an obedient collapsed generator does."""
    from seqgan.tasks.faces.drawing import draw_faces

    def prototypes(rows: int, cond: Tensor | None) -> Tensor:
        assert cond is not None
        each = [draw_faces(label[None], 32, "day", 3) for label in cond]
        return torch.cat(each)

    found = measured(pictures, extractor, prototypes, conditional=True)
    varied = measured(
        pictures, extractor, lambda rows, c: draw_faces(c, 32, "day", 3), conditional=True
    )
    assert found["valid_attributes"] == 1.0
    assert found["attribute_distance"] < 0.1
    for name in ("recall", "coverage"):
        assert found[name] < 0.7 * varied[name]


@pytest.mark.parametrize("conditional", [False, True], ids=["plain", "conditional"])
def test_a_sheet_shows_the_same_noise_and_labels_at_every_call(
    pictures: Pictures, extractor: Any, conditional: bool
) -> None:
    class Noisy(Fixed):
        def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
            shade_B = z_BL[:, 0].sigmoid() * (1 if cond is None else 0.5 + cond[:, 0] / 10)
            return shade_B[:, None, None, None].expand(-1, *pictures.shape) * 2 - 1

    space = ArraySpace(pictures.shape, pictures.label_sizes if conditional else ())
    generator = Noisy(lambda rows, _: pictures.train.x_NCHW[:rows])
    evaluators = [
        PictureEvaluator(pictures, space, extractor, detector(), CPU, s) for s in (0, 0, 1)
    ]
    shown = []
    for evaluator in evaluators:
        torch.rand(7)
        shown.append(evaluator.show(generator, DecodingSetting()).image.tobytes())
    assert shown[0] == shown[1] != shown[2]
    assert evaluators[0].show(generator, DecodingSetting()).image.tobytes() == shown[0]


def test_the_real_row_is_measured_like_a_generator(pictures: Pictures, extractor: Any) -> None:
    space = ArraySpace(pictures.shape)
    evaluator = PictureEvaluator(pictures, space, extractor, detector(), CPU, 0)
    row = evaluator.real("test", ROWS)
    copies = measured(pictures, extractor, lambda rows, _: pictures.train.x_NCHW[:rows])
    assert set(copies) - {base(name) for name in row} == COPIES
    for name, value in row.items():
        assert value == pytest.approx(copies[base(name)])
    assert find("fid", row) == f"fid@{extractor.name}"


@pytest.mark.parametrize("kinds", ["one", "two"])
def test_grey_faces_are_read_by_the_feature_extractor(kinds: str) -> None:
    """The detector's rules look at colours."""
    source = FacesSourceConfig(train=50, extractor=50, valid=50, test=50)
    grey = {"source": source, "colours": "grey", "size": 16}
    setup = TaskSetup(
        evaluation=EvaluationConfig(feature_extractor=FeatureExtractorConfig(updates=2))
    )
    if kinds == "one":
        task, read = PictureDataConfig(**grey).build(setup), "label_distance_mouth"
    else:
        pair = {kind: PictureSetConfig(**grey) for kind in "ab"}
        task, read = UnpairedPicturesConfig(**pair).build(setup), "label_preservation_a2b"
    names = task.evaluator.real("valid", 20)
    assert find(read, names).startswith(f"{read}@")
    assert "valid_attributes" not in names


def test_listed_labels_run_through_every_combination() -> None:
    assert listed_labels((2, 3), 7).tolist() == [
        [0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [0, 0]
    ]  # fmt: skip
    assert listed_labels((3,), 4).tolist() == [[0], [1], [2], [0]]


# ── Cycles ────────────────────────────────────────────────────────────────────────────────────


class Way(DirectGenerator):
    latent = 0

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._change = change

    def forward(self, z_BL: Tensor, cond: Tensor) -> Tensor:
        return self._change(cond)


@pytest.fixture(scope="module")
def kinds(pictures: Pictures, extractor: Any) -> tuple[MeasuredPictures, MeasuredPictures]:
    night = faces("night", seed=1)
    a = MeasuredPictures("a", pictures, extractor, detector())
    return a, MeasuredPictures("b", night, extractor_of(night), detector("night"))


def translated(kinds: Any, a2b: Any, b2a: Any) -> dict[str, float | None]:
    evaluator = CycleEvaluator(*kinds, CPU, 0)
    ways = torch.nn.ModuleDict({"a2b": Way(a2b), "b2a": Way(b2a)})
    metrics = evaluator.generated(ways, "test", ROWS, DecodingSetting())
    return {base(name): value for name, value in metrics.items()}


def test_doing_nothing_keeps_the_cycle_and_fails_the_rest(kinds: Any) -> None:
    found = translated(kinds, lambda x: x, lambda x: x)
    assert found["cycle_a"] == found["identity_b"] == 0
    assert found["label_preservation_a2b"] < 0.6  # the rules for night faces read little by day
    assert found["fid_a2b"] > 20
    # Noise of standard deviation 0.1 has a mean absolute value of 0.1 √(2/π).
    assert found["cycle_noisy_a"] == pytest.approx(0.1 * (2 / torch.pi) ** 0.5, rel=0.02)


@pytest.mark.parametrize("samples", [ROWS, ROWS // 4])
def test_the_copy_row_is_that_of_a_translator_that_does_nothing(kinds: Any, samples: int) -> None:
    nothing = torch.nn.ModuleDict({"a2b": Way(lambda x: x), "b2a": Way(lambda x: x)})
    evaluator = CycleEvaluator(*kinds, CPU, 0)
    found = evaluator.generated(nothing, "test", samples, DecodingSetting())
    copy = evaluator.baselines("test", samples)["copy"]
    assert copy == {name: value for name, value in found.items() if name in copy}
    assert {base(name) for name in copy} == {
        *("fid_a2b", "fid_b2a", "label_preservation_a2b", "label_preservation_b2a")
    }


def test_few_pictures_are_of_the_whole_split_though_files_may_be_sorted(kinds: Any) -> None:
    test = kinds[0].pictures.test
    few = kinds[0].pictures.held_out("test", 10)
    every_N = torch.arange(10) * len(test.x_NCHW) // 10
    assert torch.equal(few.x_NCHW, test.x_NCHW[every_N])
    assert torch.equal(few.labels_NA, test.labels_NA[every_N])


def test_a_true_translation_keeps_the_labels_and_one_picture_does_not(kinds: Any) -> None:
    from seqgan.tasks.faces.drawing import draw_faces

    a, b = kinds
    to_night = to_unit(draw_faces(a.pictures.test.labels_NA, 32, "night", 5))
    to_day = to_unit(draw_faces(b.pictures.test.labels_NA, 32, "day", 5))
    found = translated(kinds, lambda x: to_night[: len(x)], lambda x: to_day[: len(x)])
    assert found["label_preservation_a2b"] > 0.97
    assert found["label_preservation_b2a"] > 0.97
    assert found["fid_a2b"] < 3
    one = translated(kinds, lambda x: to_night[:1].expand_as(x), lambda x: to_day[:1].expand_as(x))
    assert one["label_preservation_a2b"] < 0.7


def test_the_real_row_is_what_the_readers_can_reach(kinds: Any) -> None:
    evaluator = CycleEvaluator(*kinds, CPU, 0)
    row = evaluator.real("test", ROWS)
    assert row["label_preservation_a2b"] > 0.99
    assert row[f"fid_a2b@{kinds[1].extractor.name}"] < 3


def test_a_hidden_message_is_lost_in_noise(kinds: Any) -> None:
    """Steganography by the book: the picture shows something else and carries the source in its
    last bits."""
    cover = to_unit(kinds[1].pictures.test.x_NCHW[:ROWS])

    def hide(x: Tensor) -> Tensor:
        return cover[: len(x)] + 0.02 * x

    def reveal(y: Tensor) -> Tensor:
        return (y - cover[: len(y)]) / 0.02

    found = translated(kinds, hide, reveal)
    assert found["cycle_a"] < 0.01
    assert found["cycle_noisy_a"] > 3


def test_combined_labels_count_every_combination_once() -> None:
    sizes = (2, 3, 4)
    combined = combined_label(listed_labels(sizes, 24), sizes)
    assert combined.tolist() == list(range(24))
