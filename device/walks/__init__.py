"""What a person reads of their walks on a terminal, and is asked before one.

Each module makes a frozen answer of the records that `device.history` keeps, and the lines of it
for a person; nothing here writes to the database or goes near the device. A physiotherapist and
a wearer read it, so what is not known is said to be not known: a time without a clock, a pace
that nothing showed, an effort without a weight.
"""
