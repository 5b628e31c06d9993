"""Configuration: YAML plus dotted overrides, validated into frozen pydantic models.

Every package keeps its own models in its `config.py`; `seqgan/experiment.py` joins them. None of
these imports torch, so that a configuration is checked at once, before anything is written.

An override whose value is a mapping *replaces* the node it names: `estimator={name: soft_gumbel}`
leaves no field of the former estimator behind.
"""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from omegaconf import DictConfig, OmegaConf
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
from pydantic_core import PydanticCustomError

from seqgan.core.annotations import alternatives
from seqgan.core.config_errors import explain, shown
from seqgan.core.errors import UserError
from seqgan.core.files import read_text
from seqgan.core.numbers import check_numbers
from seqgan.core.plain import JsonObject
from seqgan.core.yaml_text import format_yaml, parse_yaml, read_scalar


class Config(BaseModel):
    """Base of every configuration class: unknown keys and loose types are errors.

    The string under a field is its documentation; `seqgan config` prints it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _read_scalars(cls, data: object, info: ValidationInfo) -> object:
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
    def _numbers_in_range(cls, value: object) -> object:
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


Tree = JsonObject | DictConfig
"""A configuration that is not validated yet; a `DictConfig` only where values refer to others
(`${seed}`) or are replaced, since making one takes longer than all else of reading a file."""


def read_yaml(path: Path, plain: Callable[[str], object] = str) -> Tree:
    """Read a YAML mapping; scalars stay text, or become what `plain` makes of them.

    Raises `UserError` where the file is missing or is not one.
    """
    if not path.exists() or path.is_dir():
        raise UserError(f"{path}: no such configuration file; see configs/ for examples")
    text = read_text(path)
    tree = parse_yaml(text, str(path), plain)
    if not isinstance(tree, dict | None):
        found = "a list" if isinstance(tree, list) else "text"
        raise UserError(f"{path}: expected 'key: value' lines at the top level, found {found}")
    tree = tree or {}
    if "${" not in text:
        return tree
    try:
        return OmegaConf.create(tree)
    except OmegaConfBaseException as error:
        raise UserError(f"{path}: {reason(error)}; write \\${{ for a plain ${{") from error


def apply_overrides(tree: Tree, overrides: list[str]) -> Tree:
    """`tree`, or a copy with each `a.b=c` set; list items are `a[0].b=c` or `a.0.b=c`."""
    if not overrides:
        return tree
    copy = OmegaConf.create(tree)
    set_overrides(copy, overrides)
    return copy


def set_overrides(tree: DictConfig, overrides: list[str]) -> None:
    """Set each `a.b=c` in `tree` itself."""
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise UserError(f"override {shown(override)}: write it as key=value, e.g. seed=1")
        value = _read_override(text.strip(), f"override {shown(override)}")
        try:
            set_node(tree, key, value)
        except KEY_ERRORS as error:
            raise UserError(
                f"override {shown(override)}: cannot be applied ({reason(error)})"
            ) from error


def _read_override(text: str, source: str) -> object:
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


def set_node(tree: DictConfig, key: str, value: object) -> None:
    """Set the node at a dotted key, replacing mappings instead of merging into them."""
    OmegaConf.update(tree, key, value, merge=False, force_add=True)


def resolved(tree: Tree) -> JsonObject:
    """Plain dictionaries and lists; each `${…}` is what it stands for, else an OmegaConf error."""
    if isinstance(tree, dict):
        return tree
    plain = OmegaConf.to_container(tree, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def validate(model: type[ConfigT], tree: Tree, source: str) -> ConfigT:
    """Validate a tree into `model`; `source` (a file name) opens the error message."""
    try:
        plain = resolved(tree)
        _check_text(plain, source)
        return model.model_validate(plain, context=_TYPED)
    except OmegaConfBaseException as error:
        raise UserError(f"{source}: {reason(error)}") from error
    except ValidationError as error:
        raise UserError(f"{source}: {explain(error, model)}") from error


def _check_text(node: object, source: str, place: str = "") -> None:
    """Refuse text that no file name, no file and no terminal can hold."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            _check_text(key, source, place)
            _check_text(value, source, f"{place}.{key}" if place else str(key))
    elif isinstance(node, str) and ("\0" in node or any("\ud800" <= c <= "\udfff" for c in node)):
        raise UserError(
            f"{source}: {place}={shown(node)}: holds a character that is no text (NUL, or half of "
            "a pair); remove it"
        )


def reason(error: Exception) -> str:
    """What OmegaConf says, without its account of where."""
    if isinstance(error, ValueError) and str(error).startswith("invalid literal for int"):
        return "the entries of a list have numbers, as in schedule.0.repeat"
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


def _read_as(value: object, annotation: object) -> object:
    """Text as the annotation asks, at any depth outside of nested configurations."""
    kinds = alternatives(annotation)
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


@cache
def field_documentation(model: type[BaseModel]) -> dict[str, str]:
    """The string under each field of a class, by the field's name; empty where there is none.

    The source is read when it is asked for: reading that of every class, as pydantic offers to do
    with `use_attribute_docstrings`, takes longer than all else of importing them.
    """
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel and "[" not in base.__name__:
            found |= _strings_under_fields(base)
    return found


def _strings_under_fields(model: type[BaseModel]) -> dict[str, str]:
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    except (OSError, TypeError):  # typed into an interpreter
        return {}
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: _string_in(text)
        for field, text in pairwise([*tree.body, ast.Pass()])
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def _string_in(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        text = statement.value.value
        return inspect.cleandoc(text) if isinstance(text, str) else ""
    return ""


def describe(config: Config, indent: int = 0) -> list[str]:
    """The resolved tree as YAML lines, each field behind a comment with its documentation."""
    pad = "  " * indent
    lines = []
    documented = field_documentation(type(config))
    for key in type(config).model_fields:
        lines += [f"{pad}# {line.strip()}" for line in documented.get(key, "").splitlines()]
        lines += _describe_value(key, getattr(config, key), indent)
    return lines


def _describe_value(key: str, value: Any, indent: int) -> list[str]:
    pad = "  " * indent
    plain = value.model_dump() if isinstance(value, Config) else None
    if isinstance(plain, dict):
        return [f"{pad}{key}:", *describe(value, indent + 1)]
    value = value if plain is None else plain  # a schedule that is a plain number
    if isinstance(value, list) and any(isinstance(item, Config) for item in value):
        items = [item.model_dump() if isinstance(item, Config) else item for item in value]
        if not all(isinstance(item, dict) for item in items):  # schedules, some of them plain
            return [f"{pad}{key}: {json.dumps(items)}"]
        lines = [f"{pad}{key}:"]
        for item in value:
            inner = describe(item, indent + 2)
            first_field = next(
                i for i, line in enumerate(inner) if "#" not in line[: indent * 2 + 5]
            )
            inner[first_field] = f"{pad}  - {inner[first_field].strip()}"
            lines += inner
        return lines
    flow = format_yaml({"value": value}).removeprefix("value:").strip()
    if "\n" in flow or isinstance(value, list | dict):
        flow = json.dumps(value)
    return [f"{pad}{key}: {flow}"]
