"""Ideas in their quick form."""

from pathlib import Path

from languages import assert_said_in_both
from PIL import Image

from seqgan.lectures.listing import find_idea
from seqgan.lectures.stage import Played, play


def play_quickly(number: int, folder: Path) -> Played:
    """What came of it; all of it is said in both languages, and its picture can be published."""
    played = play(find_idea(number), folder / "lecture", quick=True)
    assert played.findings
    for finding in played.findings:
        assert_said_in_both(finding.what)
    first = played.pictures[0]
    with Image.open(first) as image:
        assert image.format == "PNG"
    assert first.stat().st_size <= 60_000
    return played
