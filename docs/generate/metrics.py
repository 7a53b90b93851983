"""The page of metrics, from the exposition that a test compares with what the program prints."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from docs.generate.markdown import code, sentence, table

# A scrape of a Pilotfish in which every metric has a value; tests/golden holds it equal to the code.
EXPOSITION: Final = Path(__file__).parents[2] / "tests" / "golden" / "metrics" / "exposition.txt"
_HEAD = """# Metrics

Pilotfish serves these metrics at `/metrics` of the address `serve.http`. Units are SI base units and stand
in the name; a ratio goes from 0 to 1. A metric whose value is not known is absent: it is never 0 or NaN
instead.

For every endpoint the accounting is exact at every moment:

```text
pilotfish_requests_seen_total = pilotfish_requests_sampled_total + pilotfish_requests_skipped_total
                              + the sum of pilotfish_requests_dropped_total over its reasons
```

"""


def page() -> str:
    """The whole page."""
    families = text_string_to_metric_families(EXPOSITION.read_text())
    return _HEAD + table(("metric", "type", "labels", "meaning"), map(_row, families))


def _row(family: Metric) -> tuple[str, ...]:
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels)
    # The name as Prometheus has it: a counter's sample ends with _total.
    return (
        code(family.samples[0].name),
        family.type,
        " ".join(map(code, labels)),
        sentence(family.documentation),
    )
