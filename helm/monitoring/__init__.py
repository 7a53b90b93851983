"""Alerts and the dashboard, defined once; `python -m helm.monitoring` writes the chart's files from them.

Owns what is watched and what is said about it. Reads nothing, serves nothing, and is no part of the sidecar.
"""
