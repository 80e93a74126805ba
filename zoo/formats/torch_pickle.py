"""The pickle language as far as checkpoints of PyTorch use it: read, never run.

Python's unpickler imports and calls what a file names, and a restricted one still lets a file
write into whatever it may name. Here a small stack machine knows the instructions that a state
dict needs; names are looked up in a table of ours, and nothing else can be reached.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.checkpoint.schema import refuse, show
from zoo.errors import CheckpointError

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Call:
    """A name that a file may call. The function gets unchecked values: it checks them."""

    function: Callable[..., Any]


def read_pickle(
    data: bytes, where: str, names: Mapping[str, Any], persistent: Callable[[Any], Any]
) -> Any:
    """The value of a pickle.

    Args:
        data: the pickle.
        where: names the file in errors.
        names: what each allowed "module.name" stands for; a `Call` where it may be called.
        persistent: gives the value of a persistent id.

    Returns:
        Dicts (keys are text or integers), lists, tuples, numbers, text, bytes, None, and what
        the functions gave.

    Raises:
        CheckpointError: the file names something else, or is no such pickle.
    """
    try:
        return _run(data, where, names, persistent)
    except CheckpointError:
        raise
    except (ValueError, TypeError, LookupError, OverflowError, MemoryError) as error:
        reason = f"{type(error).__name__}: {str(error)[:100]}"
        raise CheckpointError(f"{where}: data.pkl is damaged ({reason}).") from error


def _run(
    data: bytes, where: str, names: Mapping[str, Any], persistent: Callable[[Any], Any]
) -> Any:
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def above_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    def look_up(name: str) -> Any:
        if name not in names:
            refuse(
                where,
                f"names {show(name)}, which no state dict needs; nothing was run. Where you trust "
                "the file, save its weights alone: torch.save(model.state_dict(), path)",
            )
        return names[name]

    for instruction, operand, _ in pickletools.genops(data):
        argument: Any = operand
        match instruction.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case name if name in _CONSTANTS:
                stack.append(_CONSTANTS[name])
            case name if name in _LITERALS:
                stack.append(argument)
            case name if name in _EMPTY:
                stack.append(_EMPTY[name]())
            case "MARK":
                marks.append(len(stack))
            case "TUPLE":
                stack.append(tuple(above_mark()))
            case name if name in _TUPLES:
                count = _TUPLES[name]
                items = [stack.pop() for _ in range(count)]
                stack.append(tuple(reversed(items)))
            case "BINPUT" | "LONG_BINPUT":
                memo[_expect(int, argument)] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[_expect(int, argument)])
            case "APPEND" | "APPENDS" as name:
                items = [stack.pop()] if name == "APPEND" else above_mark()
                _expect(list, stack[-1]).extend(items)
            case "SETITEM" | "SETITEMS" as name:
                items = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else above_mark()
                target = _expect(dict, stack[-1])
                for key, value in zip(items[::2], items[1::2], strict=True):
                    target[_expect(str | int, key)] = value
            case "GLOBAL" | "INST" as name:
                value = look_up(_expect(str, argument).replace(" ", "."))
                if name == "INST":  # would also call it
                    refuse(where, "has the pickle instruction INST, which no state dict needs")
                stack.append(value)
            case "STACK_GLOBAL":
                name, module = _expect(str, stack.pop()), _expect(str, stack.pop())
                stack.append(look_up(f"{module}.{name}"))
            case "BINPERSID":
                stack.append(persistent(stack.pop()))
            case "REDUCE":
                arguments = _expect(tuple, stack.pop())
                stack.append(_expect(Call, stack.pop()).function(*arguments))
            case "BUILD":
                # Versions of the modules, kept beside an OrderedDict: not needed.
                stack.pop()
                _expect(dict, stack[-1])
            case name:
                refuse(where, f"has the pickle instruction {name}, which no state dict needs")
    raise ValueError("no end")


def _expect(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{show(value)} where a {getattr(kind, '__name__', kind)} should be")
    return value
