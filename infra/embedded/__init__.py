"""The stack without Docker: real servers from Python wheels, supervised, all data below RISKEE_HOME."""

from infra.embedded.stack import ProcessStatus, Progress, Stack

__all__ = ["ProcessStatus", "Progress", "Stack"]
