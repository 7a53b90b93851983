"""The table of reasons why a request did not become items: dropped while serving, or rejected while scoring.

The metrics, the captures, the reference page and the runbook's test read these tables. A reason is added
here, with its meaning and what an operator does about it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """A label value of a metric; `meaning` says what happened, `advice` what to do about it."""

    _value_: str
    meaning: str
    advice: str

    def __new__(cls, value: str, meaning: str, advice: str) -> Self:
        """Makes a member that is its label value."""
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.meaning = meaning
        reason.advice = advice
        return reason


class DropReason(Reason):
    """Why a request that the sampler wanted did not become a sample; the keys of `Accounting.dropped`."""

    QUEUE_FULL = (
        "queue_full",
        "The scoring process takes no more requests at the moment, or it does not run.",
        "Lower `sample.fraction` or `sample.max_per_second`, or raise `scoring.queue` for bursts.",
    )
    MEMORY_FULL = (
        "memory_full",
        "The open calls of a listening address hold the 64 MiB that its capture may use.",
        "Lower `sample.fraction` or `sample.max_per_second`.",
    )
    OVERSIZE = (
        "oversize",
        "The request or its answer is larger than `sample.max_item_bytes`.",
        "Raise `sample.max_item_bytes`.",
    )
    UNDECODABLE = (
        "undecodable",
        "The bytes break the rules of HTTP, of gRPC or of the compression that they name.",
        "Find the client that does not speak the protocol that the capture expects.",
    )
    UNKNOWN_CODING = (
        "unknown_coding",
        "The message is compressed by something other than gzip or deflate.",
        "Let the client compress with gzip, or not at all.",
    )
    UNPAIRED = (
        "unpaired",
        "Only the request or only the answer arrived within 60 seconds.",
        "Check that the logger sends both, and that it loses no events.",
    )
    FAILED_CALL = (
        "failed_call",
        "The model server answered with an error, or its answer broke off.",
        "Look at the model server's own errors.",
    )
    CANCELLED = (
        "cancelled",
        "The client, or what copied its call, gave up by a cancellation, a deadline or a lost connection.",
        "Look at the clients' deadlines.",
    )


class RejectReason(Reason):
    """Why a sampled request did not become items; the reasons of `requests_rejected`."""

    UNDECODABLE = (
        "undecodable",
        "The request is malformed or contradicts itself.",
        "Find the client; the model server should refuse such a request, too.",
    )
    SHARED_MEMORY = (
        "shared_memory",
        "The tensors are in shared memory and not in the request, so they cannot be copied.",
        "Let the client send its tensors in the request.",
    )
    NO_ITEMS = (
        "no_items",
        "The inputs share no first axis with at least one row.",
        "Find the client; the model server should refuse such a request, too.",
    )
    NOT_FINITE = (
        "not_finite",
        "An input holds NaN or infinity.",
        "Find the client that sends such values.",
    )
    WRONG_INPUT = (
        "wrong_input",
        "The tensors are not those that the incumbent's profile describes.",
        "Compare them with `pilotfish profile show`, and see `input` in the configuration.",
    )
    CPU_BUDGET = (
        "cpu_budget",
        "The candidates cannot keep up within the processor time that scoring may use.",
        "Sample less, or raise `scoring.cpu_share`.",
    )
