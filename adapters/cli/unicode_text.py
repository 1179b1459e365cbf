"""Arguments that go into the log or to Azure: both take Unicode only, while a command line may hold any bytes."""

from __future__ import annotations

import click


class UnicodeText(click.ParamType):
    """Text; what the locale's encoding could not read is refused."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is."""
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{text!r} is no text in the encoding of your locale.", param, ctx)
        return text
