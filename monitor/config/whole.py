"""What must fit together across sections: owners that exist, streams whose records have a model, detectors that are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from detectors.registry import PluginError, Registered, discover
from monitor.config.reading import ABSENT, At, alternatives
from monitor.plan import DetectorUse, Model, State, Stream


def names(tree: Any, section: str) -> list[str]:
    """The names a section defines, whether or not what stands under them could be read: one mistake must not cause another."""
    found = tree.get(section) if isinstance(tree, Mapping) else None
    return [name for name in found if isinstance(name, str)] if isinstance(found, Mapping) else []


def check_owners(models: Mapping[str, Model], tree: Any, at: At) -> None:
    defined = names(tree, "owners")
    for model in models.values():
        if model.owner not in defined:
            right = alternatives(defined, model.owner) if defined else f"owners: {{{model.owner}: {{}}}}"
            (at / "models" / model.name / "owner").mistake(model.owner, "is not defined under owners", right)


def settle_streams(streams: Mapping[str, Stream], tree: Any, at: At) -> dict[str, Stream]:
    """Streams with a model each: named by the record, fixed by the stream, or the only one there is."""
    defined = names(tree, "models")
    settled = {}
    for name, stream in streams.items():
        here = at / "streams" / name
        if stream.model is not None and stream.model not in defined:
            (here / "model").mistake(stream.model, "is not defined under models", alternatives(defined, stream.model) if defined else "")
        elif stream.model is None and stream.fields.model is None and len(defined) > 1:
            here.mistake(
                ABSENT, f"does not say to which of the {len(defined)} models a record belongs", "fields: {model: path}, or model: name"
            )
        alone = defined[0] if len(defined) == 1 and stream.model is None and stream.fields.model is None else stream.model
        settled[name] = replace(stream, model=alone)
    return settled


def settle_state(state: State, at: At) -> State:
    """The default path starts where a relative one does: from another working directory the same state is opened, not a new one."""
    return replace(state, path=at.resolve(state.path)) if state.path == State().path else state


def known_detectors(plugins: tuple[str, ...], at: At) -> Mapping[str, Registered] | None:
    """The detectors there are; None where a plug-in cannot be looked into, so that nobody can say which ids are wrong."""
    if (at / "plugins").has_mistakes() or not all(Path(path).is_file() for path in plugins):
        return None
    try:
        return discover(plugins)
    except PluginError as error:
        where = at / "plugins" / plugins.index(error.source) if error.source in plugins else at / "plugins"
        where.mistake(error.source, error.reason, "a Python file that loads, with detectors under ids of their own")
        return None


def check_detectors(models: Mapping[str, Model], plugins: tuple[str, ...], tree: Any, at: At) -> None:
    """Ids that exist, parameters that they have, columns that they serve."""
    if not any(model.detectors for model in models.values()):
        return
    known = known_detectors(plugins, at)
    for model in models.values() if known is not None else ():
        kinds = {name: column.kind for column in model.columns for name in (column.name, column.subject)}
        listed = tree["models"][model.name].get("detectors")  # another model may have none
        whole = isinstance(listed, list | tuple) and len(listed) == len(model.detectors)  # one that is missing moves the others
        for index, use in enumerate(model.detectors):
            here = at / "models" / model.name / "detectors" / index if whole else at / "models" / model.name / "detectors"
            registered = known.get(use.id) if known is not None else None
            if registered is None:
                (here / "id").mistake(use.id, "is no detector", alternatives(known or (), use.id))
                continue
            check_use(registered, use, kinds, here)


def check_use(registered: Registered, use: DetectorUse, kinds: Mapping[str, str], here: At) -> None:
    try:
        registered.make(dict(use.parameters))
    except ValueError as error:
        here.mistake(use.id, f"cannot be made: {error}", "parameters as `raincheck detectors` shows them")
    for index, name in enumerate(use.on):
        if name not in kinds:
            (here / "on" / index).mistake(name, "is no column of this model", alternatives(sorted(kinds), name) if kinds else "")
        elif not {kind for column, kind in kinds.items() if column == name or column.startswith(f"{name}.")} & set(registered.kinds):
            (here / "on" / index).mistake(name, f"is not a column that {use.id} serves", " or ".join(registered.kinds) + " columns")


def check_columns(models: Mapping[str, Model], at: At) -> None:
    """Pictures and vectors expand into several columns: none may fall on another's name."""
    for model in models.values():
        here = at / "models" / model.name / "schema"
        if not model.columns and not here.has_mistakes():
            here.mistake(ABSENT, "watches nothing", "features, or a prediction")
        seen: set[str] = set()
        for column in model.columns:
            if column.name in seen:
                (here / "features").mistake(column.name, "names two columns", "another name for one of the features")
            seen.add(column.name)


def check_plan(values: dict[str, Any], tree: Any, at: At) -> bool:
    """Every mistake across sections; `values` are the sections that could be read, and are settled in place."""
    models: Mapping[str, Model] = values.get("models", {})
    check_owners(models, tree, at)
    check_columns(models, at)
    if "models" in values and not names(tree, "models"):
        (at / "models").mistake(ABSENT, "names no model", "at least one")
    check_detectors(models, values.get("plugins", ()), tree, at)
    values["streams"] = settle_streams(values.get("streams", {}), tree, at)
    values["state"] = settle_state(values.get("state", State()), at)
    return True
