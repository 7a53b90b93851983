"""`pilotfish perf`: measures what configurations cost here, and predicts what they cost elsewhere."""

from __future__ import annotations

from cyclopts import App

from sidecar.cli.perf.explain import explain
from sidecar.cli.perf.fit import fit
from sidecar.cli.perf.measure import measure
from sidecar.cli.perf.predict import predict
from sidecar.cli.perf.suggest import suggest

app = App(name="perf", help="What a model costs to serve: measure, fit, predict, suggest, explain.")
app.command(measure)
app.command(fit)
app.command(predict)
app.command(suggest)
app.command(explain)
