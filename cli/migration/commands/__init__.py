"""The commands of `afluente migrate`."""
