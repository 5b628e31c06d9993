"""One run of a study, in a process that ends with that of the study.

    python -m seqgan.study_child train …

Its stdin is a pipe that the study's process holds open and never writes to. The kernel closes it
when that process has ended, however it ended; then this one saves and stops, as after SIGTERM.
"""

import os
import signal
import sys
import threading

from seqgan.cli import main


def _stop_with_the_study() -> None:
    os.read(sys.stdin.fileno(), 1)  # comes back when the pipe is closed
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_with_the_study, daemon=True).start()
    main()
