"""Documents: links lead somewhere, files that are named exist, commands fit the command line."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from seqgan.cli import app
from seqgan.experiment import load_experiment
from seqgan.study import load_study, plan, select_arms

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
COMMAND = typer.main.get_command(app)
README = (ROOT / "README.md").read_text()
WORK = {"CONFIG", "CONFIG.yaml", "STUDY.yaml", "RUN", "RUN…"}
"""Words that stand for a file in descriptions of a command."""


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str) -> list[str]:
    """Every command line of a page, on one line, without what stands before or behind a pipe."""
    joined = re.sub(r"\\?\n {6,}(?=\S)", " ", text)
    lines = re.findall(r"(?m)^ {4}(.*\bseqgan .*)$", joined)
    lines += re.findall(r"`(seqgan [a-z]+ configs/[^`]*)`", joined)
    pieces = [piece.strip() for line in lines for piece in re.split(r" \| | > ", line)]
    return [piece for piece in pieces if piece.startswith("seqgan ")]


TUTORIAL = ROOT / "docs" / "extending.md"
"""Its commands need the reader's files: tests/test_extending.py writes them."""
COMMANDS = {line: page for page in PAGES if page != TUTORIAL for line in commands(page.read_text())}


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 50
    assert len(set(COMMANDS.values())) > 10


def python_of(heading: str) -> str:
    """The Python under a heading of the README."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return section.split("```python\n")[1].split("```")[0]


def test_the_own_loop_of_the_readme_learns() -> None:
    names: dict[str, Any] = {}
    exec(python_of("In your own loop"), names)
    assert names["reward"](names["rollout"].x, names["rollout"].mask).mean() > 11  # of 12


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    exec(python_of("In Python").replace("repeat=100", "repeat=5"), {})
    likelihoods, jsd = capsys.readouterr().out.splitlines()
    assert len(likelihoods.split(",")) == 20
    assert 0 < float(jsd) < 0.7


def test_code_that_the_architecture_quotes_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    quoted = re.findall(r"`(seqgan/[\w/]+\.py)`:\n\n```python\n(.*?)```", page, re.DOTALL)
    assert len(quoted) == 4
    for name, block in quoted:
        source = [line.strip() for line in (ROOT / name).read_text().splitlines()]
        assert [line for line in block.splitlines() if line.strip() not in source] == []


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), target


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_named_files_exist(page: Path) -> None:
    """Files of the repository that a page names by their whole path."""
    named = re.findall(r"\b(?:configs|docs|scripts|tests|seqgan)/[\w./-]+\.\w+", page.read_text())
    for name in named:
        assert (ROOT / name).exists(), name
    if page != TUTORIAL:
        for name in re.findall(r"`(\w+/[\w/]+\.py)`", page.read_text()):
            assert "yours" in name or any((top / name).exists() for top in (ROOT, ROOT / "seqgan"))


@pytest.mark.parametrize("line", sorted(COMMANDS))
def test_commands_fit_the_command_line(line: str, tmp_path: Path) -> None:
    """Options exist; configurations and studies load with the overrides that stand there."""
    words = [word for word in shlex.split(line, comments=True)[1:] if "…" not in word]
    words = [re.sub(r"\bS$", "0", word) for word in words]
    name, rest = words[0], words[1:]
    if name.startswith("-"):
        return
    context = COMMAND.commands[name].make_context(name, list(rest))  # type: ignore[attr-defined]
    options = context.params
    if name == "train" and not options["resume"]:
        first, *overrides = options["arguments"]
        load_experiment(ROOT / first, overrides)
    if name == "compare" and str(options["study"]) not in WORK:
        path = ROOT / options["study"]
        study = load_study(path)
        arms = options["arms"] or [study.arms[0].name]  # all arms of all studies take half a minute
        study = select_arms(study, arms, options["seeds"] or [0], line)
        assert plan(study, path, tmp_path / "study", options["assignments"] or [])
