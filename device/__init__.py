"""rearguard warns someone who walks backward of what is behind them.

The way through the package is the way data flows: a sensor's answer becomes a
reading, readings become a track, the track an alert, the alert a command for
buzzer and motor. ARCHITECTURE.md walks one echo along it.
"""

__version__ = "0.1.0"
