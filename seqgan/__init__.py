"""seqgan: a laboratory for adversarial sequence generation."""

import os
from typing import TYPE_CHECKING

from seqgan.core.lazy import attach

if TYPE_CHECKING:
    from seqgan import estimators as estimators
    from seqgan import metrics as metrics
    from seqgan import objectives as objectives
    from seqgan.comparison import compare as compare
    from seqgan.core.errors import UserError as UserError
    from seqgan.core.types import ArraySpace as ArraySpace
    from seqgan.core.types import Batch as Batch
    from seqgan.core.types import Critic as Critic
    from seqgan.core.types import Generator as Generator
    from seqgan.core.types import Rollout as Rollout
    from seqgan.core.types import SampleRequest as SampleRequest
    from seqgan.core.types import Scores as Scores
    from seqgan.core.types import SequenceSpace as SequenceSpace
    from seqgan.core.types import StepOut as StepOut
    from seqgan.decoding import Ancestral as Ancestral
    from seqgan.decoding import Greedy as Greedy
    from seqgan.decoding import sample as sample
    from seqgan.experiment import Experiment as Experiment
    from seqgan.experiment import load_experiment as load_experiment
    from seqgan.models import critics as critics
    from seqgan.models import generators as generators
    from seqgan.runs.saved import SavedRun as SavedRun
    from seqgan.runs.saved import open_run as open_run
    from seqgan.runs.train import train as train

__version__ = "0.1.0"

# The threads of an operation wait for one another by spinning. Beside a second process on the same
# cores they spin in place of the thread that they wait for: two runs then take ten times as long as
# one. OpenMP reads how long to spin when torch loads it; no module of ours comes before this one.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__getattr__, __dir__ = attach(__name__)
