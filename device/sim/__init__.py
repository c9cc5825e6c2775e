"""The simulated world: a walker, obstacles, the beam, the air, and what it did to them.

The world knows nothing of the pipeline and the pipeline nothing of the world: they
meet only at the pins. A simulator that shared its subject's assumptions would
prove nothing.
"""
