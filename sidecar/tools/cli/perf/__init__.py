"""`pilotfish perf`: measures what configurations cost here, and predicts what they cost elsewhere."""

from __future__ import annotations

from cyclopts import App

from sidecar.tools.cli.perf.explain import explain
from sidecar.tools.cli.perf.fit import fit
from sidecar.tools.cli.perf.measure import measure
from sidecar.tools.cli.perf.predict import predict
from sidecar.tools.cli.perf.suggest import suggest

app = App(name="perf", help="What a model costs to serve: measure, fit, predict, suggest, explain.")
app.command(measure)
app.command(fit)
app.command(predict)
app.command(suggest)
app.command(explain)
