"""What looks into a race: where uploads stand, why somebody is in a photo."""
