"""Data points: their form, their constraints, their class and their alarms.

Nothing here does input or output, reads a clock or writes a log: times and arrival order are passed in.
"""
