"""The HTTP server: `start` starts it, and a request comes through them in this order.

connections  how many there may be, and how long a header may take
server       the web application: a request's way, and /health
signatures   who asks (SigV4)
bodies       how many bytes are held at once
quotas       how often each operation may be asked
protocol     what is on the wire, checked against botocore's service model
operations   what each operation does, in a file for each subject
backend      what they work with: engine, collections, and objects (pictures in S3)
"""
