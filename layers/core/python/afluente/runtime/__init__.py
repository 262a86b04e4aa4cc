"""The composition root: settings, logs, metrics and clients, and what each function is made of."""
