"""An S3 server on loopback that can be told to fail: moto over real HTTP, behind a layer that injects faults."""

import http.client
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

import pyarrow.fs as pafs
import pytest

from tune_regimes.storage import Storage

ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>injected</Message></Error>"
CODES = {500: "InternalError", 503: "SlowDown"}


class ObjectStore:
    """An S3 server in a thread.

    Attributes:
        fault: Called with each request's method and path; returns None, or what happens in place of the answer: a
            status, "drop" (the connection ends without one), "lost" (it ends after the request was carried out), "cut"
            (half of the answer's body) or "flip" (a body with one bit changed).
        requests: How many came, by method.
    """

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self._buckets = count()
        self.fault: Callable[[str, str], int | str | None] = lambda method, path: None
        self.requests: Counter[str] = Counter()

    def bucket(self) -> str:
        """The address of a new, empty bucket."""
        self.fault = lambda method, path: None
        name = f"bucket{next(self._buckets)}"
        connection = http.client.HTTPConnection("127.0.0.1", self._server.server_port)
        connection.request("PUT", f"/{name}")
        assert connection.getresponse().status == 200
        connection.close()
        endpoint = f"127.0.0.1%3A{self._server.server_port}"
        return f"s3://key:secret@{name}/store?scheme=http&region=us-east-1&endpoint_override={endpoint}"

    def open(self, attempts: int = 1) -> Storage:
        """The folder ``store`` of a new bucket, whose client tries each request so many times."""
        return self.reopen(self.bucket(), attempts)

    def reopen(self, uri: str, attempts: int = 1) -> Storage:
        """A folder by its address, through a client that tries each request so many times."""
        client = pafs.S3FileSystem(
            access_key="key",
            secret_key="secret",
            region="us-east-1",
            scheme="http",
            endpoint_override=f"127.0.0.1:{self._server.server_port}",
            allow_delayed_open=True,
            retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=attempts),
        )
        path = uri.partition("@")[2].partition("?")[0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tune_regimes.storage.open_address", lambda uri: (client, path))
            return Storage(uri)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _answer(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests[method] += 1
        fault = self.fault(method, path)
        if isinstance(fault, int):
            body = ERROR.format(CODES[fault]).encode()
            start_response(f"{fault} injected", [("Content-Type", "application/xml")])
            return [b"" if method == "HEAD" else body]
        if fault == "drop":
            return self._hang_up(environ, start_response)
        started = []
        body = b"".join(self._moto(environ, lambda *arguments: started.append(arguments[:2])))
        status, headers = started[0]
        if fault == "lost":
            return self._hang_up(environ, start_response)
        if body and method == "GET" and fault == "flip":
            body = body[:-1] + bytes([body[-1] ^ 1])
        start_response(status, headers)
        return [body[: len(body) // 2] if fault == "cut" and method == "GET" else body]

    def _hang_up(self, environ, start_response):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        start_response("500 dropped", [])
        return [b""]


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_PROXY", "127.0.0.1")
        server = ObjectStore()
        yield server
        server.stop()
