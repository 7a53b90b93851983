"""Which items a candidate is given next."""

from __future__ import annotations

from sidecar.scoring.endpoint.progress import Progress

BATCH = 10


def test_a_batch_that_was_not_answered_in_time_is_given_again_a_few_times() -> None:
    progress = Progress()
    for _ in range(2):
        progress.given(0, BATCH)
        progress.missed(0, again=True)
        assert progress.next_id == 0
    progress.given(0, BATCH)
    progress.missed(0, again=True)
    assert progress.next_id == BATCH


def test_a_batch_that_is_not_worth_it_is_passed_over() -> None:
    progress = Progress()
    progress.given(0, BATCH)
    progress.missed(0, again=False)
    assert progress.next_id == BATCH


def test_a_server_that_answers_again_is_given_all_that_it_missed() -> None:
    progress = Progress()
    for first_id in (0, 10, 20):
        progress.given(first_id, BATCH)
        progress.missed(first_id, again=False)
    progress.given(30, BATCH)
    progress.answered(30, BATCH, was_out=True)
    assert progress.next_id == 0


def test_an_answer_to_old_items_leads_back_to_none_so_that_returning_ends() -> None:
    progress = Progress()
    progress.given(0, BATCH)
    progress.answered(0, BATCH, was_out=False)
    progress.given(10, BATCH)
    progress.missed(10, again=False)
    progress.answered(0, BATCH, was_out=True)
    assert progress.next_id == 20


def test_the_missed_items_are_tried_once_all_newer_ones_were() -> None:
    progress = Progress()
    progress.begin_again(0)
    assert progress.next_id == 0
    progress.given(0, BATCH)
    progress.missed(0, again=False)
    progress.begin_again(20)
    assert progress.next_id == BATCH
    progress.given(10, BATCH)
    progress.begin_again(20)
    assert progress.next_id == 0
