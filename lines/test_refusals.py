"""What the daemon says when it cannot have its lines: one line that names them, and status 2."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lines.rig import BACKENDS, Daemon, until

CHIP = Path("/dev/gpiochip0")
HOLD = """
import gpiod, sys, time
request = gpiod.request_lines("/dev/gpiochip0", {int(sys.argv[1]): None}, consumer="blinker")
print("held", flush=True)
time.sleep(3600)
"""


@contextmanager
def held(line: int) -> Iterator[int]:
    """Somebody else has GPIO`line`; gives their process number."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(line)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process.pid
        process.kill()


def refusal(folder: Path, factory: str, config: str = "", prefix: tuple[str, ...] = ()) -> str:
    """The one line that it says instead of starting."""
    with Daemon(folder, factory, config, prefix) as daemon:
        assert daemon.process.wait(20.0) == 2, daemon.said
    assert daemon.said.count("\n") == 1, daemon.said
    return daemon.said


@pytest.mark.parametrize("factory", [*BACKENDS, "auto"])
@pytest.mark.parametrize(
    ("line", "setting"),
    [(23, "sensor.trigger_pin"), (24, "sensor.echo_pin"), (18, "buzzer.pin"), (13, "motor.pin")],
)
def test_a_line_that_somebody_has_is_refused_with_their_name(
    factory: str, line: int, setting: str, tmp_path: Path
) -> None:
    with held(line) as pid:
        told = refusal(tmp_path, factory)
    assert f"{setting} = {line}: GPIO{line} is held by python" in told
    assert f'(process {pid}), as "blinker"' in told
    assert told.rstrip().endswith("end that program or choose another pin")


@pytest.mark.parametrize("factory", [*BACKENDS, "auto"])
def test_without_the_chip_it_says_so(factory: str, tmp_path: Path) -> None:
    away = CHIP.with_name("away")
    CHIP.rename(away)
    try:
        told = refusal(tmp_path, factory)
    finally:
        away.rename(CHIP)
    assert f'gpio.factory = "{factory}": no GPIO chip (/dev/gpiochip*) on this machine' in told
    assert "rearguard simulate" in told


@pytest.mark.parametrize("factory", [*BACKENDS, "auto"])
def test_a_forbidden_chip_names_the_group(factory: str, tmp_path: Path) -> None:
    """Root without the right to pass over a file's mode is an ordinary user."""
    mode = CHIP.stat().st_mode
    CHIP.chmod(0)
    try:
        told = refusal(
            tmp_path, factory, prefix=("setpriv", "--bounding-set=-dac_override,-dac_read_search")
        )
    finally:
        CHIP.chmod(mode)
    assert f'gpio.factory = "{factory}": {CHIP}: no permission' in told
    assert "group gpio" in told


@pytest.fixture
def shuffled() -> Iterator[None]:
    """Numbers as on a Pi 5 before Linux 6.6.45: another chip is gpiochip0, the header gpiochip4."""
    other = Path("/run/configfs/gpio-sim/other")
    if not other.parent.exists():
        other.parent.parent.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "configfs", "configfs", other.parent.parent], check=True)
    bank = other / "bank0"
    bank.mkdir(parents=True)
    (bank / "num_lines").write_text("54")
    (bank / "label").write_text("raspberrypi-exp-gpio")
    (other / "live").write_text("1")
    header, decoy = (
        CHIP.with_name("gpiochip4"),
        CHIP.with_name((bank / "chip_name").read_text().strip()),
    )
    until(decoy.exists, 5.0)
    CHIP.rename(header)
    decoy.rename(CHIP)
    yield
    CHIP.rename(decoy)
    header.rename(CHIP)
    (other / "live").write_text("0")
    bank.rmdir()
    other.rmdir()


@pytest.mark.usefixtures("shuffled")
@pytest.mark.parametrize("factory", [*BACKENDS, "auto"])
def test_the_header_is_found_by_its_label(factory: str, tmp_path: Path) -> None:
    """Its lines are the ones that get busy, whatever its number."""
    with Daemon(tmp_path, factory) as daemon:
        daemon.hears("watching")
        time.sleep(0.5)
        info = subprocess.run(
            [sys.executable, "-c", CONSUMERS, "/dev/gpiochip4", "/dev/gpiochip0"],
            check=True,
            stdout=subprocess.PIPE,
            env=os.environ,
        )
    header, other = info.stdout.split(b"\n")[:2]
    assert header == b"[13, 18, 23, 24]"
    assert other == b"[]"


CONSUMERS = """
import gpiod, sys
for path in sys.argv[1:]:
    with gpiod.Chip(path) as chip:
        print([n for n in range(54) if chip.get_line_info(n).used])
"""


def test_gpiod_lines_carry_our_name(tmp_path: Path) -> None:
    with Daemon(tmp_path, "gpiod") as daemon:
        daemon.hears("watching")
        script = (
            "import gpiod\n"
            "with gpiod.Chip('/dev/gpiochip0') as chip:\n"
            "    print({chip.get_line_info(n).consumer for n in (13, 18, 23, 24)})\n"
        )
        told = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE)
    assert told.stdout == b"{'rearguard'}\n"
