"""SQS as the inbox: doors put deliveries on a queue, intakes on any host bring them to the archive.

`messages` is what lies on the queue, `cloud` speaks with SQS and S3, `sender` is the doors' side
(`courier` that of their quick way), `intake` the drains' side, `held` what of the quarantine goes
by the queue's messages, `watch` and `access` tell how it is doing. docs/sqs.md.
"""
