"""The pure part: values in, values out; no clock, no I/O, no logging.

Time comes in as an argument, in seconds, and everything that is decided here can
be decided again from a journal. Each room turns one kind of value into the next:
`reading` -> `track` (with `health` beside it) -> `alert` -> `signals`, and
`pipeline` strings them together.
"""
