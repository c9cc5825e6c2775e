"""A walk as a live picture in the terminal, with rich.

Four things at a glance: where the walker is and what is behind them, what the device
believes, what it is doing about it, and the last seconds as a strip. Drawing is kept
to ten pictures a second so that it does not make the loop late.
"""

from collections import deque
from types import TracebackType
from typing import Self

from rich import box
from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from device import profiles
from device.core.alert import State
from device.core.pipeline import Step
from device.core.signals import Cue
from device.sim.run import Walk

FRAME_S = 0.1
STRIP_STEPS = 64
VIEW_WIDTH = STRIP_STEPS + 14
STRIP_ROWS = 6
RANGE_M = 4.0
COLOURS = {
    State.CLEAR: "green",
    State.CAUTION: "yellow",
    State.WARNING: "dark_orange",
    State.DANGER: "red",
    State.STOP: "bold white on red",
    State.AGAINST: "bold white on red",
}
BARS = " ▁▂▃▄▅▆▇█"


class Frame:
    """What the strip keeps of a tenth of a second."""

    def __init__(self) -> None:
        """Empty, until steps are added."""
        self.distance_m: float | None = None
        self.state = State.CLEAR
        self.fault = False
        self.buzzer = False
        self.motor = False

    def add(self, step: Step) -> None:
        """The worst of what happened within."""
        self.distance_m = step.track.distance_m
        self.state = max(self.state, step.alert.state)
        self.fault = self.fault or step.alert.fault is not None
        self.buzzer = self.buzzer or bool(step.command.buzzer)
        self.motor = self.motor or step.command.motor > 0


class LiveView:
    """An observer that draws; a context manager that owns the terminal meanwhile."""

    def __init__(self, walk: Walk, seed: int, console: Console) -> None:
        """Draws `walk` on `console`."""
        self._walk = walk
        self._seed = seed
        self._frames: deque[Frame] = deque(maxlen=STRIP_STEPS)
        self._frame = Frame()
        self._next_s = 0.0
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        self._live.stop()

    def __call__(self, step: Step) -> None:
        """Note `step`; draw when a tenth of a second has passed."""
        self._frame.add(step)
        if step.t_s < self._next_s:
            return
        self._next_s = step.t_s + FRAME_S
        self._frames.append(self._frame)
        self._frame = Frame()
        self._live.update(self.picture(step), refresh=True)

    def picture(self, step: Step) -> RenderableType:
        """The whole picture at `step`."""
        title = f"[bold]rearguard[/] · {self._walk.scenario.title} · seed {self._seed}"
        return Panel(
            Group(self._scene(step.t_s), Text(), self._figures(step), Text(), self._strip()),
            title=title,
            subtitle=f"{step.t_s:5.1f} s of {self._walk.scenario.duration_s:g} s · Ctrl-C ends it",
            box=box.ROUNDED,
            width=VIEW_WIDTH,
        )

    def _scene(self, t_s: float) -> Text:
        """The walk seen from the side: the walker backs to the right."""
        width = STRIP_STEPS
        world = self._walk.rig.world
        gap_m = world.gap_m(t_s)
        speed_mps = world.walker.place(t_s)[1]
        alert = self._walk.settings.alert
        needed_m = profiles.needed_m(
            alert.profile, max(0.0, speed_mps), reaction_s=alert.reaction_s
        )
        cells = [" "] * width
        for i in range(round(min(needed_m, RANGE_M) / RANGE_M * (width - 4))):
            cells[3 + i] = "·"
        text = Text("  walker ")
        if gap_m is not None and gap_m <= RANGE_M:
            cells[min(width - 1, 3 + round(gap_m / RANGE_M * (width - 4)))] = "█"
        text.append("☻▶", style="bold cyan")
        text.append("".join(cells[2:]))
        text.append(f"\n  {speed_mps:+.1f} m/s backward; ")
        text.append("open" if gap_m is None else f"truly {gap_m:.2f} m free")
        text.append(f"; · = the {needed_m:.2f} m needed to stop", style="dim")
        return text

    def _figures(self, step: Step) -> RenderableType:
        track, alert, command = step.track, step.alert, step.command
        left = Table.grid(padding=(0, 2))
        left.add_row("distance", _number(track.distance_m, "m"))
        left.add_row("closing", _number(track.closing_mps, "m/s"))
        left.add_row("touching in", _number(track.ttc_s if alert.closing else None, "s"))
        word = "AGAINST IT" if alert.state is State.AGAINST else alert.level.upper()
        level = Text(f"  {word}  ", style=f"reverse {COLOURS[alert.state]}")
        middle = Table.grid()
        middle.add_row(level)
        middle.add_row(Text(f"fault: {alert.fault}", style="bold magenta") if alert.fault else "")
        middle.add_row(Text("hushed", style="dim") if alert.hushed else "")
        right = Table.grid(padding=(0, 2))
        right.add_row("buzzer", _lamp(bool(command.buzzer), "♪ sounding"))
        right.add_row("motor", _lamp(command.motor > 0, f"≋ {command.motor:.0%}"))
        right.add_row("signal", "quiet" if step.cue is Cue.SILENCE else step.cue.name.lower())
        row = Table.grid(expand=True)
        for column in ("left", "center", "left"):
            row.add_column(justify=column, ratio=1)
        row.add_row(left, Align.center(middle), right)
        return row

    def _strip(self) -> Text:
        """Distance as a bar chart of the last seconds, buzzer and motor below it."""
        frames = list(self._frames)
        text = Text()
        for row in range(STRIP_ROWS, 0, -1):
            text.append(f"{RANGE_M * row / STRIP_ROWS:5.1f} m ", style="dim")
            for frame in frames:
                text.append(_bar(frame.distance_m, row), style=_frame_style(frame))
            text.append("\n")
        for name, on in (
            (" buzzer ", [f.buzzer for f in frames]),
            ("  motor ", [f.motor for f in frames]),
        ):
            text.append(name, style="dim")
            text.append("".join("▀" if lit else " " for lit in on), style="bold cyan")
            text.append("\n")
        text.append(" " * 8 + f"the last {STRIP_STEPS * FRAME_S:.0f} s", style="dim")
        return text


def _bar(distance_m: float | None, row: int) -> str:
    if distance_m is None:
        return " "
    eighths = round(min(distance_m, RANGE_M) / RANGE_M * STRIP_ROWS * 8) - (row - 1) * 8
    return BARS[max(0, min(8, eighths))]


def _frame_style(frame: Frame) -> str:
    if frame.fault:
        return "magenta"
    return "red" if frame.state >= State.STOP else COLOURS[frame.state]


def _number(value: float | None, unit: str) -> Text:
    return Text("—", style="dim") if value is None else Text(f"{value:5.2f} {unit}")


def _lamp(lit: bool, words: str) -> Text:
    return Text(words, style="bold cyan") if lit else Text("off", style="dim")
