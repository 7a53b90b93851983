"""What was learned on sources where the truth is known: how estimates err, and when a ranking may say OK."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sidecar.core.tensors import Floats


@dataclass(frozen=True, slots=True)
class Learned:
    """Learned by `python -m benchmarks.selection`, never on the source that a ranking is judged on.

    Everything is on the scale of log odds. The terms that the factors belong to are written out in
    `sidecar.estimation.accuracy.errors`.

    Attributes:
        level: factors of the candidates' mean accuracy.
        spread: factor of a candidate's distance from the mean under the consensus.
        level_error: factors of the logarithm of the error that all candidates of a window share.
        own_error: factors of the logarithm of each candidate's own error.
        widening: factor of both, so that intervals hold as often as they say, source by source.
        validated_widening: the same where the traffic fits a validated source.
        sure: what the draws have to say, as a probability, before a ranking promises anything: rankings of
            which they say at least this keep the promise in 90 % of the sources.
    """

    level: tuple[float, ...]
    spread: float
    level_error: tuple[float, ...]
    own_error: tuple[float, ...]
    widening: float
    validated_widening: float
    sure: float

    def widened(self, factor: float) -> Learned:
        """The same with larger errors."""
        return replace(
            self, widening=factor * self.widening, validated_widening=factor * self.validated_widening
        )


@dataclass(frozen=True, slots=True)
class Signals:
    """What a window says of the candidates' accuracies; C candidates, K classes.

    Attributes:
        items: of the window.
        classes: K.
        consensus: expected share of right answers under the consensus of the votes [C].
        pooled: the same under the pooled probabilities [C].
        agreement: weighted share of the other candidates that answer alike, mean over items [C].
        kappa: mean agreement of two candidates beyond chance.
        correlation: of being right about an item under the consensus [C, C].
        fit: probability that the traffic is drawn as the candidate's source was [C].
        promised: accuracy that confidence promises, calibrated on the validation data; NaN without any [C].
        validation_rows: labelled rows behind that [C].
    """

    items: int
    classes: int
    consensus: Floats
    pooled: Floats
    agreement: Floats
    kappa: float
    correlation: Floats
    fit: Floats
    promised: Floats
    validation_rows: Floats
