"""The web server: HTTP/1.1 read by httptools in one uvloop, Django's WSGI application in threads.

Every request is read whole before anything is called, so slow clients cost no threads.
docs/adr/0005-web-server-for-the-doors.md has the measurements behind it.
"""

from portal.web.limits import largest_body
from portal.web.server import Lane, Server, bind, serve

__all__ = ["Lane", "Server", "bind", "largest_body", "serve"]
