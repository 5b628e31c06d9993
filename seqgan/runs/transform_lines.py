"""`seqgan transform` for text: a file, or stdin, line by line."""

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from seqgan.core.progress import tracked
from seqgan.core.saved_files import naming
from seqgan.core.text_files import read_lines, stdin_lines
from seqgan.runs.transforming import AT_ONCE, LineTranslator


def transform_lines(translator: LineTranslator, source: Path, output: Path | None) -> None:
    """Translate the lines of `source` (`-`: stdin) into `output` (None: stdout).

    The counts go to stderr, however it ends: a stream may have no end but Ctrl-C.
    """
    streamed = str(source) == "-"
    lines: Iterable[str] = stdin_lines()
    if not streamed:
        read = read_lines(source, keep_blank=True, strip=False)
        lines = read if output is None else tracked(read, "translating", len(read))
    # A terminal, or another program that waits, gets each line when it is there.
    made = translator.stream(lines, 1 if streamed else AT_ONCE)
    with ExitStack() as stack:
        first = next(made, None)  # what is wrong shows here, before a file is opened
        target = sys.stdout
        if output is not None:
            stack.enter_context(naming(output))
            target = stack.enter_context(output.open("w", encoding="utf-8"))
        try:
            while first is not None:
                print(first, file=target, flush=streamed)
                first = next(made, None)
        finally:
            if translator.counts.translated or translator.counts.empty:
                print(translator.counts, file=sys.stderr)
