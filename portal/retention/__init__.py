"""How long data is kept, by classes: which there are, what goes next, and its going.

Apps register their classes in AppConfig.ready(). A job deletes what is due, `manage.py purge` does
it at once, and the page "Retention" shows both.
"""

from portal.retention.amounts import Amount
from portal.retention.classes import DataClass, Store, register, registered
from portal.retention.days import Days
from portal.retention.rows import Rows

__all__ = ["Amount", "DataClass", "Days", "Rows", "Store", "register", "registered"]
