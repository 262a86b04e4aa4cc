"""Moving from the old IoT service: what is moved, by which way a stream is judged meanwhile, and back again."""
