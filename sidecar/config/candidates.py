"""What makes the candidates of an endpoint: those that are named, and those that its servers have."""

from __future__ import annotations

from collections.abc import Iterable

from sidecar.config.schema import MAX_CANDIDATES, Candidate


def joined(
    own: Iterable[Candidate], found: Iterable[Candidate]
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Adds the models that servers have to the candidates that are named.

    Args:
        own: the candidates that are named; a served model among them is not added a second time.
        found: candidates behind servers.

    Returns:
        all candidates, as many as an endpoint may have, and the names of those that are left out: there is
        no room for them, or another candidate has their name.
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
    """Server and name of a model behind a server; None where the scoring process runs it."""
    behind = candidate.model.behind
    return (behind.url, behind.model) if behind else None
