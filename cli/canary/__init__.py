"""What `afluente migrate canary` works with: where the trial is kept, and what people see of it."""
