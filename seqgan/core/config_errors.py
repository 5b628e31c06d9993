"""Errors of validation as one line that names field, value and remedy, in words of the YAML."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from seqgan.core.annotations import alternatives, child, fields_of, tagged_member, tags_of
from seqgan.core.errors import did_you_mean
from seqgan.core.renamed import new_key, new_name

Location = tuple[int | str, ...]
"""Where pydantic found an error: keys, positions in lists, and the alternatives that it tried."""


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first validation error as one line that names field, value and remedy."""
    details = _one_each(error.errors(), model)
    first = next((each for each in details if _is_renamed(each, model)), details[0])
    location = first["loc"]
    field = _dotted(location, model)
    kind, value = first["type"], first.get("input")
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    if kind == "extra_forbidden":
        siblings = fields_of(_annotation_at(model, location[:-1]))
        if (now := new_key(field)) is not None:
            return f"{field}: has another name now; write {now}"
        key = str(location[-1])
        hint = did_you_mean(key, siblings)
        if len(location) > 1 and key in fields_of(model):
            hint = f"; '{key}' belongs to the top level;"
        known = ", ".join(siblings)
        return f"{field}={shown(value)}: unknown key{hint or ';'} known keys: {known}{more}"
    if kind == "extension":
        context = first.get("ctx", {})
        key = field if isinstance(value, str) else f"{field}.name"
        return f"{key}={shown(context['path'])}: {context['why']}{more}"
    if kind == "missing":
        return f"{field}: missing; add it to the configuration{more}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        context = first.get("ctx", {})
        expected = [tag.strip(" '") for tag in context.get("expected_tags", "").split(",")]
        if kind == "union_tag_not_found":
            return (
                f"{field}: needs a 'name'{_choose(tags_of(_annotation_at(model, location)))}{more}"
            )
        tag = str(context.get("tag"))
        if (now := new_name(field, tag)) is not None:
            return f"{field}.name={tag}: has another name now; write {now}"
        return (
            f"{field}.name={shown(tag)}: unknown name{did_you_mean(tag, expected)}"
            f"{_choose(expected)}{more}"
        )
    if kind == "literal_error":
        context = first.get("ctx", {})
        expected = [
            word.strip(" '") for word in context["expected"].replace(" or ", ",").split(",")
        ]
        hint = did_you_mean(str(value), expected)
        return f"{field}={shown(value)}: unknown{hint}{_choose(expected)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{field}={shown(value)}: is no section; {_keys_at(model, location, field)}{more}"
    message = first["msg"].removeprefix("Value error, ").replace(" after validation", "")
    if kind == "value_error":  # a cross-field check: it names the fields and the remedy itself
        return f"{field}: {message}{more}" if field else f"{message}{more}"
    return f"{field}={shown(value)}: {message[0].lower()}{message[1:]}{more}"


def shown(value: object) -> str:
    """A value for a message, of bearable length."""
    if value is None:
        return "null"
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 200 else f"{text[:100]}…{text[-20:]}"


def _one_each(details: Sequence[ErrorDetails], model: type[BaseModel]) -> list[ErrorDetails]:
    """The errors, without those of a field's other alternatives: of text or a list, where a list
    was given, only what is wrong with it as a list."""
    by_field: dict[str, list[tuple[bool, ErrorDetails]]] = {}
    for detail in details:
        steps = list(_walk(detail["loc"], model))
        tried = next((i for i, (_, is_key) in enumerate(steps) if not is_key), len(steps))
        place = ".".join(str(part) for part, _ in steps[:tried])
        is_other_type = tried == len(steps) - 1 and detail["type"].endswith("_type")
        by_field.setdefault(place, []).append((is_other_type, detail))
    kept = []
    for group in by_field.values():
        kept += [each for is_other_type, each in group if not is_other_type] or [group[0][1]]
    return kept


def _keys_at(model: type[BaseModel], location: Location, field: str) -> str:
    """What a person can write at a section."""
    annotation = _annotation_at(model, location)
    if tags := tags_of(annotation):
        return f"give its name, as in {field}.name={tags[0]}{_choose(tags)}"
    if known := fields_of(annotation):
        return f"give its keys, as in {field}.{known[0]}=…; known keys: {', '.join(known)}"
    return f"give keys with values, as in {field}={{key: value}}"


def _is_renamed(error: ErrorDetails, model: type[BaseModel]) -> bool:
    """Whether it is about a key of an earlier version, which explains the other errors."""
    return error["type"] == "extra_forbidden" and bool(new_key(_dotted(error["loc"], model)))


def _choose(expected: list[str]) -> str:
    return f"; choose from: {', '.join(expected)}" if expected and expected[0] else ""


def _dotted(location: Location, model: type[BaseModel]) -> str:
    """A pydantic location as a dotted key."""
    return ".".join(str(part) for part, is_key in _walk(location, model) if is_key)


def _annotation_at(model: type[BaseModel], location: Location) -> object:
    node: object = model
    for part in location:
        node, _ = _step(node, part)
    return node


def _walk(location: Location, model: type[BaseModel]) -> Iterator[tuple[int | str, bool]]:
    """Each part of a location but names of union members, and whether it is a person's key: what
    is none stands for an alternative of a field, such as `str` of text or a list."""
    node: object = model
    for part in location:
        is_name = tagged_member(node, part) is not None
        node, is_key = _step(node, part)
        if not is_name:
            yield part, is_key


def _step(node: object, part: int | str) -> tuple[object, bool]:
    """The annotation that a part of a location leads to, and whether it is a person's key."""
    member = tagged_member(node, part)
    if member is not None:
        return member, False
    if isinstance(part, int) or len(alternatives(node)) < 2:
        return child(node, part), True
    named = [kind for kind in alternatives(node) if getattr(kind, "__name__", "") == part]
    return (named[0] if named else Any), False
