"""A file that gives no chunks."""


class Unreadable(Exception):
    """Its message is the reason, for the operator."""
