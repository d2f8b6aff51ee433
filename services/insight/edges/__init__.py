"""Where the insight stage touches AWS: senders' stream and secrets, visitors' facts and numbers, photos' places."""
