"""The stack without Docker: real servers from Python wheels, supervised, all data below RISKEE_HOME.

`infra.embedded.stack.Stack` is its interface. Nothing is imported here: the small processes stay small.
"""
