"""Activities from a wrist-worn accelerometer; a domain is a group of three people."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq

from benchmarks.selection.corpus import Corpus, Part, domain
from sidecar.core.tensors import Array, Floats

_HZ: Final = 20
_WINDOW: Final = 10 * _HZ
_PEOPLE: Final = 3
# The later part of each recording validates: windows overlap, and neighbours are alike.
_TRAIN_SHARE: Final = 0.75
_BANDS_HZ: Final = ((0.3, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 10.0))
_CHANNELS: Final = ("x", "y", "z", "magnitude")
_PAIRS: Final = ((0, 1), (0, 2), (1, 2))
_STATISTICS: Final = ("mean", "deviation", "low", "median", "high", "step", "crossings", "frequency")
COLUMNS: Final = (
    *(f"{name}.{channel}" for name in _STATISTICS for channel in _CHANNELS),
    *(f"band{band}.{channel}" for band in range(len(_BANDS_HZ)) for channel in _CHANNELS),
    *(f"correlation.{_CHANNELS[one]}{_CHANNELS[other]}" for one, other in _PAIRS),
)


def load(path: Path, seed: int) -> Corpus:
    """Cuts each recording of one person and activity to half-overlapping windows of 10 s.

    Seed 0 groups the people in the order of the file, any other seed at random.
    """
    table = pq.read_table(path)
    subject = table["subject"].to_numpy()
    activity = table["activity"].to_numpy(zero_copy_only=False).astype(str)
    signal = np.stack([table[axis].to_numpy() for axis in "xyz"], axis=1).astype(np.float64)
    people = np.unique(subject)
    if seed:
        people = np.random.default_rng(seed).permutation(people)
    domains = []
    for start in range(0, len(people), _PEOPLE):
        group = people[start : start + _PEOPLE]
        train: list[tuple[Floats, Array]] = []
        validation: list[tuple[Floats, Array]] = []
        for person in group:
            for name in np.unique(activity[subject == person]):
                windows = _windows(signal[(subject == person) & (activity == name)])
                cut = int(_TRAIN_SHARE * len(windows))
                for rows, part in ((windows[:cut], train), (windows[cut:], validation)):
                    part.append((features(rows), np.full(len(rows), name)))
        rng = np.random.default_rng([seed, start])
        whole = _part(train + validation)
        domains.append(domain("-".join(map(str, group)), _part(train), _part(validation), whole, rng))
    return Corpus(COLUMNS, tuple(domains))


def features(windows: Floats) -> Floats:
    """Statistics of windows [windows, samples, 3]; returns [windows, len(COLUMNS)]."""
    if not len(windows):
        return np.zeros((0, len(COLUMNS)))
    magnitude = np.linalg.norm(windows, axis=2, keepdims=True)
    signal = np.concatenate([windows, magnitude], axis=2)
    centred = signal - signal.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(centred, axis=1)) ** 2 / signal.shape[1]
    frequency = np.fft.rfftfreq(signal.shape[1], 1 / _HZ)
    deviation = centred.std(axis=1)
    correlations = [
        (centred[:, :, one] * centred[:, :, other]).mean(axis=1)
        / np.maximum(deviation[:, one] * deviation[:, other], 1e-9)
        for one, other in _PAIRS
    ]
    bands = [
        np.log1p(power[:, (frequency >= low) & (frequency < high)].sum(axis=1)) for low, high in _BANDS_HZ
    ]
    return np.concatenate(
        [
            signal.mean(axis=1),
            deviation,
            *np.quantile(signal, [0.05, 0.5, 0.95], axis=1),
            np.abs(np.diff(signal, axis=1)).mean(axis=1),
            (np.diff(np.signbit(centred), axis=1)).mean(axis=1),
            frequency[power.argmax(axis=1)],
            *bands,
            np.stack(correlations, axis=1),
        ],
        axis=1,
    )


def _windows(signal: Floats) -> Floats:
    starts = range(0, len(signal) - _WINDOW + 1, _WINDOW // 2)
    windows = [signal[start : start + _WINDOW] for start in starts]
    return np.stack(windows) if windows else np.zeros((0, _WINDOW, 3))


def _part(pieces: list[tuple[Floats, Array]]) -> Part:
    return Part.of(
        np.concatenate([rows for rows, _ in pieces]), np.concatenate([names for _, names in pieces])
    )
