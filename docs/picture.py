"""Draws docs/simulate.svg, the README's picture: `python docs/picture.py`.

It is the live view itself at one moment of `rearguard simulate wall --seed 1`.
"""

import io
import re
from pathlib import Path

from rich.console import Console

from device.clock import VirtualClock
from device.core.pipeline import Step
from device.settings import Settings
from device.sim import scenario
from device.sim.run import Walk
from device.sim.view import LiveView

MOMENT_S = 2.9
SEED = 1


def main() -> None:
    """Write the picture beside this file."""
    walk = Walk(scenario.load("wall"), Settings(), SEED, VirtualClock())
    console = Console(record=True, width=90, file=io.StringIO(), force_terminal=True)
    view = LiveView(walk, SEED, Console(file=io.StringIO(), width=90))
    shown: list[Step] = []

    def observe(step: Step) -> None:
        view(step)
        if step.t_s >= MOMENT_S and step.command.buzzer and not shown:
            shown.append(step)
            console.print(view.picture(step))

    walk.go([observe])
    svg = console.export_svg(title="rearguard simulate wall")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+", "terminal", svg)
    Path(__file__).with_name("simulate.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
