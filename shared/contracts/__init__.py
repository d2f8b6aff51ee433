"""What stages agree on: names, events, cards, keys. Pure: no boto3, no clock, no environment."""
