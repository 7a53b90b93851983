"""The words of a text source: which are the most frequent, and how often in each partition."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np

from sidecar.core.profile import MAX_WORDS, MIN_WORD_ROWS
from sidecar.core.tensors import Array
from sidecar.estimation.measures.words import word_counts


class WordTally:
    """How often each word was seen, and in how many rows."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()

    def add(self, words: Array) -> None:
        """Adds rows, as `sidecar.core.row_words.row_words` gives them."""
        self._counts.update(chain.from_iterable(words))
        self._rows.update(chain.from_iterable(map(set, words)))

    def frequent(self) -> tuple[str, ...]:
        """The most frequent words, equal ones by the alphabet; none that few rows hold."""
        common = [word for word, rows in self._rows.items() if rows >= MIN_WORD_ROWS]
        return tuple(sorted(common, key=lambda word: (-self._counts[word], word))[:MAX_WORDS])


class PartitionWords:
    """The word counts of every partition, over batches; see `SourceProfile.word_counts`."""

    def __init__(self, partitions: int, vocabulary: tuple[str, ...]) -> None:
        self.counts = np.zeros((partitions, len(vocabulary)), dtype=np.int32)
        self.vocabulary = vocabulary

    def add(self, words: Array, groups: Array) -> None:
        """Adds rows of these partitions [rows]."""
        for group in np.unique(groups):
            found = word_counts(words[groups == group], self.vocabulary)
            self.counts[group] += found[: len(self.vocabulary)].astype(np.int32)
