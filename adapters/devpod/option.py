"""What is to be said about one provider option."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

Mode = Literal["devcontainer", "machine"]
Kind = Literal["string", "multiline", "duration", "number", "boolean"]
"""The types DevPod knows. Its ``number`` is a whole number: ``1.5`` must be a ``string`` with a pattern."""

BOTH: Final[tuple[Mode, ...]] = ("devcontainer", "machine")
FIRST: Final = "0.1.0"


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option: how DevPod shows it, how its value is checked, what it is good for."""

    name: str
    group: str
    description: str
    kind: Kind = "string"
    default: str = ""
    machine_default: str = ""
    """Where it differs in machine mode."""
    enum: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    pattern: str = ""
    """From ``patterns``; the whole value must match."""
    expected: str = ""
    """The form of a good value, as the end of the sentence "expected …"."""
    check: Callable[[str], object] | None = None
    """From ``values``; for what a pattern cannot say."""
    password: bool = False
    required: bool = False
    command: str = ""
    """Where DevPod takes the value from while the user gives none; its own shell runs this once."""
    modes: tuple[Mode, ...] = BOTH
    refusal: str = ""
    """Why a value is refused in this version; empty when the option works."""
    harmless: str = ""
    """The one value of a refused option that asks for nothing."""
    not_yet: tuple[str, ...] = ()
    """Choices that this version refuses."""
    environment_only: bool = False
    """Kept out of the manifests: DevPod hands over an option without a value as an empty variable, which
    would hide what the user's environment says."""
    since: str = FIRST
    """The first version in which a value has an effect; empty while it has none."""

    def default_in(self, mode: Mode | None) -> str:
        """The value in force while the user gives none."""
        return self.machine_default if self.machine_default and mode == "machine" else self.default
