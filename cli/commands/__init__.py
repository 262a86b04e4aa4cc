"""The commands, one module a group: they read options, call one function and show what it returned."""
