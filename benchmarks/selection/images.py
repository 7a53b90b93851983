"""Images: small photographs in skewed groups and distorted, and histograms of office objects."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from scipy import ndimage

from benchmarks.selection.corpus import (
    LIVE_ROWS,
    TRAIN_ROWS,
    VALIDATION_ROWS,
    Corpus,
    Part,
    domain,
    split_rows,
)
from sidecar.core.tensors import Array, Floats

_SIDE: Final = 32
_CELLS: Final = 4
_ORIENTATIONS: Final = 9
_GROUPS: Final = 6
# Of the Dirichlet distribution of a group's classes: a few classes make up most of a group.
_SKEW: Final = 0.5
COLUMNS: Final = (
    *(f"edges[{cell},{turn}]" for cell in range(_CELLS**2) for turn in range(_ORIENTATIONS)),
    *(f"colour[{cell},{band}]" for cell in range(_CELLS**2) for band in "rgb"),
    *(f"spread[{band}]" for band in "rgb"),
)

Distort = Callable[[Floats, np.random.Generator], Floats]


def _noise(pixels: Floats, rng: np.random.Generator) -> Floats:
    return pixels + rng.normal(0, 40, pixels.shape)


def _blur(pixels: Floats, _: np.random.Generator) -> Floats:
    return np.asarray(ndimage.gaussian_filter(pixels, (0, 1.5, 1.5, 0)))


def _contrast(pixels: Floats, _: np.random.Generator) -> Floats:
    return 128 + 0.3 * (pixels - 128)


def _brightness(pixels: Floats, _: np.random.Generator) -> Floats:
    return pixels + 80


def _grey(pixels: Floats, _: np.random.Generator) -> Floats:
    return np.repeat(pixels.mean(axis=3, keepdims=True), 3, axis=3)


def _coarse(pixels: Floats, _: np.random.Generator) -> Floats:
    return pixels[:, ::4, ::4].repeat(4, axis=1).repeat(4, axis=2)


_DISTORTIONS: Final[dict[str, Distort]] = {
    "noise": _noise,
    "blur": _blur,
    "contrast": _contrast,
    "brightness": _brightness,
    "grey": _grey,
    "coarse": _coarse,
}


def load_photographs(path: Path, seed: int) -> Corpus:
    """Groups with other shares of the classes, and one domain for each distortion of all classes."""
    table = pq.read_table(path)
    pixels = np.stack([_decoded(content) for content in table["jpeg"].to_pylist()])
    labels = table["label"].to_numpy(zero_copy_only=False).astype(str)
    split = table["split"].to_numpy(zero_copy_only=False).astype(str)
    train_rows, _, live_rows = split_rows(split, np.ones(len(labels), dtype=bool))
    wanted = ((train_rows, TRAIN_ROWS + VALIDATION_ROWS), (live_rows, LIVE_ROWS))
    classes = np.unique(labels)
    domains = []
    for group in range(_GROUPS):
        rng = np.random.default_rng([seed, group])
        shares = rng.dirichlet(np.full(len(classes), _SKEW))
        drawn = [_skewed(labels, classes, rows, shares, most, rng) for rows, most in wanted]
        train, live = (Part.of(features(pixels[rows]), labels[rows]) for rows in drawn)
        domains.append(domain(f"group-{group}", train, train.none, live, rng))
    for number, (name, distort) in enumerate(_DISTORTIONS.items()):
        rng = np.random.default_rng([seed, _GROUPS + number])
        parts = []
        for rows, most in wanted:
            drawn_rows = rng.permutation(rows)[:most]
            shown = np.clip(distort(pixels[drawn_rows].astype(np.float64), rng), 0, 255)
            parts.append(Part.of(features(shown), labels[drawn_rows]))
        train, live = parts
        domains.append(domain(name, train, train.none, live, rng))
    return Corpus(COLUMNS, tuple(domains))


def load_histograms(path: Path, seed: int) -> Corpus:
    """Arrays DOMAIN_x with the features and DOMAIN_y with the class of each image."""
    with np.load(path) as arrays:
        names = sorted(name.removesuffix("_x") for name in arrays.files if name.endswith("_x"))
        parts = {name: Part.of(arrays[f"{name}_x"], arrays[f"{name}_y"]) for name in names}
    width = next(iter(parts.values())).items.shape[1]
    return Corpus(
        tuple(f"word{number}" for number in range(width)),
        tuple(
            domain(name, part, part.none, part, np.random.default_rng([seed, number]))
            for number, (name, part) in enumerate(parts.items())
        ),
    )


def features(pixels: Array) -> Floats:
    """Histograms of oriented gradients, mean colours and their spread.

    Args:
        pixels: 0..255, [images, _SIDE, _SIDE, 3].

    Returns:
        [images, len(COLUMNS)].
    """
    values = pixels.astype(np.float64) / 255
    grey = values.mean(axis=3)
    down, right = np.gradient(grey, axis=(1, 2))
    size = np.hypot(down, right)
    turn = np.minimum(
        (np.arctan2(down, right) % np.pi / np.pi * _ORIENTATIONS).astype(np.int64), _ORIENTATIONS - 1
    )
    cell = np.arange(_SIDE) * _CELLS // _SIDE
    place = (cell[:, None] * _CELLS + cell[None, :])[None] * _ORIENTATIONS + turn
    bins = _CELLS**2 * _ORIENTATIONS
    images = len(values)
    edges = np.bincount(
        (np.arange(images)[:, None, None] * bins + place).ravel(), size.ravel(), images * bins
    ).reshape(images, bins)
    edges = np.sqrt(edges / np.maximum(edges.sum(axis=1, keepdims=True), 1e-9))
    step = _SIDE // _CELLS
    colours = values.reshape(images, _CELLS, step, _CELLS, step, 3).mean(axis=(2, 4)).reshape(images, -1)
    return np.concatenate([edges, colours, values.std(axis=(1, 2))], axis=1)


def _decoded(content: bytes) -> Array:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB").resize((_SIDE, _SIDE)), dtype=np.uint8)


def _skewed(
    labels: Array, classes: Array, rows: Array, shares: Floats, most: int, rng: np.random.Generator
) -> Array:
    """Draws some of the rows, classes in these shares, as many as the scarcest class allows."""
    by_class = [rng.permutation(rows[labels[rows] == name]) for name in classes]
    total = min(most, *(len(found) / share for found, share in zip(by_class, shares, strict=True)))
    return np.concatenate(
        [found[: int(total * share)] for found, share in zip(by_class, shares, strict=True)]
    )
