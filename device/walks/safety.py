"""`rearguard walk`: what to make sure of before walking backward, asked one by one.

The device sees what stands upright behind the wearer and nothing else: no curb, no step down, and
nothing through a coat. And walking backward has rules of its own, whatever one wears. Turning the
head round to look is a named cause of falls; people with poor balance or osteoporosis should not do
this alone. A question whose answer makes the walk unsafe ends the check with what to do about
it. Nothing is assumed, and whoever leaves has said no.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

Ask = Callable[[str], bool]
"""A question to whoever walks; whether they said yes."""


class Question(NamedTuple):
    """Yes goes on; `remedy`: what to do about a no."""

    name: str
    text: str
    remedy: str


QUESTIONS = (
    Question(
        "ground",
        "Is the ground flat, and known to you: no curb, step, hole, water or drop?",
        "it sees none of these, ever: walk there forward first, or elsewhere",
    ),
    Question(
        "people",
        "Are there few people, and no bicycles, cars or loose dogs?",
        "choose a quieter place or hour: they do not know that you cannot see",
    ),
    Question(
        "shoes",
        "Do you wear flat shoes that hold, with their laces tied?",
        "change them: a heel or a loose lace trips you before a wall does",
    ),
    Question(
        "sensor",
        "Does the sensor look straight behind you, with no coat or hair over it?",
        "clear it, and let it look level: what covers it is all that it sees",
    ),
    Question(
        "posture",
        "Will you walk upright or leaning back a little, in small steps, and look\n"
        "with the corner of your eye, never twisting your head round?",
        "do not walk backward then: twisting the head round leads to falls",
    ),
)
CHIRP = Question(
    "chirp",
    "Did you hear its chirp and feel its pulse when it was switched on?",
    "switch it off and on; if both stay out again, rearguard selftest",
)
"""Of a device that is on already; one that is not has yet to say it."""
BALANCE = Question(
    "balance",
    "Is your balance good, and are you without osteoporosis and recent falls?",
    "",
)
HELP = Question(
    "help",
    "Did your doctor or physiotherapist say that you may, and is somebody beside\n"
    "you who can hold you?",
    "ask your doctor or physiotherapist first, and come back with somebody",
)
LEFT = Question("left", "", "nobody answered to the end: begin again with rearguard walk")
LAST = "Good. Fast pulses: stop at once. Look round only when you stand."
WAIT = "Do not move before its chirp and its pulse: without them nothing protects you."


class Result(Struct, frozen=True):
    """What came of it. `no`: the question that ended it, `remedy`: what to do about that."""

    good: bool
    no: str | None = None
    remedy: str | None = None


def check(ask: Ask, tell: Callable[[str], None], on: bool) -> Result:
    """Go through the questions; a no ends it, and so does Ctrl-C. `on`: the device is, already."""
    try:
        no = _first_no(ask, on)
    except KeyboardInterrupt:
        no = LEFT
    if no is not None:
        tell(f"NOT NOW: {no.remedy}")
        return Result(False, no.name, no.remedy)
    tell(LAST)
    if not on:
        tell(WAIT)
    return Result(True)


def _first_no(ask: Ask, on: bool) -> Question | None:
    for question in (*QUESTIONS, CHIRP) if on else QUESTIONS:
        if not ask(question.text):
            return question
    if not ask(BALANCE.text) and not ask(HELP.text):
        return HELP
    return None
