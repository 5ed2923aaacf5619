"""Where the fields of a record are: read by a typed decoder built from their paths, or one by one from a parsed document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from itertools import repeat
from operator import attrgetter
from typing import Any, NoReturn

import msgspec

from monitor.codecs.leaves import Form, Leaf
from monitor.errors import Poison
from monitor.plan import Path

# What a field may hold for the typed decoder to take it; anything else sends its record down the careful path.
_NUMBER: Any = float | None
_TEXT: Any = str | int | float | bool | None
_VECTOR: Any = list[float] | dict[str, float] | None
_TYPES: dict[Form, Any] = {"number": _NUMBER, "text": _TEXT, "picture": _TEXT, "vector": _VECTOR}

MOST_ROWS = 1 << 17  # in one record
MOST_OBJECTS = 1 << 20  # a record of nothing but {} would take a hundred times its length in memory


class Shape:
    """Reads the same leaves out of every record: one raw JSON value (None = missing) per leaf."""

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self.leaves = tuple(leaves)
        self.model = next((i for i, leaf in enumerate(self.leaves) if leaf.use == "model"), None)
        tree = _tree(self.leaves)
        self.one: msgspec.json.Decoder[Any] | None = None
        if tree is not None:
            self._names: dict[Path, str] = {}
            struct = self._struct(tree, ())
            self.one, self.many = msgspec.json.Decoder(struct), msgspec.json.Decoder(list[struct])  # type: ignore[valid-type]  # built above
            self._getters = [attrgetter(self._attribute(leaf.path)) for leaf in self.leaves]

    def columns(self, rows: Sequence[Any]) -> list[list[Any]]:
        """Raw values per leaf of typed rows."""
        return [list(map(getter, rows)) for getter in self._getters]

    def tuples(self, rows: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Raw values per row of typed rows."""
        return list(zip(*self.columns(rows), strict=True)) if self.leaves else list(repeat((), len(rows)))

    def read(self, document: Any) -> list[tuple[Any, ...]]:
        """Raw values per row of a parsed document: an object is a row, a list of objects that many.

        A path that leads through a list of objects makes a row of each of them and repeats what stands outside the list:
        {"id": 7, "rows": [{"x": 1}, {"x": 2}]} holds two rows.
        """
        if isinstance(document, list):
            if len(document) > MOST_ROWS:
                raise Poison("too_many_rows", f"{len(document)} rows in one record, at most {MOST_ROWS}")
            return [row for element in document for row in self._rows(element)]
        return self._rows(document)

    def _rows(self, document: Any) -> list[tuple[Any, ...]]:
        if not isinstance(document, dict) and any(leaf.path for leaf in self.leaves):
            raise Poison("not_an_object", f"a record is an object or a list of objects, not {_word(document)}")
        plain = self._plain(document)
        if plain is not None:
            return [plain]
        found = [_walk(document, leaf) for leaf in self.leaves]
        lengths = {len(value.values) for value in found if isinstance(value, _Rows)}
        if len(lengths) > 1 or max(lengths) > MOST_ROWS:
            raise Poison("too_many_rows", f"lists of {sorted(lengths)} rows in one record; they must be equally long, at most {MOST_ROWS}")
        columns = [list(map(_whole_text, value.values if isinstance(value, _Rows) else [value] * max(lengths))) for value in found]
        return list(zip(*columns, strict=True))

    def _plain(self, document: Any) -> tuple[Any, ...] | None:
        """The one row of a document without lists on the way to its leaves; None where there are some."""
        found = []
        for leaf in self.leaves:
            node = document
            for key in leaf.path:
                if type(node) is dict:
                    node = node.get(key)
                elif type(node) is list:
                    return None
                else:
                    node = None
                    break
            found.append(_whole_text(node) if type(node) is str else node)
        return tuple(found)

    def _struct(self, tree: dict[str, Any], at: Path) -> type[msgspec.Struct]:
        fields: list[tuple[str, Any, Any]] = []
        for i, (key, below) in enumerate(tree.items()):
            path = (*at, key)
            name = self._names[path] = f"f{i}"
            if isinstance(below, dict):
                struct = self._struct(below, path)
                fields.append((name, struct, msgspec.field(default_factory=struct, name=key)))
            else:
                fields.append((name, below, msgspec.field(default=None, name=key)))
        # gc=False: rows live for one poll and hold no cycles, so the collector need not visit them
        return msgspec.defstruct("Row", fields, gc=False)

    def _attribute(self, path: Path) -> str:
        return ".".join(self._names[path[: i + 1]] for i in range(len(path)))


class _Rows:
    """The values of one leaf in each row of a list inside the record."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values


def _walk(node: Any, leaf: Leaf) -> Any:
    for i, key in enumerate(leaf.path):
        if isinstance(node, list):
            rest = Leaf(leaf.use, leaf.name, leaf.path[i:], leaf.form)
            return _Rows([_inner(element, rest) for element in node])
        if not isinstance(node, dict):
            return None
        node = node.get(key)
    return node


def _inner(element: Any, leaf: Leaf) -> Any:
    found = _walk(element, leaf)
    return found.values if isinstance(found, _Rows) else found  # a list inside a list is a value of a wrong shape


def _whole_text(value: Any) -> Any:
    """Half a character, which Python's parser lets pass, as an escape: everything behind the codec may count on valid text."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) and not value.isascii() else value


def _tree(leaves: Sequence[Leaf]) -> dict[str, Any] | None:
    """Nested keys down to the type of each leaf; None where no typed record can hold them (a leaf inside another leaf)."""
    tree: dict[str, Any] = {}
    for leaf in leaves:
        node = tree
        for key in leaf.path[:-1]:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                return None
        if not leaf.path:
            return None
        wanted, there = _TYPES[leaf.form], node.get(leaf.path[-1])
        if there is not None and there != wanted:
            if isinstance(there, dict) or _VECTOR in (there, wanted):
                return None
            wanted = _TEXT  # one field used both as a number and as a name: text takes both
        node[leaf.path[-1]] = wanted
    return tree


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < 40 else float(digits)


_parse = partial(json.loads, parse_int=_whole)


def parse(value: bytes) -> Any:
    """Any JSON as Python writes it: NaN and Infinity too, which JSON does not know but data frames write.

    >>> parse(b'{"a": "x')
    Traceback (most recent call last):
    monitor.errors.Poison: not_json: Unterminated string at character 6

    Raises Poison with not_utf8, not_json or too_deep.
    """
    try:
        return _parse(value.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Poison("not_utf8", f"byte {error.start} is not UTF-8") from error
    except RecursionError as error:
        raise Poison("too_deep", "objects or lists are nested too deep") from error
    except ValueError as error:
        _not_json(error)


def _not_json(error: ValueError) -> NoReturn:
    where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
    what = error.msg.removesuffix(" starting at") if isinstance(error, json.JSONDecodeError) else "a number that cannot be read"
    raise Poison("not_json", f"{what}{where}") from error


def _word(value: Any) -> str:
    return {"NoneType": "null", "str": "a text", "bool": "true or false", "list": "a list"}.get(type(value).__name__, "a number")
