"""Pictures in the report: embedded where there are any, safe, bounded, and absent from text."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from synthetic_runs import write_pictures, write_run

from seqgan.reporting import html
from seqgan.reporting.html import render_report
from seqgan.reporting.runs import Arm, read_run

SHEETS = ("samples", "interpolation", "latent", "sliders", "neighbours", "translation")


class Page(HTMLParser):
    """Pictures, in order, and whatever would be loaded from elsewhere."""

    def __init__(self, page):
        super().__init__()
        self.images, self.others = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        else:
            targets = [value for name, value in attrs if name in ("src", "href", "xlink:href")]
            self.others += [tag] if tag in ("script", "link", "iframe") else targets

    @property
    def contents(self):
        """The files behind the data URIs."""
        return [b64decode(image["src"].partition(",")[2], validate=True) for image in self.images]


def picture_arm(folder, name, label=None, seeds=(0,), finished=True, **pictures):
    paths = [write_run(folder / name / f"seed-{s}", s, finished=finished) for s in seeds]
    for path in paths:
        write_pictures(path, **pictures)
    return Arm(name, label or name, False, [read_run(path) for path in paths])


def text_arm(folder, name):
    return Arm(name, name, False, [read_run(write_run(folder / name))])


def headings(page):
    return re.findall(r'<h2 id="(.*?)"', page)


def test_every_picture_of_the_folder_is_embedded(tmp_path):
    arm = picture_arm(tmp_path, "a", steps=[0, 500, 1000], animation=True, sheets=SHEETS)
    page = Page(render_report("Study", [arm]))
    steps = [b"step 0", b"step 500", b"step 1000"]
    assert page.contents == [*(name.encode() for name in SHEETS), b"animation", *steps]
    kinds = [image["src"].partition(";")[0] for image in page.images]
    assert kinds == ["data:image/png"] * 6 + ["data:image/gif"] + ["data:image/png"] * 3
    assert all(other.startswith("#") for other in page.others)
    alts = [image["alt"] for image in page.images]
    assert alts[0] == "a, seed 0: Samples"
    assert alts[-1] == "a, seed 0: Update 1,000"


def test_only_what_exists_is_shown(tmp_path):
    arm = picture_arm(tmp_path, "a", sheets=["latent"])
    page = render_report("Study", [arm])
    assert Page(page).contents == [b"latent"]
    assert "during training</h4>" not in page


def test_other_files_are_left_alone(tmp_path):
    arm = picture_arm(tmp_path, "a", sheets=["samples", "holiday"])
    (arm.runs[0].path / "samples" / "updates-last.png").write_bytes(b"?")
    again = Arm("a", "a", False, [read_run(arm.runs[0].path)])
    assert Page(render_report("Study", [again])).contents == [b"samples"]


def test_without_a_final_sheet_the_newest_step_stands_for_it(tmp_path):
    arm = picture_arm(tmp_path, "a", steps=[0, 500, 1000], finished=False)
    page = Page(render_report("Study", [arm]))
    assert page.contents == [b"step 1000", b"step 0", b"step 500"]


def test_steps_are_in_order_and_spread_over_the_run(tmp_path):
    steps = [100 * k for k in range(30)] + [123_456_789_000]  # more digits than the name has room
    arm = picture_arm(tmp_path, "a", steps=steps, sheets=["samples"])
    shown = [int(c.removeprefix(b"step ")) for c in Page(render_report("S", [arm])).contents[1:]]
    assert len(shown) == 16
    assert shown == sorted(shown)
    assert shown[0] == 0
    assert shown[-1] == steps[-1]
    places = [steps.index(step) for step in shown]
    assert all(1 <= b - a <= 3 for a, b in pairwise(places))


def test_the_first_finished_run_is_shown(tmp_path):
    unfinished = picture_arm(tmp_path, "a", seeds=(3,), finished=False, steps=[7])
    finished = picture_arm(tmp_path, "b", seeds=(4, 5), sheets=["samples"])
    arm = Arm("a", "a", False, unfinished.runs + finished.runs)
    page = Page(render_report("Study", [arm]))
    assert [image["alt"] for image in page.images] == ["a, seed 4: Samples"]


def test_picture_arms_have_no_list_of_texts(tmp_path):
    pictures = picture_arm(tmp_path, "faces", sheets=["samples"], texts=[])
    page = render_report("Study", [pictures])
    assert "pictures" in headings(page)
    assert "samples" not in headings(page)


def test_text_arms_have_no_pictures(tmp_path):
    page = render_report("Study", [text_arm(tmp_path, "words")])
    assert "samples" in headings(page)
    assert "pictures" not in headings(page)
    assert "<img" not in page


def test_text_and_pictures_on_one_page(tmp_path):
    arms = [text_arm(tmp_path, "words"), picture_arm(tmp_path, "faces", steps=[1], texts=[])]
    page = render_report("Study", arms)
    samples = re.search(r'<h2 id="samples">.*?(?=<h2)', page, re.DOTALL).group()
    assert "words" in samples
    assert "faces" not in samples
    assert [image["alt"] for image in Page(page).images] == ["faces, seed 0: Update 1"]


@pytest.mark.parametrize(
    ("limit", "kept", "named"),
    [
        (10_000, [b"samples", b"animation", b"step 0", b"step 500"], []),
        (35, [b"samples", b"animation"], ["updates-*.png"]),
        (30, [b"samples", b"step 0", b"step 500"], ["progress.gif"]),
        (1, [b"samples"], ["progress.gif", "updates-*.png"]),
    ],
)
def test_a_page_stays_small(tmp_path, monkeypatch, limit, kept, named):
    """Encoded sizes: samples 9, animation 12 (or 24), two steps 18."""
    monkeypatch.setattr(html, "PICTURE_BYTES", limit)
    arm = picture_arm(tmp_path, "a", steps=[0, 500], animation=True, sheets=["samples"])
    if limit == 30:
        arm.runs[0].pictures.animation.write_bytes(2 * b"animation")
    page = render_report("Study", [arm])
    assert Page(page).contents == kept
    assert [name for name in ("progress.gif", "updates-*.png") if name in page] == named


def test_labels_and_contents_cannot_break_out(tmp_path):
    evil = '"><script>alert(1)</script>'
    arm = picture_arm(tmp_path, "a", label=evil, sheets=["samples"])
    (arm.runs[0].path / "pictures" / "samples.png").write_bytes(evil.encode())
    page = render_report("Study", [arm])
    assert "<script" not in page
    assert Page(page).images[0]["alt"] == f"{evil}, seed 0: Samples"
    assert Page(page).contents == [evil.encode()]
