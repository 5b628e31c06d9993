"""Configuration: YAML plus dotted overrides, validated into frozen pydantic models.

Every package keeps its own models in its `config.py`; `seqgan/experiment.py` joins them into
the tree. These modules never import torch, so that a configuration is checked in a blink and
nothing is written when it is wrong.

An override whose value is a mapping *replaces* the node it names: `estimator={name: soft_gumbel}`
leaves no field of the former estimator behind.
"""

import json
import re
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from seqgan.core.errors import UserError, did_you_mean
from seqgan.core.files import read_text
from seqgan.core.numbers import check_numbers
from seqgan.core.renamed import new_key, new_name
from seqgan.core.yaml_text import parse_yaml, read_scalar


class Config(BaseModel):
    """Base of every configuration class: unknown keys and loose types are errors.

    The string under a field is its documentation; `seqgan config` prints it.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _read_scalars(cls, data: Any, info: ValidationInfo) -> Any:
        """What was typed becomes a number or a truth value where the field is none of text."""
        if info.context is not _TYPED or not isinstance(data, dict):
            return data
        fields = cls.model_fields
        return {
            key: _read_as(value, fields[key].annotation if key in fields else None)
            for key, value in data.items()
        }

    @field_validator("*")
    @classmethod
    def _numbers_in_range(cls, value: Any) -> Any:
        return check_numbers(value)


def _check_name(name: str) -> str:
    if re.fullmatch(r"\w[\w.-]{,99}", name) is None:
        raise PydanticCustomError(
            "folder_name",
            "names no folder; use up to 100 letters, digits, '_', '-' and '.', and begin with a "
            "letter, a digit or '_'",
        )
    return name


FolderName = Annotated[str, AfterValidator(_check_name)]
"""A name that leads into no other folder, and hides none."""

ConfigT = TypeVar("ConfigT", bound=Config)

_TYPED = {"from": "text"}
"""The context of a validation whose scalars are text."""


def read_yaml(path: Path, plain: Callable[[str], Any] = str) -> DictConfig:
    """Read a YAML mapping; scalars stay text, or become what `plain` makes of them.

    Raises `UserError` where the file is missing or is not one.
    """
    if not path.exists() or path.is_dir():
        raise UserError(f"{path}: no such configuration file; see configs/ for examples")
    tree = parse_yaml(read_text(path), str(path), plain)
    if not isinstance(tree, dict | None):
        found = "a list" if isinstance(tree, list) else "text"
        raise UserError(f"{path}: expected 'key: value' lines at the top level, found {found}")
    try:
        return OmegaConf.create(tree or {})
    except OmegaConfBaseException as error:
        raise UserError(f"{path}: {reason(error)}; write \\${{ for a plain ${{") from error


def apply_overrides(tree: DictConfig, overrides: list[str]) -> DictConfig:
    """Return a copy of `tree` with each `a.b=c` set; list items are `a[0].b=c` or `a.0.b=c`."""
    tree = tree.copy()
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise UserError(f"override {_shown(override)}: write it as key=value, e.g. seed=1")
        value = _read_override(text.strip(), f"override {_shown(override)}")
        try:
            set_node(tree, key, value)
        except KEY_ERRORS as error:
            raise UserError(
                f"override {_shown(override)}: cannot be applied ({reason(error)})"
            ) from error
    return tree


def _read_override(text: str, source: str) -> Any:
    """YAML in brackets or quotation marks; else the text itself, with whatever signs it has."""
    if text[:1] in ("[", "{", "'", '"'):
        return parse_yaml(text, source)
    return None if text in ("", "~", "null") else text


KEY_ERRORS = (
    OmegaConfBaseException,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    RecursionError,
)
"""What OmegaConf raises for a key that a tree has no place for."""


def set_node(tree: DictConfig, key: str, value: Any) -> None:
    """Set the node at a dotted key, replacing mappings instead of merging into them."""
    OmegaConf.update(tree, key, value, merge=False, force_add=True)


def validate(model: type[ConfigT], tree: DictConfig | ListConfig | dict, source: str) -> ConfigT:
    """Validate a tree into `model`; `source` (a file name) opens the error message."""
    try:
        plain = tree if isinstance(tree, dict) else OmegaConf.to_container(tree, resolve=True)
        _check_text(plain, source)
        return model.model_validate(plain, context=_TYPED)
    except OmegaConfBaseException as error:
        raise UserError(f"{source}: {reason(error)}") from error
    except ValidationError as error:
        raise UserError(f"{source}: {_explain(error, model)}") from error


def _check_text(node: Any, source: str, place: str = "") -> None:
    """Refuse text that no file name, no file and no terminal can hold."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            _check_text(key, source, place)
            _check_text(value, source, f"{place}.{key}" if place else str(key))
    elif isinstance(node, str) and ("\0" in node or any("\ud800" <= c <= "\udfff" for c in node)):
        raise UserError(
            f"{source}: {place}={_shown(node)}: holds a character that is no text (NUL, or half of "
            "a pair); remove it"
        )


def _shown(value: Any) -> str:
    """A value for a message, of bearable length."""
    if value is None:
        return "null"
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 200 else f"{text[:100]}…{text[-20:]}"


def reason(error: Exception) -> str:
    """What OmegaConf says, without its account of where."""
    if isinstance(error, ValueError) and str(error).startswith("invalid literal for int"):
        return "the entries of a list have numbers, as in schedule.0.repeat"
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


def _read_as(value: Any, annotation: Any) -> Any:
    """Text as the annotation asks, at any depth outside of nested configurations."""
    kinds = _alternatives(annotation)
    if isinstance(value, list):
        items = [get_args(kind)[0] for kind in kinds if get_origin(kind) is list]
        return [_read_as(item, items[0]) for item in value] if items else value
    if isinstance(value, dict):
        values = [get_args(kind)[1] for kind in kinds if get_origin(kind) is dict]
        return {key: _read_as(item, values[0]) for key, item in value.items()} if values else value
    if not isinstance(value, str) or str in kinds or Any in kinds:
        return value
    words = [kind for kind in kinds if get_origin(kind) is Literal]
    if words and (len(words) == len(kinds) or any(value in get_args(kind) for kind in words)):
        return value
    return read_scalar(value)


def _alternatives(annotation: Any) -> list[Any]:
    """The types that an annotation admits besides None."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in _alternatives(part)]
    return [] if annotation is type(None) else [annotation]


def _explain(error: ValidationError, model: type[Config]) -> str:
    """The first validation error as one line that names field, value and remedy."""
    details = _told_once(error.errors(), model)
    first = next((each for each in details if _is_renamed(each, model)), details[0])
    location = first["loc"]
    field = _dotted(location, model)
    kind, value = first["type"], first.get("input")
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    if kind == "extra_forbidden":
        siblings = _fields_at(model, location[:-1])
        if (now := new_key(field)) is not None:
            return f"{field}={_shown(value)}: has another name now; write {now}{more}"
        hint = did_you_mean(str(location[-1]), siblings)
        known = ", ".join(siblings)
        return f"{field}={_shown(value)}: unknown key{hint or ';'} known keys: {known}{more}"
    if kind == "missing":
        return f"{field}: missing; add it to the configuration{more}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        context = first.get("ctx", {})
        expected = [tag.strip(" '") for tag in context.get("expected_tags", "").split(",")]
        if kind == "union_tag_not_found":
            return f"{field}: needs a 'name'{_choose(_tags_at(model, location))}{more}"
        tag = str(context.get("tag"))
        if (now := new_name(field, tag)) is not None:
            return f"{field}.name={_shown(tag)}: has another name now; write {now}{more}"
        return (
            f"{field}.name={_shown(tag)}: unknown name{did_you_mean(tag, expected)}"
            f"{_choose(expected)}{more}"
        )
    if kind == "literal_error":
        context = first.get("ctx", {})
        expected = [
            word.strip(" '") for word in context["expected"].replace(" or ", ",").split(",")
        ]
        hint = did_you_mean(str(value), expected)
        return f"{field}={_shown(value)}: unknown{hint}{_choose(expected)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{field}={_shown(value)}: is no section; {_keys_at(model, location, field)}{more}"
    message = first["msg"].removeprefix("Value error, ").replace(" after validation", "")
    if kind == "value_error":  # a cross-field check: it names the fields and the remedy itself
        return f"{field}: {message}{more}" if field else f"{message}{more}"
    return f"{field}={_shown(value)}: {message[0].lower()}{message[1:]}{more}"


def _told_once(details: list[Any], model: type[Config]) -> list[Any]:
    """Pydantic's errors, without those of the other alternatives of a field: of a number or a
    section, where a section was given, only what is wrong with it as a section."""
    groups: dict[str, list[tuple[bool, Any]]] = {}
    for detail in details:
        location = detail["loc"]
        depth = _alternative_at(location, model)
        place = _dotted(location[:depth], model)
        other_kind = depth == len(location) - 1 and detail["type"].endswith("_type")
        groups.setdefault(place, []).append((other_kind, detail))
    told = []
    for group in groups.values():
        told += [detail for other_kind, detail in group if not other_kind] or [group[0][1]]
    return told


def _keys_at(model: type[Config], location: tuple[int | str, ...], field: str) -> str:
    """What a person can write at a section."""
    tags = _tags_at(model, location)
    if tags:
        return f"give its name, as in {field}.name={tags[0]}{_choose(tags)}"
    known = _fields_at(model, location)
    if known:
        return f"give its keys, as in {field}.{known[0]}=…; known keys: {', '.join(known)}"
    return f"give keys with values, as in {field}={{key: value}}"


def _is_renamed(error: ErrorDetails, model: type[Config]) -> bool:
    """Whether it is about a key of an earlier version, which explains the other errors."""
    return error["type"] == "extra_forbidden" and bool(new_key(_dotted(error["loc"], model)))


def _choose(expected: list[str]) -> str:
    return f"; choose from: {', '.join(expected)}" if expected and expected[0] else ""


def _dotted(location: tuple[int | str, ...], model: type[Config]) -> str:
    """A pydantic location as a dotted key; what it says of alternatives is left out."""
    parts: list[str] = []
    node: Any = model
    for part in location:
        if _branch(node, part) is None:
            parts.append(str(part))
        node = _below(node, part)
    return ".".join(parts)


def _alternative_at(location: tuple[int | str, ...], model: type[Config]) -> int | None:
    """Where a location says which alternative of a field without names was tried; None: nowhere."""
    node: Any = model
    for position, part in enumerate(location):
        if _tagged_member(node, part) is None and _branch(node, part) is not None:
            return position
        node = _below(node, part)
    return None


def _fields_at(model: type[Config], location: tuple[int | str, ...]) -> list[str]:
    node: Any = model
    for part in location:
        node = _below(node, part)
    return [name for member in _members(node) for name in getattr(member, "model_fields", {})]


def _tags_at(model: type[Config], location: tuple[int | str, ...]) -> list[str]:
    """The names that the discriminated union at a location knows."""
    node: Any = model
    for part in location:
        node = _below(node, part)
    members = [member for member in _members(node) if "name" in getattr(member, "model_fields", {})]
    return [tag for member in members for tag in get_args(member.model_fields["name"].annotation)]


def _members(annotation: Any) -> list[Any]:
    """The classes a (nested, annotated, optional) annotation can hold."""
    if hasattr(annotation, "model_fields") or get_origin(annotation) is None:
        return [annotation]
    return [leaf for argument in get_args(annotation) for leaf in _members(argument)]


def _below(node: Any, part: int | str) -> Any:
    """The annotation that a part of a pydantic location leads to."""
    branch = _branch(node, part)
    return _child(node, part) if branch is None else branch


def _branch(node: Any, part: int | str) -> Any:
    """The alternative that `part` stands for, where it is none of a person's keys; else None.

    Of a field whose sections have names it is the tag, of others pydantic's word for a type.
    """
    tagged = _tagged_member(node, part)
    alternatives = _alternatives(node)
    if tagged is not None or len(alternatives) < 2 or isinstance(part, int):
        return tagged
    named = [kind for kind in alternatives if getattr(kind, "__name__", "") == part]
    return named[0] if named else Any


def _tagged_member(node: Any, part: int | str) -> Any:
    """The member of a discriminated union that `part` names as its tag, or None."""
    if hasattr(node, "model_fields"):
        return None
    for member in _members(node):
        fields = getattr(member, "model_fields", {})
        if "name" in fields and part in get_args(fields["name"].annotation):
            return member
    return None


def _child(node: Any, part: int | str) -> Any:
    if isinstance(part, int):
        return node
    for member in _members(node):
        fields = getattr(member, "model_fields", {})
        if part in fields:
            annotation = fields[part].annotation
            return annotation
    return None


def describe(config: Config, indent: int = 0) -> list[str]:
    """The resolved tree as YAML lines, each field behind a comment with its documentation."""
    pad = "  " * indent
    lines = []
    for key, field in type(config).model_fields.items():
        if field.description:
            lines += [f"{pad}# {line.strip()}" for line in field.description.splitlines()]
        lines += _describe_value(key, getattr(config, key), indent)
    return lines


def _describe_value(key: str, value: Any, indent: int) -> list[str]:
    pad = "  " * indent
    plain = value.model_dump() if isinstance(value, Config) else None
    if isinstance(plain, dict):
        return [f"{pad}{key}:", *describe(value, indent + 1)]
    value = value if plain is None else plain  # a schedule that is a plain number
    if isinstance(value, list) and any(isinstance(item, Config) for item in value):
        lines = [f"{pad}{key}:"]
        for item in value:
            inner = describe(item, indent + 2)
            first_field = next(
                i for i, line in enumerate(inner) if "#" not in line[: indent * 2 + 5]
            )
            inner[first_field] = f"{pad}  - {inner[first_field].strip()}"
            lines += inner
        return lines
    flow = OmegaConf.to_yaml({"value": value}).removeprefix("value:").strip()
    if "\n" in flow or isinstance(value, list | dict):
        flow = json.dumps(value)
    return [f"{pad}{key}: {flow}"]
