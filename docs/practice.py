"""Lives the starter plan through and draws docs/walk.svg and docs/progress.svg.

`python docs/practice.py`: six weeks of practice in a simulated park, in virtual time, kept as the
device keeps them and drawn by what `rearguard walks show --plot` and `walks plan --plot` use. The
same files each time.
"""

import os
import tempfile
import time
from pathlib import Path

from device.settings import CoachSettings, Settings, WalksSettings
from device.sim import practice
from device.walks import command

SHOWN = 8
"""The walk with everything in it: stretches, a stop, passers-by, a loose wire."""
SETTINGS = Settings(coach=CoachSettings(mode="plan"), walks=WalksSettings(weight_kg=70.0))
HERE = Path(__file__).parent


def main() -> None:
    """Live, write the pictures beside this file, and say how long it took."""
    os.environ["TZ"] = "UTC"  # the same dates everywhere
    time.tzset()
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "walks.db"
        lived = practice.live(book, SETTINGS, jobs=os.cpu_count() or 1)
        lived_s = time.perf_counter() - began_s
        _, one = command.show(book, SHOWN, HERE / "walk.svg")
        _, plan = command.plan(book, SETTINGS.coach, HERE / "progress.svg")
        print(*one, "", *plan, sep="\n")
    took_s = time.perf_counter() - began_s
    print(f"\n{len(lived)} walks lived in {lived_s:.1f} s, with pictures {took_s:.1f} s")


if __name__ == "__main__":
    main()
