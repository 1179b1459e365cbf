"""Azure Append Blobs behind ``store.Appendable``: each call is one request, asked again while its failure may pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from adapters.azure.retry import repeat
from adapters.ship.extras import need
from adapters.ship.faults import RULES, code_of, explain, fault_of
from adapters.ship.place import Place
from adapters.ship.retry import PATIENCE, Reporter
from adapters.ship.store import Blob, FullError, MovedError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

T = TypeVar("T")

MOST_BLOCKS: Final = 50_000
BLOCK: Final = 4 << 20
"""What every version of the service takes in one append; newer ones take 100 MiB."""


class Container:
    """A blob container."""

    def __init__(
        self,
        place: Place,
        *,
        token: Callable[[], TokenCredential] | None = None,
        transport: Any = None,
        patience: float = PATIENCE,
        say: Callable[[str], None] | None = None,
    ) -> None:
        blobs = need("azure.storage.blob", "Azure Append Blobs")
        self.name = place.url
        self._patience = patience
        self._reporter = Reporter(say)
        # Repeating is ours: the SDK would send an append again without looking whether the first one arrived.
        options: dict[str, Any] = {"retry_total": 0, "credential": _credential(place, token)}
        if transport is not None:
            options["transport"] = transport
        self._client = blobs.ContainerClient.from_container_url(place.url, **options)

    def list(self, prefix: str = "") -> list[Blob]:
        """As ``Readable``."""

        def once() -> list[Blob]:
            return [Blob(found.name, found.size) for found in self._client.list_blobs(name_starts_with=prefix or None)]

        return self._ask("list the blobs of", once)

    def read(self, name: str, offset: int, size: int) -> bytes:
        """As ``Readable``."""

        def once() -> bytes:
            data: bytes = self._client.download_blob(name, offset=offset, length=size, max_concurrency=1).readall()
            return data

        return self._ask("read from", once)

    def look(self, name: str) -> Blob:
        """As ``Appendable``."""
        found = self._ask("look at a blob in", self._client.get_blob_client(name).get_blob_properties)
        return Blob(name, found.size, found.append_blob_committed_block_count or 0)

    def create(self, name: str) -> None:
        """As ``Appendable``."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError
        from azure.storage.blob import ContentSettings

        client = self._client.get_blob_client(name)

        def once() -> None:
            try:
                client.create_append_blob(
                    content_settings=ContentSettings(content_type="application/jsonl"),
                    match_condition=MatchConditions.IfMissing,
                )
            except (ResourceExistsError, ResourceModifiedError) as error:
                if code_of(error) not in ("BlobAlreadyExists", "ConditionNotMet"):
                    raise

        self._ask("create a blob in", once)

    def append(self, name: str, data: bytes, position: int) -> None:
        """As ``Appendable``.

        A request whose answer was lost is sent again with the same condition: had it arrived, the second one
        is refused, and the caller looks where the blob ends.
        """
        client = self._client.get_blob_client(name)
        send = partial(client.append_block, data, length=len(data), appendpos_condition=position, validate_content=True)

        def once() -> None:
            try:
                send()
            except Exception as error:
                code = code_of(error)
                if code in ("AppendPositionConditionNotMet", "BlobNotFound"):
                    raise MovedError(name) from error
                if code == "BlockCountExceedsLimit":
                    raise FullError(name) from error
                raise

        self._ask("append to a blob in", once)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _ask(self, doing: str, action: Callable[[], T]) -> T:
        try:
            waits = self._reporter.of(f"{doing} {self.name}")
            return repeat(action, fault_of, rules=RULES, patience=self._patience, waits=waits)
        except (MovedError, FullError):
            raise
        except Exception as error:
            raise explain(error, doing, self.name) from error


def _credential(place: Place, token: Callable[[], TokenCredential] | None) -> Any:
    if place.sas:
        return place.sas.reveal()
    if place.key:
        return {"account_name": place.account, "account_key": place.key.reveal()}
    return token() if token else None
