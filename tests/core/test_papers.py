"""Every family of text GANs names its paper, and PAPERS.md names every family."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPERS = (ROOT / "PAPERS.md").read_text()
FAMILIES = sorted((ROOT / "configs/families").glob("*.yaml"))


def test_there_are_families() -> None:
    assert len(FAMILIES) > 20


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: path.stem)
def test_a_family_has_a_row_in_papers(path: Path) -> None:
    assert f"families/{path.name}`" in PAPERS


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: path.stem)
def test_a_family_cites_its_paper_in_its_first_line(path: Path) -> None:
    """A name and a year: what a reader looks up in PAPERS.md."""
    first = path.read_text().splitlines()[0]
    assert re.fullmatch(r"# .*[A-Z]\w+.* (19|20)\d\d\b.*", first), first


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w./]+\.(?:py|yaml))`", PAPERS))))
def test_files_that_papers_name_exist(name: str) -> None:
    """Named from the repository, from the package, or beside the configuration before it."""
    places = (ROOT, ROOT / "seqgan", ROOT / "configs/families", ROOT / "configs/conditional")
    assert any((place / name).exists() for place in places)
