"""A server that speaks Amazon Rekognition's protocol, with real text and real faces, on one machine.

protocol    what is on the wire: JSON 1.1, targets, blobs, errors, checked against botocore's service model
operations  what each operation does
engine/     what sees: pictures, text, faces; in worker processes, behind a bounded queue
store       what is kept: collections and their faces, in SQLite and in memory
signatures  who asks (SigV4)
quotas      how often each operation may be asked
server      the HTTP front, over `bodies`; `python -m vision` starts it

It is a product of its own and imports nothing else of this repository.
"""
