"""How good are the warnings? The scenario suite over many seeds, held against its gates.

Data flows one way: a walk is walked once and recorded (`record`), the truth about it is
worked out from the world alone (`truth`), each contender hears the recorded echoes and
says what it would have said (`peers`), what was said is held against the truth (`score`),
the tallies of all seeds are summed (`suite`) and compared with what is wanted (`gates`).
`table` and `report` show it.

The walks are open-loop: the simulated walker goes on as if nobody had said anything, so
that every contender hears the very same echoes. What a person would have made of the
warning is worked out afterwards (`human`).
"""
