"""Trains two scikit-learn pipelines on two scanners' digits and writes what Pilotfish reads.

Writes for each model NAME the files NAME.onnx, NAME-train.npz and NAME-validation.npz, and traffic.npz with
images that neither model has seen. In your own project keep the function `export` and put your data in place
of the digits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

TRAINED, VALIDATED = 1000, 1300


def export(pipeline: Pipeline, features: int, path: str) -> None:
    """Writes a fitted classifier as ONNX, with its class probabilities as one array."""
    inputs = [("X", FloatTensorType([None, features]))]
    model = convert_sklearn(pipeline, initial_types=inputs, options={"zipmap": False})
    Path(path).write_bytes(model.SerializeToString())


def main() -> None:
    """Makes the data, trains both models, writes all files."""
    random = np.random.default_rng(0)
    images, labels = load_digits(return_X_y=True)
    order = random.permutation(len(images))
    office, labels = images[order].astype(np.float32), labels[order]
    # The warehouse has another scanner: its pictures are inverted and noisy.
    warehouse = np.clip(16 - office + random.normal(0, 3, office.shape), 0, 16).astype(np.float32)
    for name, pixels in (("office", office), ("warehouse", warehouse)):
        pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        pipeline.fit(pixels[:TRAINED], labels[:TRAINED])
        export(pipeline, pixels.shape[1], f"{name}.onnx")
        np.savez(f"{name}-train.npz", X=pixels[:TRAINED], digit=labels[:TRAINED])
        np.savez(f"{name}-validation.npz", X=pixels[TRAINED:VALIDATED], digit=labels[TRAINED:VALIDATED])
    np.savez("traffic.npz", X=warehouse[VALIDATED:], digit=labels[VALIDATED:])


if __name__ == "__main__":
    main()
