"""How often to look for something that nobody announces."""

from __future__ import annotations

SHORTEST, LONGEST = 0.02, 0.25
"""The shortest and the longest pause, in seconds."""

SHARE = 0.1
"""The pause as a share of the time without news."""


def pause_after(silent: float) -> float:
    """Return how long to pause before the next look, in seconds.

    The longer there was nothing, the longer the pause: many requests that follow silent jobs must not keep a
    server busy.

    :param silent: seconds since there was something last
    """
    return min(max(SHORTEST, silent * SHARE), LONGEST)
