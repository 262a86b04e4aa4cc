"""From the queue to the streams of the classes."""
