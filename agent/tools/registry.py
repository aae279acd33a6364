"""A business's tools: plain async functions with a docstring, found in its `tools.py`.

@tool(effect="once", confirm="Shall I cancel order {order_number}?", says="Let me do that.")
async def cancel_order(context: ToolContext, order_number: str) -> dict[str, Any]:
    \"\"\"Cancel an order that has not left the warehouse.

    Args:
        order_number: The five-digit order number.
    \"\"\"
    ...
    return {"says": f"Order {order_number} is cancelled.", "status": "cancelled"}
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import Formatter
from typing import Any, Literal, get_type_hints

from docstring_parser import parse as parse_docstring
from pydantic import TypeAdapter, create_model

from agent.errors import BusinessFault

Result = dict[str, Any]
"""What a tool returns: JSON values, with `says`, the sentence that tells the customer the outcome."""


@dataclass(frozen=True)
class ToolContext:
    """What a tool may know of its surroundings."""

    data_dir: Path
    """A folder of the business's own for its files and databases."""
    now: datetime
    """The time of the turn, in the business's time zone."""
    conversation_id: str
    idempotency_key: str
    """The same for a repeated call of the same effect: hand it to the vendor."""


@dataclass(frozen=True)
class Tool:
    """A tool as the agent sees it."""

    name: str
    description: str
    run: Callable[..., Awaitable[Result]]
    effect: Literal["once", "safe"]
    confirm: str
    says: str
    timeout_secs: float
    parameters: dict[str, Any]
    """JSON schema of the arguments."""
    arguments: type[Any]
    """A pydantic model that validates them."""
    required: tuple[str, ...]
    keyed: bool = False
    """A call that is repeated with the same idempotency key changes nothing and gives the first result."""


def tool(
    *,
    effect: Literal["once", "safe"],
    confirm: str = "",
    says: str = "",
    timeout_secs: float = 10.0,
    keyed: bool = False,
) -> Callable[[Callable[..., Awaitable[Result]]], Callable[..., Awaitable[Result]]]:
    """Mark a function of `tools.py` as a tool.

    Args:
        effect: `once` for what changes the world, `safe` for what only looks.
        confirm: The question asked before it runs, with the arguments in braces; empty asks nothing.
        says: Spoken while it runs.
        timeout_secs: After this it counts as failed (safe) or unknown (once).
        keyed: For `once`: a call repeated with the same `idempotency_key` gives the first result and changes
            nothing. Only such an effect is run again after the process was killed in the middle of it.
    """

    def mark(function: Callable[..., Awaitable[Result]]) -> Callable[..., Awaitable[Result]]:
        function.__openline_tool__ = (effect, confirm, says, timeout_secs, keyed)  # type: ignore[attr-defined]
        return function

    return mark


def describe(function: Callable[..., Awaitable[Result]]) -> Tool:
    """The `Tool` of a marked function. Raises ValueError, in plain words, on a signature that cannot serve."""
    effect, confirm, says, timeout_secs, keyed = function.__openline_tool__  # type: ignore[attr-defined]
    name = function.__name__
    if not inspect.iscoroutinefunction(function):
        raise ValueError(f"{name}: write it as `async def`")
    doc = parse_docstring(function.__doc__ or "")
    if not doc.short_description:
        raise ValueError(f"{name}: give it a docstring; the model reads it")
    signature = inspect.signature(function)
    names = list(signature.parameters)
    if not names or names[0] != "context":
        raise ValueError(f"{name}: its first parameter must be `context: ToolContext`")
    hints = get_type_hints(function)
    told = {p.arg_name: p.description or "" for p in doc.params}
    fields: dict[str, Any] = {}
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            raise ValueError(f"{name}: parameter `{parameter.name}` must be a plain one")
        if parameter.name not in hints:
            raise ValueError(f"{name}: parameter `{parameter.name}` has no type")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    for braced in _braced(confirm):
        if braced not in fields:
            raise ValueError(f"{name}: `confirm` names {{{braced}}}, which is no parameter")
    model = create_model(f"{name}_arguments", **fields)
    schema = TypeAdapter(model).json_schema()
    for field, description in told.items():
        if field in schema.get("properties", {}):
            schema["properties"][field]["description"] = description
    for unused in (schema, *schema.get("properties", {}).values()):
        unused.pop("title", None)
    return Tool(
        name=name,
        description=" ".join(filter(None, (doc.short_description, doc.long_description))),
        run=function,
        effect=effect,
        confirm=confirm,
        says=says,
        timeout_secs=timeout_secs,
        parameters=schema,
        arguments=model,
        required=tuple(n for n, (_, default) in fields.items() if default is ...),
        keyed=keyed,
    )


def _braced(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def load_tools(path: Path) -> Mapping[str, Tool]:
    """The tools of a `tools.py`; none where the file is absent. Raises BusinessFault with every fault."""
    if not path.exists():
        return {}
    module_name = f"openline_tools_{abs(hash(str(path.resolve()))):x}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as fault:
        raise BusinessFault([f"{path}: cannot be imported: {type(fault).__name__}: {fault}"]) from fault
    tools: dict[str, Tool] = {}
    faults: list[str] = []
    for function in vars(module).values():
        if not hasattr(function, "__openline_tool__"):
            continue
        try:
            described = describe(function)
        except ValueError as fault:
            line = function.__code__.co_firstlineno
            faults.append(f"{path}:{line}: {fault}")
            continue
        tools[described.name] = described
    if faults:
        raise BusinessFault(faults)
    return tools
