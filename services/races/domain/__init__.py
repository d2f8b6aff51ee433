"""The rules of the races stage."""
