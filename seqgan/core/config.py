"""Configuration: YAML plus dotted overrides, validated into frozen pydantic models.

Every package keeps its own models in its `config.py`; `seqgan/experiment.py` joins them into
the tree. These modules never import torch, so that a configuration is checked in a blink and
nothing is written when it is wrong.

An override whose value is a mapping *replaces* the node it names: `estimator={name: soft_gumbel}`
leaves no field of the former estimator behind.
"""

import json
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, ValidationError
from yaml import YAMLError

from seqgan.core.errors import UserError, did_you_mean


class Config(BaseModel):
    """Base of every configuration class: unknown keys and loose types are errors.

    The string under a field is its documentation; `seqgan config` prints it.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )


ConfigT = TypeVar("ConfigT", bound=Config)


def read_yaml(path: Path) -> DictConfig:
    """Read a YAML mapping. Raises `UserError` where the file is missing or is not one."""
    if not path.is_file():
        raise UserError(f"{path}: no such configuration file; see configs/ for examples")
    try:
        tree = OmegaConf.load(path)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        first_line = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not readable as YAML ({first_line})") from error
    if not isinstance(tree, DictConfig):
        raise UserError(f"{path}: expected 'key: value' lines at the top level, found a list")
    return tree


def apply_overrides(tree: DictConfig, overrides: list[str]) -> DictConfig:
    """Return a copy of `tree` with each `a.b=c` set; list items are `a[0].b=c` or `a.0.b=c`."""
    tree = tree.copy()
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise UserError(f"override '{override}': write it as key=value, e.g. seed=1")
        try:
            value = OmegaConf.create(f"value: {text}").value
            set_node(tree, key, value)
        except (YAMLError, OmegaConfBaseException, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise UserError(f"override '{override}': cannot be applied ({reason})") from error
    return tree


def set_node(tree: DictConfig, key: str, value: Any) -> None:
    """Set the node at a dotted key, replacing mappings instead of merging into them."""
    OmegaConf.update(tree, key, value, merge=False, force_add=True)


def validate(model: type[ConfigT], tree: DictConfig | ListConfig | dict, source: str) -> ConfigT:
    """Validate a tree into `model`; `source` (a file name) opens the error message."""
    try:
        plain = tree if isinstance(tree, dict) else OmegaConf.to_container(tree, resolve=True)
        return model.model_validate(plain)
    except OmegaConfBaseException as error:
        raise UserError(f"{source}: {' '.join(str(error).split())[:200]}") from error
    except ValidationError as error:
        raise UserError(f"{source}: {_explain(error, model)}") from error


def _explain(error: ValidationError, model: type[Config]) -> str:
    """The first validation error as one line that names field, value and remedy."""
    details = error.errors()
    first = details[0]
    location = first["loc"]
    field = _dotted(location, model)
    kind, value = first["type"], first.get("input")
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    if kind == "extra_forbidden":
        siblings = _fields_at(model, location[:-1])
        hint = did_you_mean(str(location[-1]), siblings)
        known = ", ".join(siblings)
        return f"{field}={value!r}: unknown key{hint or ';'} known keys: {known}{more}"
    if kind == "missing":
        return f"{field}: missing; add it to the configuration{more}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        context = first.get("ctx", {})
        expected = [tag.strip(" '") for tag in context.get("expected_tags", "").split(",")]
        if kind == "union_tag_not_found":
            return f"{field}: needs a 'name'{_choose(_tags_at(model, location))}{more}"
        tag = str(context.get("tag"))
        return (
            f"{field}.name={tag!r}: unknown name{did_you_mean(tag, expected)}"
            f"{_choose(expected)}{more}"
        )
    if kind == "literal_error":
        context = first.get("ctx", {})
        expected = [
            word.strip(" '") for word in context["expected"].replace(" or ", ",").split(",")
        ]
        return f"{field}={value!r}: unknown{did_you_mean(str(value), expected)}{_choose(expected)}"
    message = first["msg"].removeprefix("Value error, ")
    if kind == "value_error":  # a cross-field check: it names the fields and the remedy itself
        return f"{field}: {message}{more}" if field else f"{message}{more}"
    return f"{field}={value!r}: {message[0].lower()}{message[1:]}{more}"


def _choose(expected: list[str]) -> str:
    return f"; choose from: {', '.join(expected)}" if expected and expected[0] else ""


def _dotted(location: tuple[int | str, ...], model: type[Config]) -> str:
    """A pydantic location as a dotted key; the tags of discriminated unions are left out."""
    parts: list[str] = []
    node: Any = model
    for position, part in enumerate(location):
        last = position == len(location) - 1
        tagged = _tagged_member(node, part)
        if tagged is not None and not (last and len(location) == 1):
            node = tagged
            continue
        parts.append(str(part))
        node = _child(node, part)
    return ".".join(parts)


def _fields_at(model: type[Config], location: tuple[int | str, ...]) -> list[str]:
    node: Any = model
    for part in location:
        tagged = _tagged_member(node, part)
        node = tagged if tagged is not None else _child(node, part)
    return [name for member in _members(node) for name in getattr(member, "model_fields", {})]


def _tags_at(model: type[Config], location: tuple[int | str, ...]) -> list[str]:
    """The names that the discriminated union at a location knows."""
    node: Any = model
    for part in location:
        tagged = _tagged_member(node, part)
        node = tagged if tagged is not None else _child(node, part)
    members = [member for member in _members(node) if "name" in getattr(member, "model_fields", {})]
    return [tag for member in members for tag in get_args(member.model_fields["name"].annotation)]


def _members(annotation: Any) -> list[Any]:
    """The classes a (nested, annotated, optional) annotation can hold."""
    if hasattr(annotation, "model_fields") or get_origin(annotation) is None:
        return [annotation]
    return [leaf for argument in get_args(annotation) for leaf in _members(argument)]


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
    if isinstance(value, Config):
        return [f"{pad}{key}:", *describe(value, indent + 1)]
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
