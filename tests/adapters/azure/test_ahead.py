"""The connection that is made while we sign in is the one the first request uses, and its failure is nobody's."""

from __future__ import annotations

import socket
import threading

import pytest
import requests

from adapters.azure.ahead import connect_ahead
from emulator.testing import Running, running_emulator
from statemachine.events import GroupRef


@pytest.fixture(scope="module")
def far() -> Running:
    """A cloud 100 ms away."""
    with running_emulator("instant", link={"enabled": True, "rtt_ms": 100}) as running:
        yield running


def test_the_first_request_finds_it(far: Running) -> None:
    with requests.Session() as session:
        connect_ahead(session, far.url, verify=far.ca_file).join(10)
        pool = next(iter(session.get_adapter(far.url).poolmanager.pools._container.values()))
        (kept,) = filter(None, pool.pool.queue)
        sock = kept.sock
        for _ in range(2):
            assert session.get(f"{far.url}/x", verify=far.ca_file).status_code == 401
        assert pool.num_connections == 1
        assert kept.sock is sock, "it was not taken for one that has ended"


def test_who_signs_in_meanwhile_saves_it(line, clean: Running, trust: None, ref: GroupRef) -> None:
    found = line().groups
    found.look(ref)
    session = found._session.transport._requests.session
    pools = session.get_adapter(clean.url).poolmanager.pools._container.values()
    assert sum(pool.num_connections for pool in pools) <= 2


@pytest.mark.parametrize("verify", [True, "/nowhere/ca.pem"])
def test_one_that_fails_is_not_kept_and_not_heard_of(far: Running, verify: bool | str) -> None:
    failures: list[object] = []
    before, threading.excepthook = threading.excepthook, failures.append
    try:
        with requests.Session() as session:
            connect_ahead(session, far.url, verify=verify).join(10)
            with socket.create_server(("127.0.0.1", 0)) as closed:
                port = closed.getsockname()[1]
            connect_ahead(session, f"https://127.0.0.1:{port}", verify=True).join(10)
            pools = session.get_adapter(far.url).poolmanager.pools._container.values()
            assert not any(any(pool.pool.queue) for pool in pools)
    finally:
        threading.excepthook = before
    assert failures == []


def test_a_server_that_hangs_up_behind_the_handshake_is_not_kept(far: Running) -> None:
    with requests.Session() as session, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def hang_up() -> None:
            near, _ = server.accept()
            near.close()

        threading.Thread(target=hang_up).start()
        connect_ahead(session, f"https://127.0.0.1:{port}", verify=far.ca_file).join(10)
        pools = session.get_adapter(far.url).poolmanager.pools._container.values()
        assert not any(any(pool.pool.queue) for pool in pools)
