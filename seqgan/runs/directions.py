"""Which way a run translates. No torch here: the command line asks before it is loaded."""

from pathlib import Path

from seqgan.core.errors import UserError
from seqgan.experiment import Experiment


def check_direction(experiment: Experiment, folder: Path, direction: str | None) -> str | None:
    """The direction to translate in, a2b or b2a: the wanted one, else the first that was trained.

    None for a run that answers prompts. Raises `UserError` where it cannot be had.
    """
    if direction not in (None, "a2b", "b2a"):
        raise UserError(f"direction={direction!r}: choose from: a2b, b2a")
    if experiment.data.modality == "prompted" and experiment.data.is_text:
        if direction is not None:
            raise UserError(f"direction={direction}: this run answers prompts; leave it out")
        return None
    if not experiment.game.played_directions:
        raise UserError(
            f"{folder}: this run translates nothing (game.name={experiment.game.name}); use "
            f"'seqgan sample {folder}', or a run of game cycle or paired, or of data prompted_text"
        )
    trained = experiment.trained_directions
    if direction is not None and direction not in trained:
        raise UserError(
            f"direction={direction}: this run was not trained that way; choose {trained[0]}"
        )
    return direction or trained[0]
