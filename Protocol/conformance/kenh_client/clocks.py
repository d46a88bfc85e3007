"""Hybrid clocks (README section 10): milliseconds in the upper 48 bits, a tick in the lower 16."""

TOLERANCE_MS = 300_000
OFFSET_THRESHOLD_MS = 2_000


def clock_at(milliseconds: int) -> int:
    """The clock of a time with tick 0, clamped to 48 bits."""
    return max(0, min(milliseconds, 2**48 - 1)) << 16


def latest(milliseconds: int) -> int:
    """The latest clock that is believed of a change that was there at this time."""
    return clock_at(milliseconds + TOLERANCE_MS)


def claim(wall_ms: int, floor: int | None) -> int:
    """What a change claims: after everything that it names, as far as that is believable."""
    wall = clock_at(wall_ms)
    return wall if floor is None else max(wall, min(floor, latest(wall_ms)) + 1)


def effective(claimed: int, accepted_at_ms: int | None) -> int:
    """The clock that counts: bounded by when the centre took the block."""
    return claimed if accepted_at_ms is None else min(claimed, latest(accepted_at_ms))


def offset(centre_ms: int, sent_ms: int, received_ms: int) -> int:
    """How far the centre's clock is ahead of this one; small differences count as none."""
    difference = centre_ms - (sent_ms + received_ms) // 2
    return difference if abs(difference) >= OFFSET_THRESHOLD_MS else 0
