"""Packaging and deployment, on AWS and on one machine alike.

layers     builds the Lambda layers (`python -m deploy.layers`)
assembly   deploys a synthesized cdk.out (`python -m deploy`): assets, then each stack with cloudformation
standing/  compares what stands with what the templates asked for
"""
