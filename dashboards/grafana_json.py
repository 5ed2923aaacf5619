"""Boards in Grafana's words: classic JSON, by grafana-foundation-sdk (build time only; no other file knows it).

Classic, not the second schema: every Grafana from 10 on takes it from files and through its API. A newer one converts it.
The SDK leaves panels without ids, so they are numbered here: links and library tools name panels by them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from grafana_foundation_sdk.builders import common as commons
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import heatmap, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as classic
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from alerts.runbook import place_of
from dashboards.board import Board, Color, Form, Link, Mark, Panel, Query, Variable

DATASOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
PAGES: Final = "http://127.0.0.1:9740"  # where raincheck's own pages are, until somebody says otherwise
_KEEP: Final = "${datasource:queryparam}&${job:queryparam}&${__url_time_range}"


def board_json(board: Board, pages: str = PAGES, runbooks: str | None = None) -> str:
    """The dashboard's JSON, the same bytes for the same arguments.

    Args:
        board: what to draw.
        pages: the address of raincheck's own pages, which the reader may change.
        runbooks: where `alerts/runbooks` is served; None to name the command that prints one.
    """
    made = boards.Dashboard(board.title).uid(board.uid).description(board.about).tags(["raincheck"])
    made.readonly().timezone("browser").time(board.since, "now").refresh("1m").tooltip(classic.DashboardCursorSync.CROSSHAIR)
    source = boards.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    address = boards.TextBoxVariable("pages").label("raincheck's pages").default_value(pages)
    address.current(classic.VariableOption(text=pages, value=pages)).options([classic.VariableOption(True, pages, pages)])
    made.variables([source, *(_variable(variable) for variable in board.variables), address])
    made.annotations([_mark(mark) for mark in board.marks])
    made.links([_link(link) for link in board.links])
    number = 0
    for row in board.rows:
        number += 1
        made.with_row(boards.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            made.with_panel(_Placed(_panel(panel, runbooks), number))
    return json.dumps(made.build(), cls=JSONEncoder, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


class _Placed(Builder[classic.Panel]):
    """A finished panel that the dashboard takes for a builder, with its id."""

    def __init__(self, panel: classic.Panel, number: int) -> None:
        self._panel = panel
        self._panel.id_val = number

    def build(self) -> classic.Panel:
        return self._panel


def _panel(panel: Panel, runbooks: str | None) -> classic.Panel:
    """What all forms have in common, around what the form's own builder says."""
    made = _FORMS[panel.form](panel)
    made.title, made.description, made.datasource = panel.title, _about(panel, runbooks), DATASOURCE
    made.grid_pos = classic.GridPos(h=panel.height, w=panel.width)
    made.targets = [_target(panel, query, ref).build() for query, ref in zip(panel.queries, _refs(panel), strict=True)]
    if panel.runbook and runbooks is not None:
        made.links = [boards.DashboardLink(f"Runbook {panel.runbook}").url(place_of(panel.runbook, runbooks)).target_blank(True).build()]
    made.field_config = made.field_config or classic.FieldConfigSource()
    fields = made.field_config.defaults or classic.FieldConfig()
    fields.unit = panel.unit
    fields.thresholds = classic.ThresholdsConfig(
        classic.ThresholdsMode.ABSOLUTE, [classic.Threshold(value, color) for value, color in panel.steps]
    )
    words = {str(value): classic.ValueMappingResult(text, color, index=i) for i, (value, text, color) in enumerate(panel.words)}
    fields.mappings = [classic.ValueMap(words)] if words else []
    if panel.form in {"number", "name", "states"}:
        fields.color = classic.FieldColor(classic.FieldColorModeId.THRESHOLDS)
    made.field_config.defaults = fields
    return made


def _about(panel: Panel, runbooks: str | None) -> str:
    if not panel.runbook:
        return panel.about
    return f"{panel.about}\n\nThe alert {panel.runbook} tells of it; what to do: {place_of(panel.runbook, runbooks)}"


def _refs(panel: Panel) -> list[str]:
    return [chr(ord("A") + i) for i in range(len(panel.queries))]


def _target(panel: Panel, query: Query, ref: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(DATASOURCE)
    if panel.form == "table":
        return target.instant().format(PromQueryFormat.TABLE).legend_format("")
    target.legend_format(query.legend or "__auto")
    if panel.form == "heatmap":
        return target.range().format(PromQueryFormat.HEATMAP)
    return target.instant() if panel.form in {"number", "name"} else target.range()


# ---- one function per form


def _lines(panel: Panel) -> classic.Panel:
    made = timeseries.Panel().legend(_legend()).tooltip(commons.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    made.line_width(1).show_points(common.VisibilityMode.NEVER).axis_soft_min(0).fill_opacity(10)
    if panel.form == "bars":
        made.draw_style(common.GraphDrawStyle.BARS).fill_opacity(80)
    if panel.form == "bars" or panel.stacked:
        made.stacking(commons.StackingConfig().mode(common.StackingMode.NORMAL))
    if panel.narrowing:
        made.scale_distribution(commons.ScaleDistributionConfig().type(common.ScaleDistribution.SYMLOG).log(10).linear_threshold(10))
    return made.build()


def _number(panel: Panel) -> classic.Panel:
    made = stat.Panel().reduce_options(commons.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    made.graph_mode(common.BigValueGraphMode.NONE).color_mode(common.BigValueColorMode.VALUE)
    return made.text_mode(common.BigValueTextMode.NAME if panel.form == "name" else common.BigValueTextMode.VALUE).build()


def _states(panel: Panel) -> classic.Panel:
    del panel  # colours and words are common to all forms
    return statetimeline.Panel().legend(_legend()).show_value(common.VisibilityMode.NEVER).merge_values(True).build()


def _heatmap(panel: Panel) -> classic.Panel:
    return heatmap.Panel().y_axis(heatmap.YAxisConfig().unit(panel.unit)).show_value(common.VisibilityMode.NEVER).build()


def _table(panel: Panel) -> classic.Panel:
    """One line per value of the key, one column per query."""
    heads = {f"Value #{ref}": query.legend for ref, query in zip(_refs(panel), panel.queries, strict=True)}
    made = table.Panel().with_transformation(classic.DataTransformerConfig(id_val="merge", options={}))
    made.with_transformation(
        classic.DataTransformerConfig(
            id_val="organize",
            options={
                # the first query is there for its labels: its value is always 1
                "excludeByName": {"Time": True, "Value #A": True},
                "indexByName": {panel.key: 0},
                "renameByName": heads,
            },
        )
    )
    for query in panel.queries:
        if query.unit:
            made.override_by_name(query.legend, [classic.DynamicConfigValue("unit", query.unit)])
    chosen = "${__value.text}"  # a model's name needs no escapes in an address
    links = [
        {"title": "Its board", "url": f"/d/raincheck-model?{_KEEP}&var-model={chosen}"},
        {"title": "raincheck's own page", "url": f"${{pages:raw}}/models/{chosen}", "targetBlank": True},
    ]
    return made.override_by_name(panel.key, [classic.DynamicConfigValue("links", links)]).build()


_FORMS: Final[Mapping[Form, Callable[[Panel], classic.Panel]]] = {
    "lines": _lines, "bars": _lines, "number": _number, "name": _number, "states": _states, "heatmap": _heatmap, "table": _table,
}  # fmt: skip


def _legend() -> commons.VizLegendOptions:
    return commons.VizLegendOptions().show_legend(True).display_mode(common.LegendDisplayMode.LIST).placement(common.LegendPlacement.BOTTOM)


# ---- around the panels


def _variable(variable: Variable) -> boards.QueryVariable:
    question = f"label_values({variable.series}, {variable.label})"
    made = boards.QueryVariable(variable.name).label(variable.title).datasource(DATASOURCE).definition(question)
    made.query({"query": question, "refId": f"Variable-{variable.name}"}).refresh(classic.VariableRefresh.ON_TIME_RANGE_CHANGED)
    made.sort(classic.VariableSort.ALPHABETICAL_ASC)
    if variable.several:
        # .+ and not the list of what is there now: a target that has gone still has a past to be looked at
        made.multi(True).include_all(True).all_value(".+").current(classic.VariableOption(True, ["All"], ["$__all"]))
    return made


def _mark(mark: Mark) -> boards.AnnotationQuery:
    made = boards.AnnotationQuery().name(mark.name).datasource(DATASOURCE).enable(True).icon_color(_ICON[mark.color])
    # the series' value is the moment itself, in milliseconds
    return made.expr(f"{mark.expr} * 1000").use_value_for_time(True).title_format(mark.title).step("60s")


_ICON: Final[Mapping[Color, str]] = {"red": "red", "blue": "blue", "green": "green", "orange": "orange", "text": "gray"}


def _link(link: Link) -> boards.DashboardLink:
    made = (
        boards.DashboardLink(link.title)
        .type(classic.DashboardLinkType.LINK)
        .url(link.url)
        .icon("dashboard" if link.keep else "external link")
    )
    return made.include_vars(True).keep_time(True) if link.keep else made.target_blank(True)
