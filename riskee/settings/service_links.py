"""The variables that Kubernetes gives a container for the Services of its namespace.

A Service `riskee-db-rw` is told as RISKEE_DB_RW_SERVICE_HOST and others, which look like settings. The form is that of
https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables.
"""

import re

_NAME = re.compile(
    r"[A-Z0-9_]+_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
# RISKEE_API_PORT=8000 is a slip of RISKEE_API__PORT; that of a Service `riskee-api` is told as an address.
_ADDRESS_NAME = re.compile(r"[A-Z0-9_]+_PORT")
_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://.+:\d+")


def is_service_link(name: str, value: str) -> bool:
    """Whether a variable of this name and value is one that tells where a Service listens.

    One with `__` is a slip of a setting: no Service of ours has two dashes in a row.
    """
    if "__" in name:
        return False
    if _NAME.fullmatch(name):
        return True
    return _ADDRESS_NAME.fullmatch(name) is not None and _ADDRESS.fullmatch(value) is not None
