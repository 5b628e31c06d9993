"""The pictures of a run, drawn again."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqgan.data.picture_config import PictureDataConfig
    from seqgan.data.pictures import Pictures
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
