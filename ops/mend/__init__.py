"""What mends: dead letters, redrive, replay."""
