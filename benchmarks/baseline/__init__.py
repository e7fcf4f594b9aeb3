"""What the portal is compared with: the view that Django REST framework leads one to write.

A nested serializer, `many=True`, `bulk_create(ignore_conflicts=True)` into a table of text columns
and one of JSON, with the usual indexes and the same durability. Nothing is left out that costs
little and helps: one middleware, no authentication, JSON alone, connections that stay open.
"""
