"""The old service's SQL tables. Nothing is imported here: SQLAlchemy is in a layer that only some functions have."""
