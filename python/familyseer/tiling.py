"""Tile sizes of a loop, whichever tuner's: near others that divide another extent, and one prime factor away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

Lengths = Sequence[int]
Rounding = Callable[[Sequence[int], int], int]

# How long an innermost tile, and with it a vector, may get: both tuners' max_innermost_factor.
MAX_INNERMOST = 64


def fitted_lengths(lengths: Lengths, extent: int, rounding: Rounding, most: int = MAX_INNERMOST) -> list[int]:
    """Tile sizes near `lengths`, whose product divides `extent`: the innermost, which matters most and is `most` at
    most, has its choice first."""
    made: list[int] = []
    for length in reversed(lengths):
        options = [each for each in divisors(extent) if made or each <= most]
        made.insert(0, rounding(options, length))
        extent //= made[0]
    return made


def moved_factors(levels: Lengths, most: int) -> Iterator[list[int]]:
    """The tile sizes that have a prime factor in another level than `levels`, in a fixed order; the innermost is `most`
    at most."""
    for source, length in enumerate(levels):
        for prime in primes(length):
            for target in range(len(levels)):
                moved = list(levels)
                moved[source] //= prime
                moved[target] *= prime
                if target != source and moved[-1] <= most:
                    yield moved


def nearest(options: Sequence[int], length: int) -> int:
    return min(options, key=lambda option: (max(option, length) / min(option, length), option))


def below(options: Sequence[int], length: int) -> int:
    return max(option for option in options if option <= length)


def above(options: Sequence[int], length: int) -> int:
    return min((option for option in options if option >= length), default=max(options))


@cache
def divisors(number: int) -> tuple[int, ...]:
    small = [each for each in range(1, int(number**0.5) + 1) if number % each == 0]
    return tuple(sorted({*small, *(number // each for each in small)}))


@cache
def primes(number: int) -> tuple[int, ...]:
    """The distinct prime factors."""
    return tuple(each for each in divisors(number) if len(divisors(each)) == 2)
