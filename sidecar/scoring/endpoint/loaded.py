"""A candidate's opened model, and what it needs to answer: its profile, its answers, its binned inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidecar.core.answers import class_probabilities, logit_energies
from sidecar.core.casting import cast
from sidecar.core.errors import InvalidError
from sidecar.core.evidence import SourceThresholds
from sidecar.core.profile import SourceProfile
from sidecar.core.tensors import Array, Batch, Floats
from sidecar.estimation.measures.scale import deviations
from sidecar.scoring.endpoint.answer_ring import AnswerRing
from sidecar.scoring.endpoint.asking import Asking
from sidecar.scoring.endpoint.batches import Prepared
from sidecar.scoring.endpoint.binning import Binning
from sidecar.scoring.runners.model import Model

# A feature far outside the source's range must not outweigh all other features.
_FARTHEST: Final = 5.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A candidate that can answer.

    Attributes:
        model: the opened model.
        renamed: tensors of a request by the model input that they feed, where the names differ.
        asking: the batches that the model has been given.
        profile: the candidate's source profile.
        thresholds: what the measures take from the profile's validation; None without a validation.
        answers: the answers to the window's items.
        binning: the window's inputs, binned as the profile bins them.
    """

    model: Model
    renamed: Mapping[str, str]
    asking: Asking
    profile: SourceProfile
    thresholds: SourceThresholds | None
    answers: AnswerRing
    binning: Binning

    @property
    def has_classes(self) -> bool:
        """Whether the model gives classes; without classes it is compared by its inputs and never run."""
        return self.profile.output_kind != "none"

    def inputs(self, batch: Batch, tensor: str | None) -> dict[str, Array]:
        """Returns a batch's tensors by the names of the model's inputs.

        Args:
            batch: the items.
            tensor: the request's tensor for a model whose only input has another name.

        Raises:
            InvalidError: the batch has no tensor for an input.
        """
        inputs = {}
        for spec in self.model.inputs:
            name = self.renamed.get(spec.name, spec.name)
            if name not in batch.inputs and len(self.model.inputs) == 1:
                name = tensor or (next(iter(batch.inputs)) if len(batch.inputs) == 1 else name)
            if name not in batch.inputs:
                raise InvalidError(
                    f"model input {spec.name!r}: the request has no tensor {name!r}, it has "
                    f"{sorted(batch.inputs)}: name it in the candidate's `inputs` or in `input.tensor`"
                )
            inputs[spec.name] = batch.inputs[name]
        return inputs

    def standardised(self, batch: Prepared, *, tensor: str | None) -> Floats:
        """Returns the features in deviations from the source's mean, clipped, [items, d].

        Raises:
            InvalidError: the items do not have the profile's inputs.
        """
        features = self.binning.features(batch, self.inputs(batch.batch, tensor))
        apart = (features - self.profile.mean) / deviations(self.profile.variance)
        return np.asarray(apart.clip(-_FARTHEST, _FARTHEST))

    def takes(self, batch: Batch, *, tensor: str | None) -> bool:
        """Tells whether items have the tensors, shapes and datatypes that the profile was built with."""
        try:
            inputs = self.inputs(batch, tensor)
            for spec in self.profile.inputs:
                cast(inputs[spec.name], spec)
        except InvalidError:
            return False
        return all(inputs[spec.name].shape[1:] == spec.shape for spec in self.profile.inputs)

    def keep(self, first_id: int, items: int, output: Array) -> None:
        """Keeps a model's output as the answers to a batch.

        Raises:
            InvalidError: the output is not what the profile says of it.
        """
        if self.profile.output_kind == "none":
            raise InvalidError("the profile says that the model gives no classes, so it keeps no answers")
        probabilities = class_probabilities(output, self.profile.output_kind)
        if probabilities.shape != (items, len(self.profile.classes)):
            raise InvalidError(
                f"the model answered {items} items with shape {list(probabilities.shape)}, and its profile "
                f"has {len(self.profile.classes)} classes: build the profile with --classes or --output"
            )
        energies = logit_energies(output) if self.profile.output_kind == "logits" else None
        self.answers.put(first_id, probabilities, energies)
