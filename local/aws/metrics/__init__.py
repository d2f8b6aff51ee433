"""What AWS's services tell CloudWatch of themselves, and ministack's do not: with the dimensions that AWS has.

queues           AWS/SQS, by the minute, of queues that are active
functions        AWS/Lambda, of functions and their aliases
rules            AWS/Events
gateways         AWS/ApiGateway
tables           AWS/DynamoDB
streams          AWS/Kinesis
buckets          AWS/S3, of buckets that ask for it
embedded_format  what functions write into their logs as metrics
told             all of them together

Each names the page that its metrics, units and dimensions follow. What is left out is in local/aws/limits.py.
"""
