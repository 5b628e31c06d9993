"""YAML whose scalars stay text, and what is refused at its place."""

import math

import pytest

from seqgan.core.errors import UserError
from seqgan.core.yaml_text import format_yaml, parse_yaml, read_scalar


def test_scalars_stay_the_text_that_was_typed() -> None:
    text = (
        "a: 1e3\nb: [no, on, 007, 2020-01-01, '5']\nc: {d: 0x10, e: ~, f: null, g: 'null', h: }\n"
    )
    assert parse_yaml(text, "x") == {
        "a": "1e3",
        "b": ["no", "on", "007", "2020-01-01", "5"],
        "c": {"d": "0x10", "e": None, "f": None, "g": "null", "h": None},
    }


def test_tags_of_yaml_say_nothing_more() -> None:
    assert parse_yaml("a: !!int abc\nb: !!bool maybe\nc: !!null x", "x") == {
        "a": "abc",
        "b": "maybe",
        "c": None,
    }


def test_anchors_aliases_and_merging() -> None:
    text = "a: &base {x: 1, y: 2}\nb: {<<: *base, y: 3}\nc: *base"
    assert parse_yaml(text, "x") == {
        "a": {"x": "1", "y": "2"},
        "b": {"x": "1", "y": "3"},
        "c": {"x": "1", "y": "2"},
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_document_is_none(text: str) -> None:
    assert parse_yaml(text, "x") is None


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1,\n", "line 2, column 1: .*; correct it"),
        ("a: 1\nb: !!timestamp 2020-99-99", "line 2, column 4: the tag 'timestamp' is unknown"),
        ("a: !!python/object/apply:os.system [x]", "the tag .* is unknown"),
        ("a: !mine 5", "the tag '!mine' is unknown"),
        ("a: " + "[" * 150 + "]" * 150, "line 1, column 4.: nested more than 40 levels deep"),
        ("a: " + "[" * 100_000, "nest"),
        ("a: 1\na: 2", "line 2, column 1: the key 'a' stands here twice"),
        ("? [1, 2]\n: 3", "expected a name before the colon"),
        ("a: &x [*x]", "the alias 'x' stands for nothing before it"),
        (BOMB, "aliases make more than 10000 values"),
        ("a\n---\nb", "a second document begins here"),
        ("a: \0", "character 4 is none that text has"),
        ('a: "\\ud800"', "line 1, column 7"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_configuration_is_told_at_its_place(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_yaml(text, "x.yaml")
    assert str(caught.value).startswith("x.yaml: not readable as YAML (")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-1_000", -1000),
        ("007", 7),
        ("0x1F", 31),
        ("1e3", 1000.0),
        ("1.", 1.0),
        ("-.5e-2", -0.005),
        ("1_0.5", 10.5),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("yes", True),
        ("Off", False),
        ("TRUE", True),
        ("y", "y"),
        ("1:30", "1:30"),
        ("inf", "inf"),
        ("1e", "1e"),
        (".", "."),
        ("_1", "_1"),
        ("", ""),
        ("1" * 5_000, "1" * 5_000),
    ],
)
def test_numbers_and_truth_values(text: str, value: object) -> None:
    found = read_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_nan() -> None:
    assert math.isnan(read_scalar(".nan"))


@pytest.mark.parametrize(
    "text",
    [
        *("", "~", "null", "1e3", "no", "On", "007", "0x1F", ".inf", ".nan", "- a", "a: b", "# c"),
        *("'", '"', "é", "two\nlines", " a ", "\t", "{a}", "[", "&a", "*a", "!a", "x " * 100),
        *("\x85", "<<"),
    ],
)
def test_text_that_is_written_is_read_as_text(text: str) -> None:
    """Also by readers who take what stands without quotation marks for numbers."""
    tree = {"a": text, "b": {text: [text, {"c": text}]}}
    assert parse_yaml(format_yaml(tree), "x", read_scalar) == tree


def test_values_are_written_in_their_order() -> None:
    shared = [1, 2.5]
    tree = {"z": True, "b": None, "a": {"x": shared, "y": shared}, "s": 1e-05, "e": [], "f": {}}
    text = "z: true\nb: null\na:\n  x:\n  - 1\n  - 2.5\n  y:\n  - 1\n  - 2.5\n"
    assert format_yaml(tree) == text + "s: 1.0e-05\ne: []\nf: {}\n"
    assert parse_yaml(format_yaml(tree), "x", read_scalar) == tree
