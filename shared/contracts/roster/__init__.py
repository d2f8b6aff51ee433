"""A race's roster.csv: bytes in, runners and what is wrong with them out. Begin at reading.py."""
