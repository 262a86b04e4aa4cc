"""Migration from the legacy service: a wing that can be taken off whole."""
