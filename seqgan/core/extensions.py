"""One's own parts by import path: `estimator: {name: my_lab.estimators:SignReinforceConfig, …}`.

A union of configuration classes that is marked with `ByName()` takes the name of a member, or the
import path MODULE:CLASS of a class with the members' common base, installed or in the current
folder; importing it runs its code. The section is validated as for a member and keeps the path in
`name`.
"""

import importlib
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, Union

from pydantic import (
    BaseModel,
    Field,
    GetCoreSchemaHandler,
    TypeAdapter,
    ValidationInfo,
    create_model,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from seqgan.core.errors import did_you_mean


class ByName:
    """Annotates a union whose members `name` tells apart; see the module's docstring.

    PenaltyConfig = Annotated[R1Config | WeightClipConfig, ByName()]
    """

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        shipped = tuple(_classes(source))

        def validate(
            value: object, handler: Callable[[object], object], info: ValidationInfo
        ) -> object:
            if isinstance(value, BaseModel) and type(value) not in shipped:
                value = {**dict(value), "name": _path_of(value)}  # an object made in Python
            name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
            if not is_import_path(name):
                return handler(value)
            extension = load_class(str(name), _common_base(shipped), _common_builders(shipped))
            return _with_member(shipped, extension).validate_python(value, context=info.context)

        union: Any = Union[shipped]  # noqa: UP007 (the classes are known at run time only)
        return core_schema.with_info_wrap_validator_function(
            validate,
            handler.generate_schema(Annotated[union, Field(discriminator="name")]),
            serialization=core_schema.simple_ser_schema("any"),
        )


def is_import_path(name: object) -> bool:
    """Whether a name is meant as MODULE:CLASS."""
    return isinstance(name, str) and ":" in name


def load_class(
    path: str, base: type[BaseModel] = BaseModel, methods: frozenset[str] = frozenset()
) -> type[BaseModel]:
    """The configuration class at an import path, with the path as its `name`.

    Raises a `PydanticCustomError` where there is none, or where it is no subclass of `base` with
    these methods.
    """
    found = load_object(path)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise _refused(
            path,
            f"is no subclass of {base.__name__}; derive it from {base.__module__}.{base.__name__}",
        )
    missing = sorted({*found.__abstractmethods__, *methods.difference(dir(found))})
    if missing:
        raise _refused(
            path, f"has no method {missing[0]}; write it as shipped parts of its kind do"
        )
    return _named(found, path)


def check_callable(path: str) -> str:
    """The path. Raises a `PydanticCustomError` where it leads to nothing that can be called."""
    if not callable(load_object(path)):
        raise _refused(path, "is no function and no class; name one")
    return path


def load_object(path: str) -> Any:
    """What an import path leads to. Raises a `PydanticCustomError` where it leads nowhere."""
    if re.fullmatch(r"\w+(\.\w+)*:\w+", path) is None:
        raise _refused(path, "is no import path; write MODULE:CLASS, as in my_lab.estimators:Mine")
    module_name, _, attribute = path.partition(":")
    module = _import(path, module_name)
    if not hasattr(module, attribute):
        place = getattr(module, "__file__", None) or module_name
        hint = did_you_mean(attribute, vars(module)) or "; define it there, or correct the name"
        raise _refused(path, f"{place} has no {attribute}{hint}")
    return getattr(module, attribute)


def _import(path: str, name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last: a file here does not hide an installed module
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _refused(path, f"importing it failed{where_it_failed(error)}") from error
        raise _refused(
            path,
            f"no module {error.name} is installed or in {here}; run from the folder that holds it, "
            "or add that folder to PYTHONPATH",
        ) from error
    except (Exception, SystemExit) as error:
        raise _refused(path, f"importing it failed{where_it_failed(error)}") from error


def where_it_failed(error: BaseException) -> str:
    """Where in a person's file something failed, and how: ` in FILE, line N: ValueError: why`."""
    place = ""
    if isinstance(error, SyntaxError) and error.filename:
        place = f" in {error.filename}, line {error.lineno}"
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame)]
        if frames:
            place = f" in {frames[-1].filename}, line {frames[-1].lineno}"
    reason = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{place}: {type(error).__name__}: {reason.partition(chr(10))[0]}"


_LIBRARIES = (
    "<frozen ",
    str(Path(__file__).parents[1]) + os.sep,
    *(sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib", "platlib")),
)


def _is_own(frame: traceback.FrameSummary) -> bool:
    return not frame.filename.startswith(_LIBRARIES)


def _refused(path: str, why: str) -> PydanticCustomError:
    return PydanticCustomError("extension", "{why}", {"why": why, "path": path})


def _path_of(value: BaseModel) -> str:
    """The import path of an object's class."""
    stated = getattr(value, "name", None)
    return (
        str(stated)
        if is_import_path(stated)
        else f"{type(value).__module__}:{type(value).__name__}"
    )


@cache
def _named(found: type[BaseModel], path: str) -> type[BaseModel]:
    """The class with its import path as the only value of `name`."""
    name: Any = Literal[path]
    fields: dict[str, Any] = {"name": (name, path)}
    named: type[BaseModel] = create_model(
        found.__name__, __base__=found, __module__=found.__module__, __doc__=found.__doc__, **fields
    )
    return named


@cache
def _with_member(shipped: tuple[type, ...], extension: type[BaseModel]) -> TypeAdapter[BaseModel]:
    """Validates as if the extension stood in the union: errors have the same locations."""
    union: Any = Union[(*shipped, extension)]
    return TypeAdapter(Annotated[union, Field(discriminator="name")])


def _common_base(classes: tuple[type[BaseModel], ...]) -> type[BaseModel]:
    """The nearest class that all of them are, or are derived from."""
    first, *others = classes
    return next(base for base in first.__mro__ if all(issubclass(one, base) for one in others))


def _common_builders(classes: tuple[type[BaseModel], ...]) -> frozenset[str]:
    """The methods `build…` that all of them have."""
    return frozenset.intersection(
        *(frozenset(name for name in dir(one) if name.startswith("build")) for one in classes)
    )


def _classes(union: object) -> list[type[BaseModel]]:
    """The members of a union, of those of its members that are unions too."""
    if isinstance(union, type):
        return [union] if issubclass(union, BaseModel) else []
    return [found for part in getattr(union, "__args__", ()) for found in _classes(part)]
