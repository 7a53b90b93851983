"""Which of the window's items a candidate is given next, and which items its server missed."""

from __future__ import annotations

from typing import Final

# How often a candidate returns to items that its server did not answer in time before the server answers
# newer items: as often as the server's breaker needs to open.
_RETURNS: Final = 2


class Progress:
    """One candidate's place in the window.

    A batch that a server did not answer in time is given again, a few times. While the breaker is open the
    server is tried with newer items, so that one bad batch cannot keep the candidate out. When the server
    answers again, it is given everything that it missed, whatever the failure was: it may be a new server.

    Attributes:
        next_id: number of the item that the candidate is given next.
    """

    def __init__(self) -> None:
        self.next_id = 0
        self._missed_from: int | None = None
        self._answered_to = 0
        self._returns = 0

    def given(self, first_id: int, items: int) -> None:
        """Notes that the candidate was given a batch."""
        self.next_id = first_id + items

    def begin_again(self, until_id: int) -> None:
        """Returns to the missed items if the candidate was given everything before `until_id`."""
        if self._missed_from is not None and self.next_id >= until_id:
            self.next_id = self._missed_from

    def answered(self, first_id: int, items: int, *, was_out: bool) -> None:
        """Notes that a server answered a batch.

        Args:
            first_id: number of the batch's first item.
            items: items in the batch.
            was_out: whether the breaker was open until this answer.
        """
        missed_from, self._missed_from = self._missed_from, None
        # Only an answer to newer items leads back to missed ones, so that returning ends.
        if first_id < self._answered_to:
            return
        self._answered_to = first_id + items
        self._returns = 0
        if was_out and missed_from is not None:
            self.next_id = min(self.next_id, missed_from)

    def missed(self, first_id: int, *, again: bool) -> None:
        """Notes that a server did not answer a batch.

        Args:
            first_id: number of the batch's first item.
            again: whether the batch is worth giving again.
        """
        self._missed_from = first_id if self._missed_from is None else min(self._missed_from, first_id)
        if again and self._returns < _RETURNS:
            self._returns += 1
            self.next_id = min(self.next_id, first_id)
