"""Use cases of the migration: plan, run, verify, rollback, dual write, shadow and canary."""
