"""What is claimed about speed, cost and accuracy, as commands: `snaprace bench NAME` prints each as JSON."""
