"""Measurements as StatsD lines over TCP to the exporter that LAKEWRIGHT_STATSD names (`host:port`); nothing without it.

gunicorn and the usual Python package send over UDP to an address that they look up once: networks that know the flows of
the platform let only TCP through, and after a restart of the exporter nothing would arrive any more. Here a thread sends,
and connects again when it must. No measurement is worth waiting for: what finds the queue full is dropped.
"""

import os
import queue
import re
import socket
import threading
import time

_WAITING = 2000  # lines
_PAUSE = 5.0  # seconds between attempts to connect
_LOST = 10_000  # milliseconds after which a connection that nobody answers on is given up


class Sender:
    def __init__(self, address: str):
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))
        self.connection = None
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Threads do not live on in a forked process, and the connection is the parent's."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        self.lines = queue.Queue(_WAITING)
        self.lock = threading.Lock()
        self.thread = None

    def put(self, line: str) -> None:
        if self.thread is None:
            with self.lock:
                if self.thread is None:
                    self.thread = threading.Thread(target=self._run, name="statsd", daemon=True)
                    self.thread.start()
        try:
            self.lines.put_nowait(line.encode())
        except queue.Full:
            pass

    def _run(self) -> None:
        while True:
            line = self.lines.get()
            try:
                if self.connection is None:
                    self.connection = socket.create_connection(self.address, timeout=5)
                    self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _LOST)
                self.connection.sendall(line)
            except OSError:
                if self.connection is not None:
                    self.connection.close()
                    self.connection = None
                time.sleep(_PAUSE)


_sender = Sender(os.environ["LAKEWRIGHT_STATSD"]) if os.environ.get("LAKEWRIGHT_STATSD") else None


def _send(name: str, value: float, kind: str) -> None:
    if _sender is not None:
        _sender.put(f"superset.{re.sub(r'[^A-Za-z0-9_.]', '_', name)}:{value}|{kind}\n")


def count(name: str) -> None:
    _send(name, 1, "c")


def timing(name: str, milliseconds: float) -> None:
    _send(name, round(milliseconds, 3), "ms")


def gauge(name: str, value: float) -> None:
    _send(name, value, "g")
