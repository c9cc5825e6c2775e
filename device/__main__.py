"""``python -m device`` and ``rearguard``: the same door.

Importing takes a tenth of a second in which Ctrl-C would be answered with a traceback,
so until the command takes the signal over it simply ends the process.
"""

import signal
import sys


def main() -> int:
    """The `rearguard` command; returns the exit status."""
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from device import cli  # noqa: PLC0415 - after the line above, or it would be no use

    signal.signal(signal.SIGINT, handler)
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
