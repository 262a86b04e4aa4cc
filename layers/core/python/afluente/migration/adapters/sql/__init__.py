"""The legacy service's SQL tables. Nothing is imported here: only some functions have the layer of SQLAlchemy."""
