"""CSV text: inference, layout, and rows as points."""
