"""The JSON schema that lets an editor complete and check a configuration: made from the declaration, never by hand."""

from __future__ import annotations

import json
from typing import Any

from monitor.config.declaration import CONFIGURATION

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def with_references(schema: Any) -> Any:
    """Allows "${NAME}" wherever a number or a pattern is asked for, since the reader does."""
    reference = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"}
    if isinstance(schema, list):
        return [with_references(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: item if key in ("default", "enum") else with_references(item) for key, item in schema.items()}
    special = (
        schema.get("type") in ("number", "integer", "boolean")
        or "enum" in schema
        or ("pattern" in schema and schema.get("type") == "string")
    )
    if not special or schema.get("pattern", "").startswith("^\\$"):
        return kept
    outer = {key: kept.pop(key) for key in ("description", "default") if key in kept}
    return {**outer, "anyOf": [kept, reference]}


def editor_schema() -> dict[str, Any]:
    """The whole schema as JSON can say it."""
    return {"$schema": DIALECT, "title": "raincheck", **with_references(CONFIGURATION.json())}


def schema_text() -> str:
    """The schema as it is committed in deploy/raincheck.schema.json."""
    return json.dumps(editor_schema(), indent=1, ensure_ascii=False, default=list) + "\n"
