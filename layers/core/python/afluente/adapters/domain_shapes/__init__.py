"""The shapes in which the fields of use know their measurements, each turned into data points here and nowhere else."""
