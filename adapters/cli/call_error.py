"""A call that makes no sense."""

from __future__ import annotations

import click


class CallError(click.ClickException):
    """The call itself was malformed: click's exit status for that."""

    exit_code = 2
