"""Joins the candidates that an endpoint names with those that its servers have."""

from __future__ import annotations

from collections.abc import Iterable

from sidecar.config.schema import MAX_CANDIDATES, Candidate


def joined(
    own: Iterable[Candidate], found: Iterable[Candidate]
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Adds the models that servers have to the candidates that are named.

    Args:
        own: the named candidates; a server's model that is among them is not added again.
        found: the models of the servers, as candidates.

    Returns:
        all candidates, up to the limit of an endpoint, and the names of the models that are left out,
        because the limit is reached or because another candidate has the name.
    """
    every = {candidate.name: candidate for candidate in own}
    served = {_place(candidate) for candidate in every.values()}
    left_out = []
    for candidate in found:
        if candidate.model.behind is not None and _place(candidate) in served:
            continue
        if candidate.name in every or len(every) >= MAX_CANDIDATES:
            left_out.append(candidate.name)
        else:
            every[candidate.name] = candidate
    return tuple(every.values()), tuple(left_out)


def _place(candidate: Candidate) -> tuple[str, str] | None:
    """Returns server and name of a model on a server; None if the scoring process runs the model."""
    behind = candidate.model.behind
    return (behind.url, behind.model) if behind else None
