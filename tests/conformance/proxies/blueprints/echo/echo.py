"""Answers with its name and what it was asked: HTTP on the ports 8000 and 8001, WebSockets too; bytes on 7000 and 7001."""

import base64
import hashlib
import http.server
import json
import socket
import socketserver
import threading

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.websocket()
            return
        said = {"name": socket.gethostname(), "path": self.path, "headers": {name.lower(): text for name, text in self.headers.items()}}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def websocket(self) -> None:
        """Sends back every frame that is not longer than 125 bytes."""
        key = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + MAGIC).encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(key).decode())
        self.end_headers()
        self.close_connection = True
        while head := self.rfile.read(2):
            mask = self.rfile.read(4)
            text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(head[1] & 127)))
            if head[0] & 15 == 8:
                return
            self.wfile.write(bytes([0x81, len(text)]) + text)

    def log_message(self, *_: object) -> None:
        pass


class Bytes(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


for port in (8000, 8001):
    threading.Thread(target=http.server.ThreadingHTTPServer(("", port), Web).serve_forever).start()
for port in (7000, 7001):
    threading.Thread(target=socketserver.ThreadingTCPServer(("", port), Bytes).serve_forever).start()
