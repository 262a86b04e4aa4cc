"""AWS's quotas at the local stack: the emulator refuses what AWS would refuse."""
