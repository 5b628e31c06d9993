"""Read YAML and leave its scalars the text that was typed; write it so that it is read alike.

Whether `1e3` is a number or a name, and `no` a truth value or a file, is a matter of the field it
is given to. So scalars stay text here, `null` aside, and `core/config.py` reads each as its field
asks (`read_scalar` for all that is no text). Tags of YAML's own types say nothing more; others are
refused, and so is what no configuration needs: duplicate keys, deep nesting, aliases that multiply.
"""

import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from seqgan.core.errors import UserError
from seqgan.core.plain import JsonObject

# libyaml, where there is one
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "float", "int", "map", "seq", "str")}
_NULL_TAG = "tag:yaml.org,2002:null"
_NULLS = {"", "~", "null", "Null", "NULL"}
_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}
_INTEGER = re.compile(r"[-+]?[0-9]+(_[0-9]+)*")
_HEXADECIMAL = re.compile(r"[-+]?0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MOST_DIGITS = 400  # more than any float has; Python itself refuses thousands
_MOST_LEVELS, _MOST_NODES = 40, 10_000


def parse_yaml(text: str, source: str, plain: Callable[[str], object] = str) -> object:
    """The tree of a document: dictionaries, lists, text, None; None if it is empty.

    `plain` reads what stands without quotation marks. Raises `UserError`, beginning with `source`.
    """
    try:
        reader = _Reader(text, plain)
        tree = reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UserError(
            f"{source}: not readable as YAML ({where}{error.problem}); correct it"
        ) from None
    except (yaml.reader.ReaderError, UnicodeEncodeError) as error:
        position = error.start if isinstance(error, UnicodeEncodeError) else error.position
        raise UserError(
            f"{source}: not readable as YAML (character {position + 1} is none that text has); "
            "remove it"
        ) from None
    return tree


def read_scalar(text: str) -> object:
    """The number or truth value that a text spells, else the text."""
    number = text.replace("_", "")
    if len(number) > _MOST_DIGITS:
        return text
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    if _INTEGER.fullmatch(text):
        return int(number)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        return float(number)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def format_yaml(tree: JsonObject) -> str:
    """A tree of dictionaries, lists, text, numbers, truth values and None as YAML, in its order."""
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


class _Dumper(_SafeDumper):  # type: ignore[misc]
    """Text that spells a number or a truth value stands in quotation marks."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.Node:
        style = None if read_scalar(text) is text else "'"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


class _Reader:
    """A tree from the parser's events; a mistake is a `MarkedYAMLError` at its place."""

    def __init__(self, text: str, plain: Callable[[str], object]) -> None:
        self._events = yaml.parse(text, Loader=_Loader)
        self._plain = plain
        self._anchors: dict[str, tuple[object, int]] = {}
        self._nodes = 0

    def document(self) -> object:
        next(self._events)  # the stream begins
        if isinstance(next(self._events), StreamEndEvent):
            return None
        tree = self._node(next(self._events), 0)
        while not isinstance(event := next(self._events), StreamEndEvent):
            if not isinstance(event, DocumentEndEvent):
                raise _mistake("a second document begins here", event)
        return tree

    def _node(self, event: Event, level: int) -> object:
        before = self._nodes
        self._nodes += 1
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if event.tag not in _TAGS | {_NULL_TAG, None, "!"}:
            raise _mistake(f"the tag {event.tag.rpartition(':')[2]!r} is unknown here", event)
        if level > _MOST_LEVELS:
            raise _mistake(f"nested more than {_MOST_LEVELS} levels deep", event)
        value = self._value(event, level)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._nodes - before
        return value

    def _value(self, event: Event, level: int) -> object:
        if isinstance(event, SequenceStartEvent):
            items = []
            while not isinstance(item := next(self._events), SequenceEndEvent):
                items.append(self._node(item, level + 1))
            return items
        if isinstance(event, MappingStartEvent):
            return self._mapping(level)
        if event.tag == _NULL_TAG or (event.implicit[0] and event.value in _NULLS):
            return None
        return self._plain(event.value) if event.implicit[0] else event.value

    def _mapping(self, level: int) -> JsonObject:
        own: JsonObject = {}
        merged: JsonObject = {}
        while not isinstance(key := next(self._events), MappingEndEvent):
            if not isinstance(key, ScalarEvent):
                raise _mistake("expected a name before the colon", key)
            value = self._node(next(self._events), level + 1)
            if key.value == "<<" and isinstance(value, dict):
                merged |= value
                continue
            if key.value in own:
                raise _mistake(f"the key {key.value!r} stands here twice", key)
            own[key.value] = value
        return merged | own

    def _alias(self, event: AliasEvent) -> object:
        if event.anchor not in self._anchors:
            raise _mistake(f"the alias {event.anchor!r} stands for nothing before it", event)
        value, nodes = self._anchors[event.anchor]
        self._nodes += nodes
        if self._nodes > _MOST_NODES:
            raise _mistake(f"aliases make more than {_MOST_NODES} values of it", event)
        return value


def _mistake(problem: str, event: Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
