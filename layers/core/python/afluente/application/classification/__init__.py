"""Classification: packs of the queue become points on the streams of their classes."""
