"""Arguments that go into the log or to Azure: both take Unicode only, while a command line may hold any bytes."""

from __future__ import annotations

import click


def unicode_text(value: str) -> str:
    """The text as it is, as a type of click's. Raises BadParameter for what the locale's encoding could not read."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise click.BadParameter(f"{value!r} is no text in the encoding of your locale.") from error
    return value
