"""What is remembered of walks: `tally` makes it of steps, `book` keeps it, `scribe` writes it.

Built like the journal beside it: the loop's share is an observer that adds up and puts a record
down once a second; a thread brings it to the card. Whatever the card does costs history and no
alert.
"""
