"""The dashboard, in the JSON that Grafana imports. It uses nothing that Grafana 10.1 does not know."""

from __future__ import annotations

import itertools
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model

from helm.monitoring.panels import Kind, Panel
from helm.monitoring.ranking_panels import RANKING_ROWS
from helm.monitoring.service_panels import SERVICE_ROWS

UID: Final = "pilotfish"
_SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="$datasource")
_HEIGHT: Final = {Kind.NAME: 4, Kind.NUMBER: 4}
_TALL: Final = 8
_EVERYTHING: Final = ".*"
_MEASURE: Final = "graded_adaptivity"
# Series that panels and variables find pods, endpoints and candidates by.
_PODS: Final = 'pilotfish_build_info{namespace=~"$namespace", job=~"$job"}'
_ENDPOINTS: Final = (
    'pilotfish_requests_seen_total{namespace=~"$namespace", job=~"$job", instance=~"$instance"}'
)
_CANDIDATES: Final = (
    'pilotfish_candidate_incumbent{namespace=~"$namespace", job=~"$job", endpoint="$endpoint"}'
)
_MEASURES: Final = 'pilotfish_candidate_measure{namespace=~"$namespace", job=~"$job", endpoint="$endpoint"}'

# What all three builders of panels have in common has no name in the library.
_Builder = timeseries.Panel | stat.Panel | statetimeline.Panel


def dashboard_json() -> str:
    """The whole dashboard."""
    made = (
        dashboard.Dashboard("Pilotfish")
        .uid(UID)
        .description("Which candidate fits the live traffic, how sure that is, and what finding out costs.")
        .tags(["pilotfish"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables(_variables())
    )
    number = itertools.count(1)
    for title, panels in {**RANKING_ROWS, **SERVICE_ROWS}.items():
        made.with_row(dashboard.Row(title).id(next(number)))
        for panel in panels:
            made.with_panel(_built(panel).id(next(number)))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _variables() -> list[Builder[model.VariableModel]]:
    several = {
        "namespace": "label_values(pilotfish_build_info, namespace)",
        "job": 'label_values(pilotfish_build_info{namespace=~"$namespace"}, job)',
        "instance": f"label_values({_PODS}, instance)",
    }
    return [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        *(
            _variable(name, query).include_all(include_all=True).all_value(_EVERYTHING).multi(multi=True)
            for name, query in several.items()
        ),
        _variable("endpoint", f"label_values({_ENDPOINTS}, endpoint)"),
        _variable("candidate", f"label_values({_CANDIDATES}, candidate)")
        .include_all(include_all=True)
        .multi(multi=True),
        _variable("measure", f"label_values({_MEASURES}, measure)")
        .multi(multi=True)
        .current(model.VariableOption(selected=True, text=[_MEASURE], value=[_MEASURE])),
    ]


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(_SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )


def _built(panel: Panel) -> _Builder:
    made = _drawn(panel.kind).title(panel.title).unit(panel.unit).datasource(_SOURCE)
    made.span(panel.width).height(_HEIGHT.get(panel.kind, _TALL))
    if panel.text:
        made.description(panel.text)
    for number, (expression, legend) in enumerate(panel.queries):
        query = prometheus.Dataquery().ref_id(chr(ord("A") + number)).expr(expression).legend_format(legend)
        now = panel.kind in {Kind.NAME, Kind.NUMBER}
        made.with_target(query.instant() if now else query.range())
    return made


def _drawn(kind: Kind) -> _Builder:
    if kind in {Kind.NAME, Kind.NUMBER}:
        shown = looks.BigValueTextMode.NAME if kind is Kind.NAME else looks.BigValueTextMode.VALUE
        newest = common.ReduceDataOptions().calcs(["lastNotNull"])
        return stat.Panel().text_mode(shown).graph_mode(looks.BigValueGraphMode.NONE).reduce_options(newest)
    if kind is Kind.STATES:
        return (
            statetimeline.Panel()
            .show_value(looks.VisibilityMode.NEVER)
            .mappings(
                [
                    model.ValueMap(
                        options={
                            "0": model.ValueMappingResult(text="no", color="transparent"),
                            "1": model.ValueMappingResult(text="yes", color="blue"),
                        }
                    )
                ]
            )
        )
    lines = (
        timeseries.Panel()
        .tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI))
        .legend(common.VizLegendOptions().show_legend(show_legend=True))
    )
    if kind is Kind.BAND:
        lines.repeat("candidate").min(0).max(1)
        thin = model.DynamicConfigValue(id_val="custom.lineWidth", value=0)
        filled = model.DynamicConfigValue(id_val="custom.fillBelowTo", value="low")
        shade = model.DynamicConfigValue(id_val="custom.fillOpacity", value=20)
        lines.override_by_name("low", [thin]).override_by_name("high", [thin, filled, shade])
    return lines
