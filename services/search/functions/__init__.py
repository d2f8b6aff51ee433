"""One module for each Lambda function of the stage: match on typed messages, nothing else."""
