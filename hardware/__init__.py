"""Everything of the device that is not software: what it is wired from, drawn, counted and printed.

`wiring` says which wire goes where and `parts` what the parts bear; `draw` and `coverage` make the
pictures in `drawings/` of them and of the settings' defaults, `mount` the printable pieces. The
guide, hardware.md, shows the pictures, and its tables are held against the same lists by tests.
Nothing of this runs on a Pi. `python -m hardware` makes the drawings anew.
"""
