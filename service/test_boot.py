"""From power on to power off: the service is there by itself, and the wearer can end it.

The module's machine is its own, so it may be switched off and on.
"""

import os
import signal
import time
from collections.abc import Callable

from service.rig import (
    CONFIG,
    STATE,
    UNIT,
    WALKING,
    Machine,
    Pins,
    log,
    main_pid,
    ready_s,
    told,
    until,
)
from service.test_unit import DROP_IN, HOOKED

Note = Callable[[str], None]
BUTTON = """
[button]
enabled = true
pin = 3
hold_s = 1.0
"""
FINGER = """
import gc, signal

def press(*_):
    for thing in gc.get_objects():
        if type(thing).__name__ == "MockBoard":
            thing.line(3).drive(False)

signal.signal(signal.SIGUSR2, press)
"""
"""On SIGUSR2 the button goes down, and stays there."""


def began_s(machine: Machine) -> float:
    """When its process 1 began, by our monotonic clock."""
    shown = machine.systemctl("show --property=UserspaceTimestampMonotonic --value")
    return int(shown) / 1e6


def test_it_is_up_soon_after_power_on(machine: Machine, note: Note) -> None:
    machine.boot_again()
    took_s = ready_s(machine, 0.0) - began_s(machine)
    note(f"boot: READY {took_s:.3f} s after process 1 began")
    assert took_s <= 5.0
    told(machine, lambda said: said["proven"])
    assert "restarted" not in log(machine)  # it was switched off in good order
    order = machine.show(UNIT, "After").split()
    assert "sysinit.target" in order
    assert not [unit for unit in order if unit.startswith("network")]


def test_after_power_loss_it_walks_on_as_if_switched_off(machine: Machine) -> None:
    machine.systemctl("restart rearguard")
    told(machine, lambda said: said["journal"] and said["journal"]["written_bytes"] > 5000)
    kept = len(list((machine.root / STATE / "journals").iterdir()))
    machine.kill()
    machine.boot_again()
    told(machine, lambda said: said["proven"])
    assert "restarted" not in log(machine)
    assert len(list((machine.root / STATE / "journals").iterdir())) >= kept


def test_the_machine_going_down_ends_it_in_good_order(machine: Machine) -> None:
    told(machine, lambda said: said["proven"])
    with Pins(machine) as pins:
        until(pins.high, 10.0)
        machine.systemctl("poweroff", check=False)
        machine.wait_off()
        assert not pins.high()
    machine.boot_again()
    told(machine, lambda said: said["proven"])


def test_a_long_press_ends_the_walk_and_powers_off(machine: Machine, note: Note) -> None:
    machine.write("/opt/hook/sitecustomize.py", FINGER)
    machine.write(f"{DROP_IN}/hook.conf", HOOKED)
    machine.write(CONFIG, WALKING + BUTTON)
    machine.run("systemctl daemon-reload; systemctl restart rearguard")
    told(machine, lambda said: said["proven"])
    with Pins(machine) as pins:
        until(pins.high, 10.0)
        pressed_s = time.monotonic()
        os.kill(main_pid(machine), signal.SIGUSR2)
        machine.wait_off()
        note(f"long press of 1 s: off {time.monotonic() - pressed_s:.1f} s after it began")
        assert not pins.high()
    machine.boot_again()
    told(machine, lambda said: said["proven"])
    assert "restarted" not in log(machine)
