"""Functions: each construct carries the environment of its function and the grants that go with it."""
