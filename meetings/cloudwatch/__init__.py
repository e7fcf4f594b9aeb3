"""The CloudWatch sink: every new client event also as a log event and a metric, if switched on.

`outbox` notes in the drain's transaction what is to be sent, `messages` reads it again from the
archive, `limits` cuts it into requests that AWS takes, `shipper` sends. docs/cloudwatch.md.
"""
