"""What is claimed of the insight stage, measured: snaprace bench insight."""
