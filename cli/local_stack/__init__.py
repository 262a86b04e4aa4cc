"""The local stack: an AWS emulator on this machine that holds the same CloudFormation stacks as an account."""
