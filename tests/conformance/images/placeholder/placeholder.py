"""Answers every HTTP request on the given ports with one line: the name given first, the port and the path."""

import selectors
import signal
import socket
import sys
import threading


def answer(connection: socket.socket, text: str) -> None:
    with connection:
        connection.settimeout(10)
        try:
            request = connection.recv(65536).decode("latin-1")
            path = (request.split(" ", 2) + ["", ""])[1]
            body = f"{text} {path}\n".encode()
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
        except OSError:
            pass  # port checks connect and leave


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    name, ports = sys.argv[1], [int(port) for port in sys.argv[2:]]
    selector = selectors.DefaultSelector()
    for port in ports:
        listener = socket.create_server(("", port), backlog=64)
        selector.register(listener, selectors.EVENT_READ, port)
    while True:
        for key, _ in selector.select():
            connection, _ = key.fileobj.accept()
            threading.Thread(target=answer, args=(connection, f"placeholder {name}:{key.data}"), daemon=True).start()


main()
