"""What the rounds of both drop-in schedulers have alike."""

from __future__ import annotations

from collections.abc import Sequence

# Programs of a foresee round, the reference's number, and of the main round there (FamilySeer, section 4.2).
FORESEE_TRIALS = 16
MAIN_TRIALS = 64


class FirstRound:
    """Says why no program ran, if none of a tuning's first round did: TVM goes on without a word."""

    def __init__(self) -> None:
        self._over = False

    def tell(self, costs: Sequence[float | None], error: str | None) -> None:
        """`costs` of a round's programs, None where one failed, and its first error."""
        if not self._over and error is not None and all(cost is None for cost in costs):
            print(f"None of the first {len(costs)} programs ran. The first error:\n{error}")
        self._over = True
