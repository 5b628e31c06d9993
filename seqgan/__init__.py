"""seqgan: a laboratory for adversarial sequence generation."""

import os

__version__ = "0.1.0"

# The threads of an operation wait for one another by spinning. Beside a second process on the same
# cores they spin in place of the thread that they wait for: two runs then take ten times as long as
# one. OpenMP reads how long to spin when torch loads it; no module of ours comes before this one.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
