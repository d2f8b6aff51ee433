"""The embedded AWS: ministack, with what it lacks and our templates use put in through its own service functions.

`python -m local.aws` serves it. Each of these adds to ministack, which must be configured before it is imported:
cloudformation  types and properties
backups         of tables by AWS Backup, and restores of these
restores        of tables to a moment
events          dead letters of rules, streams, archives, replays
deliveries      what becomes of messages that were received but not finished
recursion       detection of loops from a function to itself
expressions     of DynamoDB, read once
packages        of functions, by a signed link
workers         of functions: their batches, how many there are, their last log lines, their end
cloudwatch      metrics, metric math and alarms that go off
metrics         what the services tell CloudWatch

limits          what remains different from AWS
clients         boto3 for it
deployment      how a cloud assembly gets there
"""
