"""A client of the proxies: says in one line of JSON what it met. The first argument is one of the functions below."""

import base64
import collections
import http.client
import json
import os
import socket
import ssl
import sys
import time

ADDRESS = "127.0.0.1"
PATIENCE = 20


def secured(port: int, name: str, authority: str, version: str = "", protocol: str = "") -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=authority)
    if version:
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    if protocol:
        context.set_alpn_protocols([protocol])
    return context.wrap_socket(socket.create_connection((ADDRESS, port), PATIENCE), server_hostname=name)


def handshake(port: str, name: str, authority: str, version: str = "", protocol: str = "") -> dict:
    try:
        with secured(int(port), name, authority, version, protocol) as connection:
            serial = connection.getpeercert()["serialNumber"]
            return {"version": connection.version(), "protocol": connection.selected_alpn_protocol(), "serial": serial}
    except (ssl.SSLError, OSError) as error:
        return {"refused": str(error)}


def websocket(port: str, name: str, authority: str) -> dict:
    with secured(int(port), name, authority) as connection:
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(
            f"GET /socket HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        reader = connection.makefile("rb")
        status = reader.readline().decode().strip()
        while reader.readline().strip():
            pass
        if " 101 " not in status:
            return {"refused": status}
        mask, text = os.urandom(4), b"hello"
        connection.sendall(bytes([0x81, 0x80 | len(text)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(text)))
        head = reader.read(2)
        return {"echo": reader.read(head[1]).decode()}


def stream(port: str, name: str, authority: str, protocol: str = "") -> dict:
    with secured(int(port), name, authority, protocol=protocol) as connection:
        connection.sendall(b"hello")
        return {"echo": connection.recv(100).decode(), "protocol": connection.selected_alpn_protocol()}


def clear(port: str) -> dict:
    """What a client gets that speaks no TLS."""
    with socket.create_connection((ADDRESS, int(port)), PATIENCE) as connection:
        connection.settimeout(3)
        try:
            connection.sendall(b"hello")
            return {"echo": connection.recv(100).decode("latin-1")}
        except OSError:
            return {"echo": ""}


def ask(port: str, name: str, authority: str, seconds: str, cookie: str = "") -> dict:
    """One request after the other, each on a connection of its own: statuses, who answered, the certificates' numbers."""
    statuses, names, serials, errors = collections.Counter(), collections.Counter(), collections.Counter(), []
    end = time.monotonic() + float(seconds)
    jar = ""
    while not statuses or time.monotonic() < end:
        connection = http.client.HTTPSConnection(name, int(port), timeout=PATIENCE)
        try:
            connection.sock = secured(int(port), name, authority)
            serials[connection.sock.getpeercert()["serialNumber"]] += 1
            connection.request("GET", "/", headers={"Cookie": jar} if jar else {})
            answer = connection.getresponse()
            text = answer.read()
            statuses[answer.status] += 1
            if answer.status == 200:
                names[json.loads(text)["name"]] += 1
            given = answer.getheader("Set-Cookie")
            if cookie and given:
                jar = given.split(";")[0]
        except (OSError, http.client.HTTPException) as error:
            errors.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()
        if errors and not statuses:
            break
    return {"statuses": statuses, "names": names, "serials": serials, "errors": errors}


print(json.dumps({"handshake": handshake, "websocket": websocket, "stream": stream, "clear": clear, "ask": ask}[sys.argv[1]](*sys.argv[2:])))
