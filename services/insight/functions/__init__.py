"""One module for each Lambda function of the stage."""
