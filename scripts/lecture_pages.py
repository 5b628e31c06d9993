"""Writes docs/lectures.md and docs/lectures.zh.md from the ideas and their recorded results.

    python scripts/lecture_pages.py                    # after a change of an idea's text
    seqgan lecture 22
    python scripts/lecture_pages.py runs/lecture-22    # records what was measured, and its picture

Results are kept in docs/lectures/results.json, and the first picture as docs/lectures/NN.png.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from seqgan.core.errors import UserError
from seqgan.core.plain import JsonObject
from seqgan.core.progress import duration
from seqgan.core.saved_files import read_json_object, replacing, write_json, write_text
from seqgan.lectures import REPOSITORY
from seqgan.lectures.command import finding_mark
from seqgan.lectures.idea import Finding, Idea, Said, missed_of_expected
from seqgan.lectures.listing import RESULTS, find_idea, ideas, recorded_results

Language = Literal["en", "zh"]
LARGEST_PICTURE = 60_000
"""Bytes."""
PAGES: dict[Language, Path] = {
    "en": REPOSITORY / "docs" / "lectures.md",
    "zh": REPOSITORY / "docs" / "lectures.zh.md",
}


@dataclass(frozen=True)
class _Phrases:
    """What stands on every page, besides the ideas themselves."""

    title: str
    opening: str
    other: str
    contents: str
    columns: str
    missed: str
    unrecorded: str


_PHRASES: dict[Language, _Phrases] = {
    "en": _Phrases(
        title="The lectures",
        opening=(
            "The ideas of H.-Y. Lee's lectures on GANs in the course's order, each with one "
            "command. The lectures'\n*discriminator* is called *critic* here. A command trains on "
            "data made in code, measures what the lecture says, and ends\nwith the name of its "
            "picture. `seqgan lecture` lists them all.\n\n"
            "Times are of a machine with two cores, which sometimes had other work too. "
            "✓: as expected. ✗: not as expected. ·: measured, nothing is expected."
        ),
        other="[中文](lectures.zh.md)",
        contents="| | idea | time | as expected |",
        columns="| | measured | value | expected |",
        missed="{missed} of {count} are not as expected.",
        unrecorded="No result is recorded yet.",
    ),
    "zh": _Phrases(
        title="課程",
        opening=(
            "李宏毅老師 GAN 課程的觀念，依課程順序排列，各用一個指令重現："
            "用程式產生的資料訓練，量測課程所說的現象，最後印出圖檔的名稱。"
            "文中「生成器」即 Generator，「判別器」（也譯「鑑別器」）即 Discriminator。"
            "`seqgan lecture` 會列出全部。\n\n"
            "時間是在雙核心的機器上量得，有時還有其他程式在執行。"
            "✓：符合預期。✗：不符預期。·：只量測，沒有預期值。"
        ),
        other="[English](lectures.md)",
        contents="| | 觀念 | 時間 | 符合預期 |",
        columns="| | 量測項目 | 結果 | 預期 |",
        missed="{count} 項預期之中有 {missed} 項不符。",
        unrecorded="尚無紀錄。",
    ),
}


def page(language: Language) -> str:
    """The whole document."""
    phrases, recorded = _PHRASES[language], recorded_results()
    rows = [(idea, recorded.get(str(idea.number))) for idea in ideas()]
    head = [f"# {phrases.title}", "", phrases.opening, "", phrases.other, ""]
    contents = [phrases.contents, "|--:|---|--:|--:|"]
    contents += [_contents_row(idea, result, language) for idea, result in rows]
    sections = [line for idea, result in rows for line in _section(idea, result, language)]
    return "\n".join([*head, *contents, *sections]) + "\n"


def _contents_row(idea: Idea, result: JsonObject | None, language: Language) -> str:
    title = f"[{_said(idea.title, language)}](#{_anchor(_heading(idea, language))})"
    if result is None:
        return f"| {idea.number} | {title} | | |"
    wrong, expected = missed_of_expected(_findings(result))
    held = f"{expected - wrong} / {expected}"
    return f"| {idea.number} | {title} | {_time(result, language)} | {held} |"


def _section(idea: Idea, result: JsonObject | None, language: Language) -> list[str]:
    phrases = _PHRASES[language]
    time = "" if result is None else f"      # {_time(result, language)}"
    lines = [
        *("", f"## {_heading(idea, language)}", ""),
        *(_said(idea.idea, language), "", f"    {_said(idea.equation, language)}", ""),
        *(f"    seqgan lecture {idea.number}{time}", ""),
    ]
    if result is None:
        return [*lines, phrases.unrecorded]
    findings = _findings(result)
    lines += [phrases.columns, "|---|---|--:|---|"]
    lines += [_finding_row(finding, language) for finding in findings]
    wrong, expected = missed_of_expected(findings)
    if wrong:
        lines += ["", phrases.missed.format(missed=wrong, count=expected)]
    return [*lines, "", f"![{_said(idea.title, language)}](lectures/{idea.number:02}.png)"]


def _heading(idea: Idea, language: Language) -> str:
    return f"{idea.number}. {_said(idea.title, language)}"


def _anchor(heading: str) -> str:
    """What links call a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _finding_row(finding: Finding, language: Language) -> str:
    what = _said(finding.what, language).replace("|", "\\|")
    value = _said(finding.measured, language)
    expected = _said(finding.expected, language) if finding.expected else ""
    return f"| {finding_mark(finding)} | {what} | {value} | {expected} |"


def _findings(result: JsonObject) -> list[Finding]:
    return [_finding(tree) for tree in result["findings"]]


def _finding(tree: JsonObject) -> Finding:
    what, value = tree["what"], tree["value"]
    said = Said(what, what) if isinstance(what, str) else Said(**what)  # older results: one text
    number = float("nan" if value is None else value)
    return Finding(**{**tree, "what": said, "value": number})


def _said(text: Said, language: Language) -> str:
    return text.en if language == "en" else text.zh


def _time(result: JsonObject, language: Language) -> str:
    time = duration(result["seconds"])
    if language == "en":
        return time
    return time.replace("min", "分").replace("h", "小時").replace("s", "秒")


def record(folder: Path) -> None:
    """Keep the result of a finished lecture, and its first picture."""
    result = read_json_object(folder / "result.json", "play a lecture first: seqgan lecture N")
    if not result.get("finished") or result.get("quick"):
        raise UserError(f"{folder}: is not finished in full; run its lecture to the end")
    number = find_idea(result["number"]).number
    picture = (folder / result["pictures"][0]).read_bytes()
    if len(picture) > LARGEST_PICTURE:
        raise UserError(
            f"{folder / result['pictures'][0]}: has {len(picture)} bytes; draw it smaller, at most "
            f"{LARGEST_PICTURE}"
        )
    kept = recorded_results()
    kept[str(number)] = {"seconds": result["seconds"], "findings": result["findings"]}
    RESULTS.parent.mkdir(exist_ok=True)
    with replacing(RESULTS.parent / f"{number:02}.png") as file:
        file.write(picture)
    write_json(RESULTS, dict(sorted(kept.items(), key=lambda item: int(item[0]))))


def main(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDER…]", help="Finished lectures to record.")
    ] = None,
) -> None:
    """Record finished lectures, then write both pages."""
    try:
        for folder in folders or []:
            record(folder)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    for language, path in PAGES.items():
        write_text(path, page(language))


if __name__ == "__main__":
    typer.run(main)
