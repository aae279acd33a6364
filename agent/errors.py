"""What can go wrong, and who is told.

    OpenlineError
    ├── BusinessFault      a business's files are wrong: stops the start, every fault listed at once
    ├── SettingFault       a setting does not fit the business: stops the start
    ├── ProviderError      a model, voice or store did not deliver: `retryable`, never shown to a customer
    └── ToolProblem        a tool says no, in plain words that the customer may hear

A decision is a return value, never an exception; a programming mistake propagates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal


class OpenlineError(Exception):
    """The root: catch it to catch all of ours."""


class BusinessFault(OpenlineError):
    """Every fault of a business's files, each naming file, line, key and remedy."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        count = f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''}"
        super().__init__(f"{count} in the business's files:\n" + "\n".join(f"  {f}" for f in self.faults))


class SettingFault(OpenlineError):
    """A setting that does not fit the business, with the remedy."""


class ProviderError(OpenlineError):
    """A provider failed; `retryable` says whether the same request may succeed later."""

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


ToolProblemKind = Literal["not_found", "not_allowed", "invalid", "busy", "down"]


class ToolProblem(OpenlineError):
    """A tool's plain "no": `says` is spoken to the customer as it stands."""

    def __init__(self, kind: ToolProblemKind, says: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.says = says
