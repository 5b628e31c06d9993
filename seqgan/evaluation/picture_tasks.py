"""Tasks of pictures and of points."""

from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.pictures import to_unit
from seqgan.core.types import ArraySpace, Batch, SpacePair
from seqgan.data.captions import Captions
from seqgan.data.pictures import Pictures
from seqgan.data.stream import Stream
from seqgan.evaluation.conditions import Conditions, space_of
from seqgan.evaluation.cycle import CycleEvaluator, MeasuredPictures
from seqgan.evaluation.feature_extractor import FeatureExtractor
from seqgan.evaluation.paired_pictures import MeasuredDirection, PairedPicturesEvaluator
from seqgan.evaluation.pictures import Detect, PictureEvaluator
from seqgan.evaluation.task import Task, TaskSetup


def picture_task(
    setup: TaskSetup, pictures: Pictures, detect: Detect | None, captions: Captions | None = None
) -> Task:
    """Learn pictures of one kind, where `setup.conditional` from their labels, or their captions
    where there are any."""
    if setup.conditional and not pictures.label_sizes:
        raise UserError(
            "data.source: the pictures have no labels, which the game's generator reads; name them "
            "there, or use a game without labels (adversarial, or regression with labels=false)"
        )
    space = space_of(pictures, captions, setup.conditional)
    evaluator = PictureEvaluator(
        pictures,
        space,
        _extractor(setup, pictures),
        detect,
        setup.device,
        setup.evaluation.seed,
        captions,
    )
    told = Conditions(space, captions).of(pictures.train)
    stream = _stream(setup, pictures.train.x_NCHW, told, setup.seed)
    wrong = None if captions is None else captions.wrong
    return Task(space, (stream,), evaluator, report=pictures.report, wrong_conditions=wrong)


def picture_pair_task(
    setup: TaskSetup, kinds: tuple[Pictures, Pictures], detects: tuple[Detect | None, Detect | None]
) -> Task:
    """Translate between two kinds of pictures that are never paired."""
    space = ArraySpace(kinds[0].shape)
    a, b = (
        MeasuredPictures(name, pictures, _extractor(setup, pictures), detect)
        for name, pictures, detect in zip("ab", kinds, detects, strict=True)
    )
    streams = tuple(
        # Seeds of their own: equal ones would pair what lies in the same place.
        _stream(setup, pictures.train.x_NCHW, None, 2 * setup.seed + position)
        for position, pictures in enumerate(kinds)
    )
    report = {name: pictures.report for name, pictures in zip("ab", kinds, strict=True)}
    evaluator = CycleEvaluator(a, b, setup.device, setup.evaluation.seed)
    return Task(SpacePair(space, space), streams, evaluator, report=report)


def paired_pictures_task(
    setup: TaskSetup, kinds: tuple[Pictures, Pictures], detects: tuple[Detect | None, Detect | None]
) -> Task:
    """Translate between two kinds of pictures of which row i of one belongs to row i of the
    other."""
    space, game = ArraySpace(kinds[0].shape), setup.translation
    directions = []
    for name in game.directions:
        source, target = "ab".index(name[0]), "ab".index(name[-1])
        pictures = kinds[target]
        measured = MeasuredPictures(
            name[-1], pictures, _extractor(setup, pictures), detects[target]
        )
        directions.append(MeasuredDirection(kinds[source], measured))
    seeds = (setup.seed, setup.seed) if game.paired else (2 * setup.seed, 2 * setup.seed + 1)
    streams = tuple(
        _stream(setup, pictures.train.x_NCHW, None, seed)
        for pictures, seed in zip(kinds, seeds, strict=True)
    )
    report = {name: pictures.report for name, pictures in zip("ab", kinds, strict=True)}
    evaluator = PairedPicturesEvaluator(directions, setup.device)
    return Task(SpacePair(space, space), streams, evaluator, report=report)


def _stream(setup: TaskSetup, x_NCHW: Tensor, labels_NA: Tensor | None, seed: int) -> Stream:
    """Pictures stay bytes on the device until a batch is read."""
    cond = None if labels_NA is None else labels_NA.to(setup.device)
    pictures = Batch(x_NCHW.to(setup.device), cond=cond)
    return Stream(pictures, setup.batch_size, seed, prepare=to_unit)


def _extractor(setup: TaskSetup, pictures: Pictures) -> FeatureExtractor:
    extractor = pictures.extractor
    return setup.evaluation.feature_extractor.build(
        extractor.x_NCHW, extractor.labels_NA, pictures.label_sizes, setup.device
    )
