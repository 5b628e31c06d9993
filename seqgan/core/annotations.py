"""What the annotation of a configuration's field admits, looked up without a value."""

import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from seqgan.core.extensions import is_import_path, load_class


def alternatives(annotation: object) -> list[Any]:
    """The types that an annotation admits besides None."""
    if get_origin(annotation) is Annotated:
        return alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in alternatives(part)]
    return [] if annotation is type(None) else [annotation]


def members(annotation: object) -> list[Any]:
    """The classes that a (nested, annotated, optional) annotation can hold."""
    if hasattr(annotation, "model_fields") or get_origin(annotation) is None:
        return [annotation]
    return [leaf for argument in get_args(annotation) for leaf in members(argument)]


def fields_of(annotation: object) -> list[str]:
    """The keys of the sections that an annotation admits."""
    return [name for member in members(annotation) for name in _fields(member)]


def tags_of(annotation: object) -> list[str]:
    """The names of a union whose members have names."""
    named = [_fields(member)["name"] for member in members(annotation) if "name" in _fields(member)]
    return [tag for field in named for tag in get_args(field.annotation)]


def tagged_member(annotation: object, name: int | str) -> object:
    """The member of a union that has this name, or is found at this import path; else None."""
    if hasattr(annotation, "model_fields") or not isinstance(name, str):
        return None
    for member in members(annotation):
        if "name" in _fields(member) and name in get_args(_fields(member)["name"].annotation):
            return member
    return load_class(name) if is_import_path(name) and tags_of(annotation) else None


def child(annotation: object, key: int | str) -> object:
    """The annotation below a key or a position; None where there is no such key."""
    if isinstance(key, int):
        return annotation
    owners = [member for member in members(annotation) if key in _fields(member)]
    return _fields(owners[0])[key].annotation if owners else None


def _fields(member: object) -> dict[str, FieldInfo]:
    found: dict[str, FieldInfo] = getattr(member, "model_fields", {})
    return found
