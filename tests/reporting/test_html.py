"""The HTML report: self-contained, escaped, complete and deterministic."""

import re
from html.parser import HTMLParser

import pytest
from synthetic_runs import decoding_row, estimator, text_files, write_run

from seqgan.core.errors import UserError
from seqgan.reporting.html import render_report, write_report
from seqgan.reporting.plots import learning_curve, sweep_figures
from seqgan.reporting.runs import Arm, read_run

SCRIPT = "<script>alert(1)</script>"


def make_arm(folder, name, null=False, seeds=(0, 1, 2), **options):
    paths = [write_run(folder / name / f"seed-{seed}", seed, **options) for seed in seeds]
    return Arm(name, name, null, [read_run(path) for path in paths])


@pytest.fixture
def arms(tmp_path):
    return [
        make_arm(tmp_path, "loo", jsd=0.03),
        make_arm(tmp_path, "constant", null=True, config=estimator(reward="constant"), jsd=0.66),
    ]


def section(page, heading):
    """The part of the page from a heading's id to the next heading."""
    return re.search(rf'<h2 id="{heading}">.*?(?=<h2|</body>)', page, re.DOTALL).group()


class Links(HTMLParser):
    """Collects what a browser would load, and open elements to see that all are closed."""

    def __init__(self):
        super().__init__()
        self.targets, self.scripts = [], 0

    def handle_starttag(self, tag, attrs):
        self.scripts += tag in ("script", "link", "iframe", "img")
        self.targets += [v for name, v in attrs if name in ("src", "href", "xlink:href")]


def test_the_file_is_self_contained(arms):
    page = render_report("Study", arms, "loo", ["jsd"])
    links = Links()
    links.feed(page)
    assert links.scripts == 0
    assert all(target.startswith("#") for target in links.targets)
    assert not re.search(r"url\((?!#)|@import", page)


def test_everything_from_outside_is_escaped(tmp_path):
    config = {"name": "toy", "data": {"name": SCRIPT}}
    evil = make_arm(tmp_path, "evil", samples=[SCRIPT], config=config, info={"hardware": SCRIPT})
    evil = Arm(evil.name, SCRIPT, False, evil.runs)
    page = render_report(SCRIPT, [evil, make_arm(tmp_path, "good")])
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 4


def test_the_config_diff_has_exactly_the_differing_keys(arms):
    keys = re.findall(r"<code>(.*?)</code>", section(render_report("Study", arms), "config"))
    assert keys == ["estimator.reward"]


def test_null_arms_are_marked_wherever_they_appear(arms):
    page = render_report("Study", arms, "loo")
    for heading in ("results", "differences", "curves", "samples", "config", "runs"):
        marked = re.findall(r"(\w+) <span class=\"null\">", section(page, heading))
        assert set(marked) == {"constant"}, heading


def test_headline_has_means_ranges_and_the_real_data(arms):
    results = section(render_report("Study", arms, primary_metrics=["jsd"]), "results")
    assert "0.0300" in results
    assert "real data" in results
    assert "nll_test" not in results
    assert "the last checkpoint" in results


def test_other_metrics_follow_in_their_own_table(arms):
    page = render_report("Study", arms, primary_metrics=["jsd"])
    assert "nll_test" in section(page, "all-metrics")


def test_warnings_name_what_is_wrong(tmp_path):
    arms = [
        make_arm(tmp_path, "a", seeds=(0,), finished=False),
        make_arm(tmp_path, "b", seeds=(0, 1), info={"hardware": "a GPU"}),
    ]
    page = render_report("Study", arms, primary_metrics=["jds"])
    warnings = re.search(r'<aside class="warnings">.*?</aside>', page, re.DOTALL).group()
    assert "a, seed 0: not finished" in warnings
    assert "ranges, not confidence intervals" in warnings
    assert "Arms differ in their seeds" in warnings
    assert "Runs differ in hardware: 2 CPU cores; a GPU." in warnings
    assert "jds: recorded by no finished run. Recorded: jsd, nll_test." in warnings


def warnings_of(page):
    found = re.search(r'<aside class="warnings">.*?</aside>', page, re.DOTALL)
    return "" if found is None else found.group()


def test_budgets_are_recorded_where_their_columns_are_full(tmp_path):
    arms = [make_arm(tmp_path, "a", reported={"step": 0, "seconds": 0.0})]
    page = render_report("Study", arms, primary_metrics=["jsd", "seconds"])
    assert "recorded by no finished run" not in warnings_of(page)
    assert ">6.0000<" in section(page, "results")
    assert "18 s of training in all" in page, "three runs of six seconds, whatever is reported"
    steps = re.findall(r'class="num">(\d+)</td>', section(page, "runs"))
    assert steps[:3] == ["0", "0", "500"], "seed, reported step, steps"


@pytest.mark.parametrize(
    ("space", "changes"),
    [
        ({"shape": [3, 8, 8], "label_sizes": []}, {"label_sizes": [10]}),
        ({"vocab_size": 300, "length": 20, "end_id": 0}, {"length": 30, "prompt": 1}),
    ],
)
def test_conditions_of_models_make_no_other_data(tmp_path, space, changes):
    files = text_files(300)
    arms = [
        make_arm(tmp_path, "plain", files={**files, "space.json": space}),
        make_arm(tmp_path, "conditional", files={**files, "space.json": {**space, **changes}}),
    ]
    assert "different test data" not in warnings_of(render_report("Study", arms))


def test_other_vocabularies_are_named_and_marked(tmp_path):
    arms = [
        make_arm(tmp_path, "small", files=text_files(300)),
        make_arm(tmp_path, "large", files=text_files(5115, test="3d")),
    ]
    page = render_report("Study", arms, "small", ["nll_test"])
    warnings = warnings_of(page)
    assert "measured on different test data or vocabularies" in warnings
    assert re.search(r"data 1 \(oracle, 300 tokens, \w{8}\): small; data 2 .*5115", warnings)
    for heading in ("results", "differences", "curves"):
        assert '<span class="null">data 2</span>' in section(page, heading), heading
    assert "other data" in section(page, "differences")


def test_other_training_data_are_named(tmp_path):
    arms = [
        make_arm(tmp_path, "a", files=text_files(300)),
        make_arm(tmp_path, "b", files=text_files(300, train="4c")),
    ]
    page = render_report("Study", arms, primary_metrics=["nll_test"])
    assert "Arms were trained on different data: a | b." in warnings_of(page)
    assert "data 1" not in page


def test_five_equal_seeds_on_one_machine_need_no_warning(tmp_path):
    page = render_report("Study", [make_arm(tmp_path, "a", seeds=range(5))])
    assert '<aside class="warnings">' not in page


def test_the_report_is_deterministic(arms):
    assert render_report("Study", arms, "loo") == render_report("Study", arms, "loo")


def test_curves_use_a_log_axis_only_where_it_helps(tmp_path):
    wide = learning_curve([make_arm(tmp_path, "wide", curve=[0.6, 0.1, 0.004])], "jsd")
    signed = learning_curve([make_arm(tmp_path, "signed", curve=[0.6, 0.1, -0.4])], "jsd")
    assert re.search(r">0\.005<", wide.svg)
    assert not re.search(r">0\.005<", signed.svg)


def test_an_arm_without_finite_values_is_named_under_the_figure(tmp_path):
    arms = [make_arm(tmp_path, "fine"), make_arm(tmp_path, "wild", curve=["inf", None])]
    figure = learning_curve(arms, "jsd")
    assert figure.note.endswith("wild.")
    assert figure.svg.startswith("<svg")


def test_a_sweep_is_drawn_where_several_temperatures_were_measured(tmp_path):
    rows = [
        decoding_row({"nll_oracle": 5 + t, "nll_test": 6 - t}, t, selected=t == 1.0)
        for t in (0.7, 1.0, 1.3)
    ]
    (figure,) = sweep_figures([make_arm(tmp_path, "swept", rows=rows)])
    assert figure.title == "nll_test against nll_oracle"
    assert ">1.3<" in figure.svg
    assert sweep_figures([make_arm(tmp_path, "plain")]) == []


def test_write_report_groups_runs_into_arms(tmp_path):
    paths = [write_run(tmp_path / f"loo-{s}", s) for s in (0, 1)]
    paths += [
        write_run(tmp_path / f"null-{s}", s, config=estimator(reward="shuffled")) for s in (0, 1)
    ]
    write_report(paths, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h1>Comparison of 2 arms</h1>" in page
    assert "toy (estimator.reward=shuffled)" in page


def test_write_report_names_a_missing_folder(tmp_path):
    run = write_run(tmp_path / "run")
    with pytest.raises(UserError, match=r"no folder .*nowhere; create it first"):
        write_report([run], tmp_path / "nowhere" / "report.html")
