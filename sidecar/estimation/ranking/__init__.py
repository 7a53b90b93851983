"""The ranking: one immutable snapshot of an endpoint's candidates, best first."""
