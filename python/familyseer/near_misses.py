"""What a user may have meant by a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, names: Iterable[str], most: int = 1, cutoff: float = 0.6, prefix: str = "") -> str:
    """` Did you mean ...?`, with at most `most` names as like the word as difflib's `cutoff` says, or nothing.

    `prefix` is what goes before each where the user writes it.
    """
    near = difflib.get_close_matches(word, list(names), n=most, cutoff=cutoff)
    return f" Did you mean {' or '.join(prefix + each for each in near)}?" if near and near[0] != word else ""
