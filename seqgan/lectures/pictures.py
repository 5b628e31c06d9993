"""The pictures of a run, drawn again."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqgan.data.picture_config import PictureDataConfig
    from seqgan.data.pictures import Pictures
    from seqgan.evaluation.feature_extractor import FeatureExtractor
    from seqgan.runs.saved import SavedRun


def data_of(run: "SavedRun") -> "PictureDataConfig":
    """The configuration of a run's pictures."""
    from seqgan.data.picture_config import PictureDataConfig

    data = run.experiment.data
    assert isinstance(data, PictureDataConfig), "a run on pictures of one kind"
    return data


def pictures_of(run: "SavedRun") -> "Pictures":
    """The pictures that a run was trained and is tested on, drawn again."""
    return data_of(run).build_pictures()


def extractor_of(run: "SavedRun", pictures: "Pictures") -> "FeatureExtractor":
    """What a run's pictures, drawn again, are measured with."""
    return run.experiment.evaluation.feature_extractor.build(
        pictures.extractor.x_NCHW, pictures.extractor.labels_NA, pictures.label_sizes, run.device
    )
