"""The error for a call whose arguments are well formed, but make no sense together or here."""

from __future__ import annotations

import click


class CallError(click.ClickException):
    """The arguments of a call make no sense; exits with click's own status for wrong usage."""

    exit_code = 2
