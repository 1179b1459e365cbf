"""Start, serve, stop: the emulator as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import shutil
import ssl
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from aiohttp import web

from emulator import tls
from emulator.app import App
from emulator.containers.container import Place
from emulator.containers.runtime import probe
from emulator.core import Emulator
from emulator.exec.sessions import Sessions
from emulator.faults import Faults
from emulator.images import Catalogue
from emulator.journal import Journal
from emulator.lifecycle import Lifecycle
from emulator.link import Shaper
from emulator.model import ResourceGroup, Store
from emulator.peer import listening
from emulator.settings import Settings
from emulator.throttle import Throttle
from emulator.tokens import Tokens

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Server:
    """One running emulator. ``start``, then ``environment``, then ``close``."""

    def __init__(self, settings: Settings, state: Path) -> None:
        self.settings = settings
        self.state = state
        self.emulator: Emulator | None = None
        self.port = 0
        self.imds_port = 0
        self.ca_file = state / "ca.pem"
        self._runners: list[web.ServerRunner] = []
        self._shapers: list[Shaper] = []

    async def start(self) -> None:
        """Open all ports; containers can be made from now on."""
        settings = self.settings
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
        for principal in settings.principals:
            principal.secret = principal.secret or secrets.token_urlsafe(30)
            principal.object_id = principal.object_id or str(uuid.uuid4())
        # What a run that was killed left behind.
        await asyncio.to_thread(shutil.rmtree, self.state / "groups", ignore_errors=True)
        level = await probe(settings.isolation, self.state)
        context, self.ca_file = tls.make(self.state, settings.host)
        place = Place(level, (str(self.state),), settings.disk, settings.timings, self.state / "images")
        store, faults, images = Store(), Faults(), Catalogue(settings)
        seed = settings.seed or secrets.randbits(64)
        self.emulator = Emulator(
            settings=settings,
            state=self.state,
            place=place,
            random=random.Random(seed),  # noqa: S311 - frame borders, not secrets
            store=store,
            tokens=Tokens(settings),
            journal=Journal(settings.control.journal),
            faults=faults,
            images=images,
            sessions=Sessions(settings.exec),
            lifecycle=Lifecycle(settings, store=store, place=place, images=images, faults=faults, state=self.state),
            throttle=Throttle(settings.control),
            registration="NotRegistered" if settings.control.start_unregistered else "Registered",
        )
        for name, location in settings.resource_groups.items():
            key = (settings.subscription_id.lower(), name.lower())
            store.resource_groups[key] = ResourceGroup(name, location, {})
        app = App(self.emulator)
        self.port = await self._listen(app, context, settings.port)
        if settings.exec.separate_port:
            self.emulator.exec_port = await self._listen(app, context, 0)
        if settings.imds:
            self.imds_port = await self._serve(app.imds, None, settings.imds_port)

    async def _listen(self, app: App, context: ssl.SSLContext, port: int) -> int:
        if not self.settings.link.enabled:
            return await self._serve(app, context, port)
        inner = await self._serve(app, context, 0)
        shaper = Shaper(self.settings.link, self.settings.host, inner)
        self._shapers.append(shaper)
        return await shaper.listen(port)

    async def _serve(self, handler: Handle, context: ssl.SSLContext | None, port: int) -> int:
        runner = web.ServerRunner(web.Server(handler, keepalive_timeout=120, access_log=None), shutdown_timeout=0.5)
        await runner.setup()
        self._runners.append(runner)
        site = web.SockSite(runner, listening(self.settings.host, port), ssl_context=context, backlog=512)
        await site.start()
        number: int = runner.addresses[0][1]
        return number

    @property
    def url(self) -> str:
        """The address of ARM, Entra and the control API."""
        return f"https://{self.settings.host}:{self.port}"

    def environment(self) -> Mapping[str, str]:
        """What a client needs to be told: nothing but these variables."""
        if self.emulator is None:
            raise RuntimeError("the server has not been started")
        settings = self.settings
        env = {
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_RESOURCE_MANAGER_URL": self.url,
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "SSL_CERT_FILE": str(self.ca_file),
            "AZURE_TENANT_ID": settings.tenant_id,
            "AZURE_SUBSCRIPTION_ID": settings.subscription_id,
            "ACI_EMULATOR_CONTROL_URL": f"{self.url}/_emulator",
            "ACI_EMULATOR_CONTROL_TOKEN": self.emulator.control_token,
        }
        service = next((p for p in settings.principals if not p.managed), None)
        if service is not None:
            env |= {"AZURE_CLIENT_ID": service.client_id, "AZURE_CLIENT_SECRET": service.secret}
        if self.imds_port:
            env["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = f"http://{self.settings.host}:{self.imds_port}"
        return env

    async def close(self) -> None:
        """End every session, container and connection; nothing stays behind."""
        if self.emulator is not None:
            for ticket in list(self.emulator.sessions.open.values()):
                ticket.cut.set()
            for task in list(self.emulator.tasks):
                task.cancel()
            await self.emulator.lifecycle.close()
        for shaper in self._shapers:
            await shaper.close()
        for runner in self._runners:
            with contextlib.suppress(Exception):
                await runner.cleanup()
        await asyncio.to_thread(shutil.rmtree, self.state / "groups", ignore_errors=True)
