"""HTTP API of those who look after a deployment's data: constraints, alarms, and the description of the API itself."""
