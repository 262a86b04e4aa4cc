"""The ports' other side: one module for each outside thing, and twins in memory that keep the same promises."""
