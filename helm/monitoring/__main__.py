"""Writes the chart's rules and dashboard; with --check says what would change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from helm.monitoring.dashboard import dashboard_json
from helm.monitoring.rules import grafana_rules, prometheus_rules

FILES: Final = Path(__file__).parents[1] / "pilotfish" / "files"
_TEXTS: Final = {
    "rules.yaml": prometheus_rules,
    "grafana-alerts.yaml": grafana_rules,
    "dashboard.json": dashboard_json,
}


def main() -> None:
    """Writes in place, or fails naming every file that differs."""
    fresh = {FILES / name: text() for name, text in _TEXTS.items()}
    if "--check" not in sys.argv:
        FILES.mkdir(parents=True, exist_ok=True)
        for path, text in fresh.items():
            path.write_text(text)
        return
    drifted = [path.name for path, text in fresh.items() if not path.is_file() or path.read_text() != text]
    if drifted:
        raise SystemExit(f"{FILES}: {', '.join(drifted)} differ from helm/monitoring; run `make helm`")


if __name__ == "__main__":
    main()
