"""What a new domain is made of: its constraints, its example client and its place in the stage."""
