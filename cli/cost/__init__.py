"""Cost of traffic: units that AWS bills, and their prices."""
