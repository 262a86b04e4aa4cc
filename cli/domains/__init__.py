"""Parts of a new domain: its constraints, its example client and its place in the stage."""
