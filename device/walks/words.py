"""When it was, how long, how far: the words and figures that all of this package shares.

A Raspberry Pi has no clock that outlives its power. What is always known of a walk is the boot
and the seconds since it; the date only once the clock had been set. Where it is not known the
walks before and after, which are in order, say between which dates it was.
"""

import time
from collections.abc import Sequence
from datetime import date

from msgspec import Struct

from device.history.records import Walk

LEAST_S = 60.0
"""Who moves about in a room begins a walk that is none: shorter, begun by itself."""
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CUES = {
    "mark": "half of it is done",
    "done": "the target is reached",
    "enough": "it is enough",
    "forward": "now forward",
    "backward": "now backward",
    "slower": "too fast for what can be seen",
    "rest": "rest: three STOPs in five minutes",
}
"""What the walk's own cues say. MARK also answers the press that begins a walk."""


class When(Struct, frozen=True):
    """When a walk began.

    `local`: ISO 8601 with its offset, by this computer's zone; None where the clock had not been
    set. `boot_id`, `after_power_on_s`: always. `after`, `before`: ISO 8601 dates and times of the
    nearest walks that are known, for one that is not.
    """

    local: str | None
    boot_id: str
    after_power_on_s: float
    after: str | None = None
    before: str | None = None


def whens(walks: Sequence[Walk]) -> list[When]:
    """When each of them began; they are in order."""
    before: list[float | None] = []
    next_s: float | None = None
    for walk in reversed(walks):
        before.append(next_s)
        next_s = next_s if walk.began_wall_s is None else walk.began_wall_s
    found = []
    after_s: float | None = None
    for walk, before_s in zip(walks, reversed(before), strict=True):
        boot_id, power_s, wall_s = walk.boot_id, walk.began_monotonic_s, walk.began_wall_s
        if wall_s is None:
            found.append(When(None, boot_id, power_s, iso(after_s), iso(before_s)))
        else:
            found.append(When(iso(wall_s), boot_id, power_s))
            after_s = wall_s
    return found


def iso(wall_s: float | None) -> str | None:
    """ISO 8601, to the second, local time with its offset; None for None."""
    if wall_s is None:
        return None
    local = time.localtime(wall_s)
    offset = time.strftime("%z", local)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}{offset[:3]}:{offset[3:]}"


def short(when: When) -> str:
    """When, in 20 characters."""
    if when.local is not None:
        return f"{weekday(when.local)} {when.local[:10]} {when.local[11:16]}"
    if when.after is not None:
        return f"after {weekday(when.after)} {when.after[:10]}"
    minutes = _minutes(when.after_power_on_s)
    later = f"{minutes} min" if minutes < 1000 else f"{minutes // 60} h"
    return f"boot {when.boot_id[:6]} +{later}"


def full(when: When) -> str:
    """When, in a sentence's part."""
    if when.local is not None:
        return short(when)
    bounds = [
        f"{word} {weekday(at)} {at[:10]} {at[11:16]}"
        for word, at in (("after", when.after), ("before", when.before))
        if at is not None
    ]
    boot = f"boot {when.boot_id[:6]}, {_minutes(when.after_power_on_s)} min after power-on"
    return f"not known{''.join(f', {bound}' for bound in bounds)} ({boot})"


def weekday(local: str) -> str:
    """Mon to Sun, of an ISO 8601 date."""
    return WEEKDAYS[date.fromisoformat(local[:10]).weekday()]


def length(seconds: float) -> str:
    """Minutes and seconds, "18 min 20 s"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def clock(seconds: float) -> str:
    """A moment of a walk, or how long, in a table: "18:20"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def asked(mode: str, week: int | None) -> str:
    """How the walk was asked, in at most 9 characters."""
    return mode if week is None else f"week {week}"


def tiny(walk: Walk) -> bool:
    """Whether it is one of those that nobody asks about."""
    return walk.beginning.begun == "motion" and walk.totals.walked_s < LEAST_S


def ended(walk: Walk, last: bool, this_boot: str) -> str:
    """How it ended: stood, unseen, button, stopped; power where that was cut; open if it may go on.

    `last`: none was begun after it. `this_boot`: of the machine that asks.
    """
    if walk.ended is not None:
        return walk.ended
    return "open" if last and this_boot and walk.boot_id == this_boot else "power"


def share(part: float, whole: float) -> float | None:
    """0 to 1, or None of nothing."""
    return min(1.0, part / whole) if whole > 0.0 else None


def percent(of: float | None) -> str:
    """A share for a person. What is not quite all of it is never rounded up to it."""
    if of is None:
        return "unknown"
    return f"{100.0 * of:.0f} %" if of >= 1.0 or of < 0.985 else f"{int(1000.0 * of) / 10:.1f} %"


def metres(distance_m: float | None) -> str:
    """A distance for a person."""
    return "-" if distance_m is None else f"{distance_m:.2f} m"


def plural(count: int, word: str) -> str:
    """Counted."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _minutes(seconds: float) -> int:
    return int(seconds // 60)
