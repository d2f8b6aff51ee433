"""The embedded AWS: ministack with what it lacks."""
