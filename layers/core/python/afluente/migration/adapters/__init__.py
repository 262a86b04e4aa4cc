"""Adapters of the migration: SQL tables, DynamoDB, legacy packets."""
