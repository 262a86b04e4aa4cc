"""What `afluente migrate` works with: connections, reports, what people see."""
