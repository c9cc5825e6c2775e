"""`rearguard walks show`: one walk, told to whoever walked it, or treats who did."""

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from device import profiles
from device.history.records import LEVELS, Event, Totals, Walk
from device.walks import effort, words
from device.walks.effort import Pace
from device.walks.words import When

WIDTH = 80
TITLES = "  time  what    slowed  why"
BEGAN = {
    "motion": "by itself, when it was seen to move",
    "button": "by the button",
    "command": "by word, --walk",
}
ENDED = {
    "stood": "by standing still",
    "unseen": "when nothing more was seen of it",
    "button": "by the button",
    "stopped": "with the device",
    "power": "when the power was cut",
    "open": "not yet, or the device was killed",
}


class Report(Struct, frozen=True):
    """One walk. Seconds, metres; shares are 0 to 1.

    `asked_share`: how much of the target was walked. `protected_share`: of the walk, with a sensor
    that was believed. `reaction_s`: the median of `reactions_seen`; `not_slowed`: so often it was
    seen that there was none, and such an event's `reaction_s` is inf (null in JSON). `backward`,
    `forward`: what was asked, the pace that was seen, and the effort, an estimate. `closest_m`:
    from the sensor.
    """

    walk: int
    when: When
    begun: str
    ended: str
    mode: str
    week: int | None
    target_s: float
    most_s: float
    asked_share: float | None
    walked_s: float
    backward: Pace
    forward: Pace
    weight_kg: float | None
    kcal: float | None
    alerts: dict[str, int]
    closest_m: float | None
    reaction_s: float | None
    reactions_seen: int
    not_slowed: int
    protected_share: float | None
    faults: list[str]
    cues: dict[str, int]
    version: str
    sensor: str
    profile: str
    events: list[Event]


def report(walk: Walk, when: When, ended: str, events: Sequence[Event]) -> Report:
    """Put together what is kept of `walk`. What was said after its end is not of it."""
    asked, totals = walk.beginning, walk.totals
    events = [event for event in events if event.t_s <= totals.walked_s]
    backward, forward = effort.paces(totals, asked.weight_kg)
    slowed = [took_s for event in events if (took_s := slowed_s(event)) is not None]
    burnt = [pace.kcal for pace in (backward, forward) if pace.kcal is not None]
    return Report(
        walk=walk.id,
        when=when,
        begun=asked.begun,
        ended=ended,
        mode=asked.mode,
        week=asked.week,
        target_s=asked.target_s,
        most_s=asked.most_s,
        asked_share=totals.walked_s / asked.target_s if asked.target_s > 0 else None,
        walked_s=totals.walked_s,
        backward=backward,
        forward=forward,
        weight_kg=asked.weight_kg,
        kcal=round(sum(burnt), 1) if burnt else None,
        alerts=_alerts(totals),
        closest_m=totals.closest_m,
        reaction_s=median(slowed),
        reactions_seen=len(slowed),
        not_slowed=sum(event.reaction_s == math.inf for event in events),
        protected_share=words.share(totals.protected_s, totals.walked_s),
        faults=list(dict.fromkeys(event.what for event in events if event.kind == "fault")),
        cues=_counted(event.what for event in events if event.kind == "cue"),
        version=asked.version,
        sensor=asked.sensor,
        profile=asked.profile,
        events=events,
    )


def lines(found: Report, every: bool = False) -> Iterator[str]:
    """The report for a person, for 80 columns. `every`: each CAUTION in the list, too."""
    import textwrap  # noqa: PLC0415 - only here, and the list of walks must come quickly

    def said(name: str, *parts: str) -> Iterator[str]:
        text = "; ".join(part for part in parts if part)
        yield from textwrap.wrap(
            text, WIDTH, initial_indent=f"{name:12}", subsequent_indent=" " * 12
        )

    yield from said(f"walk {found.walk}", words.full(found.when))
    yield from said("asked", *_asked(found))
    yield from said("walked", *_walked(found))
    yield from said("began", f"{BEGAN.get(found.begun, found.begun)}; {_ended(found)}")
    yield from said("pace", *(_pace(*each, found.walked_s) for each in _directions(found)))
    yield from said("alerts", _counts(found.alerts), _closest(found.closest_m))
    yield from said("reaction", *_reaction(found))
    yield from said("protected", _protected(found.protected_share), _faults(found))
    yield from said("effort", *_effort(found))
    if found.cues:
        told = (_times(count) + words.CUES.get(what, what) for what, count in found.cues.items())
        yield from said("told", ", ".join(told))
    yield from said("device", f"rearguard {found.version}, {found.sensor}, {found.profile}")
    listed = [event for event in found.events if every or event.what != "caution"]
    if listed:
        yield ""
        yield TITLES
    for event in listed:
        yield from textwrap.wrap(
            event_line(event), WIDTH, subsequent_indent=" " * 24, break_on_hyphens=False
        )
    if len(listed) < len(found.events):
        yield "each CAUTION: --all"


def event_line(event: Event) -> str:
    """What was said at one moment, how soon it was answered, and why it was said."""
    what, why = event.what.upper(), event.cause
    if event.kind != "alert":
        what, why = event.kind, f"{event.what}: {why}" if why else event.what
    slowed = "" if event.reaction_s is None else f"{event.reaction_s:.2f} s"
    if event.reaction_s == math.inf:
        slowed = "no"
    return f"{words.clock(event.t_s):>6}  {what:8}{slowed:7} {why}".rstrip()


def slowed_s(event: Event) -> float | None:
    """How soon it was answered; None where it was not, or nobody knows."""
    return None if event.reaction_s == math.inf else event.reaction_s


def median(values: Sequence[float]) -> float | None:
    """The middle one, or None of none."""
    ordered, half = sorted(values), len(values) // 2
    if not ordered:
        return None
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _alerts(totals: Totals) -> dict[str, int]:
    counts = (totals.cautions, totals.warnings, totals.dangers, totals.stops)
    return dict(zip(LEVELS[1:], counts, strict=True))


def _counted(whats: Iterator[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for what in whats:
        counts[what] = counts.get(what, 0) + 1
    return counts


def _asked(found: Report) -> Iterator[str]:
    minutes = words.length(found.target_s)
    if found.week is not None:
        yield f"week {found.week} of the starter plan: {minutes} in pairs of backward and forward"
    elif found.mode == "intervals":
        yield f"{minutes}, backward and forward in turn"
    else:
        yield f"{minutes} in one stretch"
    if found.asked_share is not None:
        yield f"{100 * found.asked_share:.0f} % of it was walked"


def _walked(found: Report) -> Iterator[str]:
    yield words.length(found.walked_s)
    if found.forward.asked_s > 0:
        yield (
            f"asked backward {words.length(found.backward.asked_s)},"
            f" forward {words.length(found.forward.asked_s)}"
        )


def _times(count: int) -> str:
    return "" if count == 1 else f"{count} x "


def _directions(found: Report) -> list[tuple[str, Pace]]:
    """Forward only where it was asked, or seen."""
    both = [("backward", found.backward)]
    if found.forward.asked_s > 0 or found.forward.mps is not None:
        both.append(("forward", found.forward))
    return both


def _pace(word: str, pace: Pace, walked_s: float) -> str:
    if pace.mps is None:
        return f"{word} not known: too little in view showed it"
    seen = words.percent(words.share(pace.seen_s, walked_s))
    return f"{word} about {pace.mps:.2f} m/s, seen for {seen} of the walk"


def _ended(found: Report) -> str:
    return f"ended {ENDED.get(found.ended, found.ended)}"


def _counts(alerts: dict[str, int]) -> str:
    return ", ".join(f"{count} {level.upper()}" for level, count in alerts.items())


def _closest(closest_m: float | None) -> str:
    if closest_m is None:
        return "closest not known"
    touched = ": nearer than the heel, so it was probably touched"
    near = closest_m <= profiles.HEEL_LEAD_M
    return f"closest {words.metres(closest_m)} from the sensor{touched if near else ''}"


def _reaction(found: Report) -> Iterator[str]:
    if found.reaction_s is None:
        yield "not known: after no alert were you seen to slow"
    else:
        yield (
            f"{found.reaction_s:.2f} s from the first alert of an approach to half the speed, the"
            f" median of the {found.reactions_seen} that were seen"
        )
    if found.not_slowed:
        yield f"{words.plural(found.not_slowed, 'time')} not at all"


def _protected(share: float | None) -> str:
    if share is None:
        return ""
    return f"by a sensor that was believed for {words.percent(share)} of the walk"


def _faults(found: Report) -> str:
    return f"faults: {', '.join(found.faults)}" if found.faults else "no fault"


def _effort(found: Report) -> Iterator[str]:
    known = [(word, pace) for word, pace in _directions(found) if pace.met is not None]
    if not known:
        yield "not estimated, for it follows from the pace"
        return
    mets = ", ".join(f"{word} {pace.met:.1f} MET" for word, pace in known)
    yield f"an estimate, from a pace that reads low: {mets}"
    if found.kcal is None:
        yield "energy only with your weight, walks.weight_kg"
    else:
        yield f"{found.kcal:.0f} kcal at {found.weight_kg:g} kg, if all was walked at the pace seen"
        if len(known) < len(_directions(found)):
            yield "the other way not counted"
    if any(word == "forward" for word, _ in known):
        yield "forward taken for walking, jogging is more"
