"""Who is taken to hang: a scoring process that is silent and does nothing, or that goes in circles."""

from __future__ import annotations

import pytest

from sidecar.serving.link import Activity, hangs

WAITS = Activity(runnable=True, used_s=5.0)
SLEEPS = Activity(runnable=False, used_s=5.0)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (SLEEPS, True),
        # At idle priority it may get no processor time at all.
        (WAITS, False),
        # The main thread waits for others that work.
        (Activity(runnable=False, used_s=6.0), False),
        (Activity(runnable=True, used_s=124.9), False),
        (Activity(runnable=True, used_s=125.0), True),
        (None, True),
    ],
)
def test_a_silent_process_hangs_when_it_does_nothing_or_too_much(
    now: Activity | None, *, expected: bool
) -> None:
    assert hangs(WAITS, WAITS, now) is expected


def test_work_since_the_last_sign_counts_as_a_whole() -> None:
    assert hangs(WAITS, Activity(runnable=True, used_s=120.0), Activity(runnable=True, used_s=126.0))


def test_where_the_kernel_tells_nothing_silence_is_all_there_is() -> None:
    assert hangs(None, None, None)
