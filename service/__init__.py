"""The bench of the service: Debian with real systemd, booted in a container, and the package in it.

`roots.py` makes the Debians, `rig.py` boots them, `__main__.py` runs the tests. See README.md.
"""
