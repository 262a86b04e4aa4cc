"""Use cases, and the ports to the outside that they need."""
