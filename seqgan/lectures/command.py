"""`seqgan lecture`: plays an idea and says what was measured against what is expected."""

from pathlib import Path

from seqgan.lectures.idea import Finding, missed_of_expected
from seqgan.lectures.listing import find_idea


def lecture_command(number: int, folder: Path | None) -> list[str]:
    """Play an idea in `folder` (default runs/lecture-N): lines for the student, the last one the
    name of the picture."""
    idea = find_idea(number)
    from seqgan.lectures.stage import play

    played = play(idea, folder or Path("runs") / f"lecture-{number}")
    wrong, expected = missed_of_expected(played.findings)
    lines = [
        f"{number}. {idea.title.en}",
        idea.idea.en,
        f"    {idea.equation.en}",
        *finding_lines(played.findings),
    ]
    if wrong:
        lines.append(f"{wrong} of {expected} are not as expected")
    return [*lines, str(played.pictures[0])]


def finding_lines(findings: list[Finding]) -> list[str]:
    """`✓ what   value   (expected)`; ✗ where it is not as expected, · where nothing is."""
    width = max((len(finding.what.en) for finding in findings), default=0)
    return [
        f"{finding_mark(finding)} {finding.what.en:{width}}  {finding.measured.en}"
        + (f"  ({finding.expected.en})" if finding.expected else "")
        for finding in findings
    ]


def finding_mark(finding: Finding) -> str:
    if not finding.expected:
        return "·"
    return "✓" if finding.holds else "✗"
