"""The bench of real lines: the daemon on a Linux GPIO chip, with a simulated part on the far end.

A User Mode Linux kernel (`boot.sh`, `kernel/`) has the GPIO chip of a Raspberry Pi 4, made by the
kernel's own simulator. Inside it the daemon runs as it does on a Pi; `far_end.py` is a process of
its own that hears the trigger line, drives the echo line and watches buzzer and motor. See
README.md.
"""
