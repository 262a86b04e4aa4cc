"""In-memory twins of the ports, for tests and for classification of history; no function loads them."""
