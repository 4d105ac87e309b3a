"""Fixtures: a real Spark Connect server and client processes."""

from collections.abc import Iterator

import pytest

from tests.harness import Server, Worker


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server shared by the tests that leave it alive."""
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.kill()


@pytest.fixture
def worker(server: Server) -> Iterator[Worker]:
    """Return a client process that has said ready."""
    started = Worker(server.token)
    ready = started.receive()
    assert ready == {"type": "ready", "pid": started.process.pid}
    yield started
    started.kill()


@pytest.fixture(scope="session")
def shared_worker(server: Server) -> Iterator[Worker]:
    """Return a client process for requests that leave no trace in it."""
    started = Worker(server.token)
    assert started.receive() is not None
    yield started
    started.kill()
