"""The IoT service that afluente replaces: what its thresholds say, and how it judged. Pure; gone with its last user."""
