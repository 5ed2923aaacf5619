"""Which detectors there are: found by walking the folders, in plug-in files and among installed packages' entry points."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import math
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Literal, TypeAlias, TypeVar, get_type_hints

from detectors import comparators, sequential

ColumnKind: TypeAlias = Literal["numeric", "categorical"]
Family: TypeAlias = Literal["comparator", "sequential"]
T = TypeVar("T")
ENTRY_POINTS = "raincheck.detectors"
MARK = "__raincheck_detector__"
SIMPLE = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}


class PluginError(Exception):
    """A detector that cannot be taken in; `source` is the file or package it comes from."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Registered:
    """A detector: its short id, the kinds of column it serves, and the frozen dataclass of its parameters."""

    id: str
    family: Family
    kinds: tuple[ColumnKind, ...]
    cls: type[Any]

    @property
    def summary(self) -> str:
        """The first sentence of its docstring."""
        return " ".join((self.cls.__doc__ or "").strip().split("\n\n")[0].split())

    @property
    def parameters(self) -> Mapping[str, tuple[type, Any]]:
        """Type and default of each parameter by name."""
        hints = get_type_hints(self.cls)
        return {field.name: (hints[field.name], field.default) for field in fields(self.cls)}

    def make(self, parameters: Mapping[str, Any] | None = None) -> Any:
        """The detector with these parameters, the rest as they are by default.

        Raises:
            ValueError: naming the parameter and what would be right.
        """
        known, given = self.parameters, {}
        for name, value in (parameters or {}).items():
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise ValueError(f"{self.id} has no parameter {name!r}; {has}")
            wanted = known[name][0]
            whole = isinstance(value, int) and not isinstance(value, bool)
            number = whole or (isinstance(value, float) and math.isfinite(value))
            if not {float: number, int: whole, bool: isinstance(value, bool), str: isinstance(value, str)}[wanted]:
                raise ValueError(f"{name} of {self.id} is {SIMPLE[wanted]}, not {value!r:.60}")
            try:
                given[name] = wanted(value)
            except OverflowError:
                raise ValueError(f"{name} of {self.id} is too large") from None
        return self.cls(**given)

    def digest(self, parameters: Mapping[str, Any] | None = None) -> str:
        """Names saved state: the id with a hash of all parameters, so that state of other parameters is refused, not misread.

        >>> discover()["cusum"].digest() == discover()["cusum"].digest({"threshold": 9.0})
        False
        """
        made = self.make(parameters)
        values = {field.name: getattr(made, field.name) for field in fields(self.cls)}
        return f"{self.id}:{hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]}"


def detector(id: str, kinds: Iterable[ColumnKind]) -> Callable[[type[T]], type[T]]:
    """Marks a frozen dataclass as a detector; its fields, each with a default, are its parameters.

    Args:
        id: short and lasting: configurations and saved state hold it.
        kinds: the kinds of column it serves.

    Raises:
        TypeError: if the class is not what `detectors.contract` asks for.
    """
    served = tuple(kinds)

    def mark(cls: type[T]) -> type[T]:
        if not is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # dataclasses' own record
            raise TypeError(f"detector {id!r}: {cls.__name__} is not a frozen dataclass")
        if any(field.default is MISSING for field in fields(cls)):
            raise TypeError(f"detector {id!r}: every parameter has a default")
        family: Family | None = "comparator" if hasattr(cls, "compare") else "sequential" if hasattr(cls, "start") else None
        if family is None:
            raise TypeError(f"detector {id!r}: {cls.__name__} has neither compare(reference, window) nor start(snapshot)")
        setattr(cls, MARK, Registered(id, family, served, cls))
        return cls

    return mark


def marked(module: ModuleType) -> list[Registered]:
    """The detectors that a module defines itself, not those it imports."""
    own = (value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__)
    return [registered for value in own if (registered := vars(value).get(MARK)) is not None]


def load_file(path: str) -> ModuleType:
    """A Python file as a module of its own.

    Raises:
        PluginError: where the file is missing or fails, with the reason.
    """
    name = f"raincheck_plugin_{hashlib.sha256(str(Path(path).resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(path, "is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception | SystemExit):
            raise
        raise PluginError(path, f"fails when it is loaded: {type(error).__name__}: {error!s:.200}") from error
    return module


def discover(plugins: tuple[str, ...] = ()) -> Mapping[str, Registered]:
    """Every detector by its id, in alphabetical order; read-only. A plug-in is loaded again once its file has changed.

    Args:
        plugins: paths of Python files with further detectors.

    Raises:
        PluginError: for a plug-in that fails, or an id that is taken.

    >>> discover()["psi"].kinds
    ('numeric', 'categorical')
    """
    return walk(tuple((path, modified(path)) for path in plugins))


def modified(path: str) -> int:
    """When a file was last written, nanoseconds; 0 where there is none, which loading it will tell."""
    try:
        return Path(path).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


@cache
def walk(plugins: tuple[tuple[str, int], ...]) -> Mapping[str, Registered]:
    """The walk behind `discover`, done once for the same files at the same state."""
    found: dict[str, Registered] = {}
    sources: dict[str, str] = {}

    def take(source: str, module: ModuleType) -> None:
        for registered in marked(module):
            if registered.id in found:
                raise PluginError(source, f"the detector id {registered.id!r} is taken by {sources[registered.id]}")
            found[registered.id], sources[registered.id] = registered, source

    for package in (comparators, sequential):
        for info in pkgutil.iter_modules(package.__path__):
            take(f"{package.__name__}.{info.name}", importlib.import_module(f"{package.__name__}.{info.name}"))
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            module = importlib.import_module(entry.module)
        except Exception as error:
            raise PluginError(entry.value, f"fails when it is loaded: {type(error).__name__}: {error!s:.200}") from error
        take(entry.value, module)
    for path, _ in plugins:
        module = load_file(path)
        if not marked(module):
            raise PluginError(path, "defines no detector: mark a frozen dataclass with @detector(id, kinds=...)")
        take(path, module)
    return MappingProxyType(dict(sorted(found.items())))
