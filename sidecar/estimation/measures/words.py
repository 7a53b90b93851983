"""Word measures: how far the words of the live texts lie from those of the source.

Counted are the profile's words and, as the source's rarer words are not kept, hashed buckets for
all others; there the source counts as 0.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from sidecar.core.evidence import Evidence
from sidecar.core.ranking import Estimate
from sidecar.core.tensors import Array, Floats
from sidecar.estimation.measures.divergence import LN2, jsd
from sidecar.estimation.measures.interval import jackknife, mean_estimate

# Few of a partition's words share a bucket with another frequent one, and a partition takes 32 kB.
OTHER_BUCKETS = 4096
# The published variant compares over so many words, and counts partitions nearer than so many nats.
JOINT_WORDS = 300
WORD_TAU = 0.6


def word_counts(words: Iterable[Sequence[str]], vocabulary: Sequence[str]) -> Array:
    """Counts the words of items.

    Args:
        words: words of each item, as `sidecar.core.row_words.row_words` gives them.
        vocabulary: the profile's words, W different ones.

    Returns:
        int64 [W + OTHER_BUCKETS]: the vocabulary's, then those of all other words by bucket.
    """
    counts = Counter(chain.from_iterable(words))
    known = [counts.pop(word, 0) for word in vocabulary]
    buckets = [zlib.crc32(word.encode()) % OTHER_BUCKETS for word in counts]
    others = np.zeros(OTHER_BUCKETS, dtype=np.int64)
    np.add.at(others, np.array(buckets, dtype=np.int64), list(counts.values()))
    return np.concatenate([np.array(known, dtype=np.int64), others])


def word_jsd(evidence: Evidence) -> tuple[Estimate, ...]:
    """Takes the divergence of window and source over their joint 300 most frequent words.

    Words are chosen by their shares in both, so that the larger side does not choose alone. The
    interval is the jackknife's over target partitions, with the words as the whole window has them.

    Returns:
        value 0 to ln 2, nats, of each candidate.

    References:
        arXiv 2206.00188, JSD over words.
    """
    answers: list[Estimate] = []
    for profile, target in evidence.sources:
        source, window = _padded(profile.word_counts.sum(axis=0)), target.words.sum(axis=0)
        chosen = _most_frequent(source / source.sum() + window / max(window.sum(), 1))
        values = _divergence(source[chosen], np.vstack([window, window - target.words])[:, chosen])
        answers.append(jackknife(float(values[0]), values[1:], (0.0, LN2)))
    return tuple(answers)


def word_adaptivity(evidence: Evidence) -> tuple[Estimate, ...]:
    """Counts matching pairs of source and target partitions, per target partition.

    A pair matches where its divergence over its own joint 300 most frequent words is under 0.6.
    Product reviews of any two kinds lie under 0.3, so this tells nothing among them: see `word_jsd`.

    Returns:
        value 0 to S of each candidate.

    References:
        arXiv 2206.00188, adaptivity of texts; whole words, where the released code compares their
        first characters.
    """
    answers: list[Estimate] = []
    for profile, target in evidence.sources:
        counts = []
        for words in target.words:
            # Of words that no source partition holds, only the most frequent can be chosen.
            others = np.sort(words[len(profile.words) :])[-JOINT_WORDS:]
            window = np.concatenate([words[: len(profile.words)], others])
            sources = np.pad(profile.word_counts, ((0, 0), (0, len(others))))
            chosen = _most_frequent(sources + window)
            apart = _divergence(np.take_along_axis(sources, chosen, axis=1), window[chosen])
            counts.append((apart < WORD_TAU).sum())
        answers.append(mean_estimate(np.array(counts), (0, len(profile.word_counts))))
    return tuple(answers)


def _padded(counts: Array) -> Array:
    """A profile's counts [W] beside the window's: it keeps none of other words."""
    return np.pad(counts, (0, OTHER_BUCKETS))


def _most_frequent(joint: Array) -> Array:
    """The JOINT_WORDS greatest along the last axis; the first of equal ones."""
    return np.argsort(-joint, axis=-1, kind="stable")[..., :JOINT_WORDS]


def _divergence(source: Array, window: Array) -> Floats:
    """JSD along the last axis; ln 2 where either side holds none of the words."""
    both = (source.sum(axis=-1) > 0) & (window.sum(axis=-1) > 0)
    some = np.ones(source.shape[-1])
    apart = jsd(np.where(both[..., None], source, some), np.where(both[..., None], window, some))
    return np.where(both, apart, LN2)
