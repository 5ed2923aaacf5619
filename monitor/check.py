"""What `raincheck check` says about a plan that is in order: a summary in words, so that a person sees what they promised."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from monitor.config.quantities import show_duration
from monitor.plan import Budget, Model, Owner, Plan
from monitor.stores.backup import Beside, left_behind
from monitor.stores.glance import known


def many(count: int, one: str, more: str = "") -> str:
    """
    >>> many(1, "model"), many(2, "model"), many(3, "embedding"), many(2, "day", "days")
    ('1 model', '2 models', '3 embeddings', '2 days')
    """
    return f"{count} {one if count == 1 else more or one + 's'}"


def budget_words(budget: Budget) -> str:
    """A budget as its owner would say it.

    >>> budget_words(Budget())
    'at most 1 false page per 30d'
    """
    return f"at most {budget.false_pages:g} false page{'' if budget.false_pages == 1 else 's'} per {show_duration(budget.per_ms)}"


def hours_words(timezone: str) -> str:
    """Whose time of day counts.

    >>> hours_words("auto"), hours_words("Asia/Tokyo")
    ('time of day as the traffic shows it', 'Asia/Tokyo time')
    """
    return "time of day as the traffic shows it" if timezone == "auto" else f"{timezone} time"


def reference_words(plan: Plan, model: Model) -> str:
    """Where normal comes from, as the streams that the model shares with others let it be."""
    normal = model.reference
    if normal.file is not None:
        return f"the reference comes from {normal.file}"
    span, since_ms = show_duration(normal.span_ms or 0), _since_ms(plan, model)
    if normal.topic_since_ms is None or since_ms is None:
        return f"the reference is learnt for {span}"
    if since_ms > normal.topic_since_ms:
        return f"the reference comes from the first {span} of the topics' last {show_duration(since_ms)}"
    return f"the reference comes from the topics' last {span}"


def _since_ms(plan: Plan, model: Model) -> int | None:
    """How far back the model's windows begin; what gates them begins at one place (`Plan.since_ms`)."""
    gating = plan.gating_streams(model.name)
    return plan.since_ms(gating[0]) if gating else model.reference.topic_since_ms


def watched_words(model: Model) -> str:
    """What a model is watched by: "2 images, 1 numeric feature, the prediction, late labels".

    >>> from monitor.plan import Feature, Schema
    >>> watched_words(Model("m", "team", Schema((Feature("x", "numeric", ("x",)), Feature("y", "numeric", ("y",))))))
    '2 numeric features'
    """
    counts = Counter(feature.kind for feature in model.schema.features)
    words = [many(count, f"{kind} feature") for kind, count in sorted(counts.items())]
    words += ["the prediction"] * (model.schema.prediction is not None) + ["late labels"] * (model.schema.label is not None)
    return ", ".join(words)


def owner_words(owner: Owner) -> str:
    receivers = f"{many(len(owner.page), 'receiver')} for pages, {len(owner.ticket)} for tickets"
    return receivers if owner.budget is None else f"{receivers}; together {budget_words(owner.budget)}"


def notes(plan: Plan) -> list[str]:
    """What is allowed and yet worth a second look."""
    found = []
    for owner in plan.owners.values():
        mine = [model for model in plan.models.values() if model.owner == owner.name]
        if mine and not owner.page and any(model.mode == "page" for model in mine):
            found.append(f"owner {owner.name} has no receiver for pages: only Prometheus and the web pages will show them")
        if not mine:
            found.append(f"owner {owner.name} has no model")
    for model in plan.models.values():
        if model.reference.topic_since_ms is not None and _since_ms(plan, model) is None:
            others = ", ".join(other.name for other in plan.models.values() if other.reference.topic_since_ms is None)
            begin = plan.kafka.start if plan.kafka is not None else "beginning"
            found.append(f"model {model.name}: its streams begin at their {begin} in spite of topic_since, for they also carry {others}")
    if plan.models and plan.kafka is not None and not plan.streams:
        found.append("there are brokers and no streams: nothing will be read")
    if plan.http.external_url is None and any(owner.page or owner.ticket for owner in plan.owners.values()):
        found.append("http.external_url is not set: a page carries no link to its incident")
    if not loopback(plan.http.bind) and not (plan.http.token or plan.http.token_file or plan.http.web_config):
        found.append(f"http listens on {plan.http.bind} without a token: answers and deployments will be refused")
    return found


def loopback(bind: str) -> bool:
    """
    >>> loopback("127.0.0.1"), loopback("::1"), loopback("localhost"), loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ip_address(bind.strip("[]")).is_loopback
    except ValueError:
        return bind == "localhost"


@dataclass(frozen=True, slots=True)
class Place:
    """What is at `state.path`: `known` are the models it has learnt of, `left` is the copy that an empty or absent one could go back to."""

    path: Path
    exists: bool
    known: frozenset[str]
    left: Beside | None

    @classmethod
    def of(cls, plan: Plan) -> Place:
        path = Path(plan.state.path).resolve()
        learnt = known(path) if path.exists() else frozenset()
        return cls(path, path.exists(), learnt, None if learnt else left_behind(path))

    def words(self) -> str:
        """Where the state is: who runs another path than they think learns anew."""
        there = "which is there" if self.exists else "not there yet: the first run makes it"
        return f"state in {self.path}, {there}"

    def notes(self, plan: Plan) -> list[str]:
        found, others = [], sorted(self.known - plan.models.keys())
        if self.left is not None:
            lacks, made = "knows nothing" if self.exists else "is not there", self.left.made
            found.append(
                f"the state {lacks}, and a whole copy of a former one lies beside it, made {made};"
                f" unless a new beginning is meant: {self.left.command(self.path)}"
            )
        if others:
            found.append(
                f"the state has learnt of models that are not in this configuration: {', '.join(others)};"
                " where they are another configuration's, give each a state.path of its own"
            )
        return found


def summary(plan: Plan) -> str:
    """The plan in a dozen lines for people."""
    lines = [f"In order: {many(len(plan.models), 'model')}, {many(len(plan.owners), 'owner')}, {many(len(plan.streams), 'stream')}."]
    for model in plan.models.values():
        may = {"page": "may page", "ticket": "may send tickets", "observe": "is only observed"}[model.mode]
        lines += [
            f"model {model.name}: {may}, {budget_words(model.budget)}; owner {model.owner}",
            f"  watches {watched_words(model)} in windows of {show_duration(model.window_ms)}, {hours_words(model.timezone)}",
            f"  {reference_words(plan, model)}",
        ]
    lines += [f"owner {owner.name}: {owner_words(owner)}" for owner in plan.owners.values()]
    for stream in plan.streams.values():
        whose = f", all of model {stream.model}" if stream.model else ""
        lines.append(f"stream {stream.name}: {stream.role} from topic {stream.topic} as {stream.format}{whose}")
    place = Place.of(plan)
    lines.append(place.words())
    return "\n".join(lines + [f"note: {note}" for note in notes(plan) + place.notes(plan)])


def summary_json(plan: Plan) -> dict[str, Any]:
    """The same for programs."""
    place = Place.of(plan)
    left = None if place.left is None else {"path": str(place.left.path), "made": place.left.made}
    return {
        "ok": True,
        "models": {
            model.name: {
                "owner": model.owner,
                "mode": model.mode,
                "budget": {"false_pages": model.budget.false_pages, "per_ms": model.budget.per_ms, "words": budget_words(model.budget)},
                "window_ms": model.window_ms,
                "timezone": model.timezone,
                "columns": len(model.columns),
                "digest": model.digest,
            }
            for model in plan.models.values()
        },
        "owners": {owner.name: {"page": len(owner.page), "ticket": len(owner.ticket)} for owner in plan.owners.values()},
        "streams": {s.name: {"topic": s.topic, "role": s.role, "format": s.format, "model": s.model} for s in plan.streams.values()},
        "state": {"path": str(place.path), "exists": place.exists, "models": sorted(place.known), "copy": left},
        "notes": notes(plan) + place.notes(plan),
    }
