"""Handwritten digits as five sources see them, a model trained on each, and a costly one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy import ndimage
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sidecar.core.tensors import Array

CLASSES: Final = tuple(str(digit) for digit in range(10))
INPUT: Final = "image"
_SIDE = 8
_WHITE = 16.0
_COPIES = 3

Transform = Callable[[Array, np.random.Generator], Array]


def _upright(image: Array, _: np.random.Generator) -> Array:
    return image


def _rotated(image: Array, rng: np.random.Generator) -> Array:
    return np.asarray(ndimage.rotate(image, rng.normal(40, 6), reshape=False, order=1))


def _noisy(image: Array, rng: np.random.Generator) -> Array:
    return np.clip(image + rng.normal(0, 4, image.shape), 0, _WHITE)


def _thick(image: Array, _: np.random.Generator) -> Array:
    return np.asarray(ndimage.grey_dilation(image, size=(2, 2)))


def _negative(image: Array, _: np.random.Generator) -> Array:
    return _WHITE - image


DOMAINS: Final[dict[str, Transform]] = {
    "upright": _upright,
    "rotated": _rotated,
    "noisy": _noisy,
    "thick": _thick,
    "negative": _negative,
}
# Several networks that vote: more often right than one, and slower.
ENSEMBLE: Final = "ensemble"
_NETWORKS: Final = 8
# The domain that each is trained on.
CANDIDATES: Final = {**{domain: domain for domain in DOMAINS}, ENSEMBLE: "upright"}


@dataclass(frozen=True, slots=True)
class Digits:
    """Images [rows, 64] as float32, labels [rows]; the three parts share no handwriting."""

    train: tuple[Array, Array]
    validation: tuple[Array, Array]
    live: tuple[Array, Array]


def load(seed: int) -> Digits:
    """Splits scikit-learn's bundled digits."""
    images, labels = load_digits(return_X_y=True)
    rest, live, rest_labels, live_labels = train_test_split(
        images, labels, test_size=0.3, random_state=seed, stratify=labels
    )
    train, validation, train_labels, validation_labels = train_test_split(
        rest, rest_labels, test_size=0.25, random_state=seed, stratify=rest_labels
    )
    return Digits((train, train_labels), (validation, validation_labels), (live, live_labels))


def seen_in(
    domain: str, part: tuple[Array, Array], rng: np.random.Generator, copies: int = 1
) -> tuple[Array, Array]:
    """The images as a domain shows them, each so many times."""
    images, labels = np.tile(part[0], (copies, 1)), np.tile(part[1], copies)
    shown = [DOMAINS[domain](image.reshape(_SIDE, _SIDE), rng).ravel() for image in images]
    return np.asarray(shown, dtype=np.float32), labels


def train(name: str, digits: Digits, folder: Path, seed: int) -> None:
    """Trains a candidate; leaves NAME.onnx, NAME-train.npz and NAME-validation.npz in the folder."""
    domain = CANDIDATES[name]
    rng = np.random.default_rng([seed, list(DOMAINS).index(domain)])
    images, labels = seen_in(domain, digits.train, rng, _COPIES)
    network = MLPClassifier((48,), alpha=0.1, max_iter=200, early_stopping=True, random_state=seed)
    several = BaggingClassifier(network, _NETWORKS, random_state=seed)
    model = make_pipeline(StandardScaler(), several if name == ENSEMBLE else network).fit(images, labels)
    inputs = [(INPUT, FloatTensorType([None, images.shape[1]]))]
    onnx = to_onnx(model, initial_types=inputs, options={"zipmap": False})
    (folder / f"{name}.onnx").write_bytes(onnx.SerializeToString())
    # The profile describes each image once, as the traffic has it.
    once = len(digits.train[0])
    np.savez(folder / f"{name}-train.npz", image=images[:once], label=labels[:once])
    validation, validation_labels = seen_in(domain, digits.validation, rng)
    np.savez(folder / f"{name}-validation.npz", image=validation, label=validation_labels)
