"""What sees: pictures, text and faces, in worker processes behind a bounded queue.

The front imports only `messages`, `similarity` and `pool`; the models are loaded in the workers.
"""
