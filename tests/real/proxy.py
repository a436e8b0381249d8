"""Men in the middle: one that counts, delays and cuts; one that knows IMAP and refuses.

SPDX-License-Identifier: MIT"""
import re
import socket
import threading
import time


class Proxy:
    """Forwards a loopback port to another one.

    up, down      bytes so far from the client and from the server
    delay         seconds each piece waits
    cut_after     after so many bytes from the server a connection is cut, and
                  `cuts_left` goes down by one; None: never
    recorded      what the client sent, all connections, when `record`
    """

    def __init__(self, target_port, delay=0.0, cut_after=None, cuts_left=1_000_000, record=False):
        self.target_port = target_port
        self.delay, self.cut_after, self.cuts_left = delay, cut_after, cuts_left
        self.record, self.recorded = record, bytearray()
        self.up = self.down = self.connections = self.cuts = 0
        self.lock = threading.Lock()
        self.open = set()
        self.is_over = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_over:
                client.close()
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self.open |= {client, server}
            self.serve(client, server)

    def serve(self, client, server):
        passed = [0]
        for source, sink, is_up in ((client, server, True), (server, client, False)):
            threading.Thread(target=self._pump, args=(source, sink, is_up, passed),
                             daemon=True).start()

    def _pump(self, source, sink, is_up, passed):
        while True:
            try:
                data = source.recv(16384)
                if not data:
                    break
                if self.delay:
                    time.sleep(self.delay)
                share = self.share(data, is_up, passed)
                sink.sendall(data[:share])
                if share < len(data):
                    break
            except OSError:
                break
        self.hang_up(source, sink)

    def share(self, data, is_up, passed):
        """How many of these bytes pass; fewer than all: the connection is cut behind them.
        `passed` is the connection's own."""
        with self.lock:
            if is_up:
                self.up += len(data)
                if self.record:
                    self.recorded += data
                return len(data)
            self.down += len(data)
            passed[0] += len(data)
            if self.cut_after is None or self.cuts_left <= 0 or passed[0] < self.cut_after:
                return len(data)
            self.cuts_left -= 1
            self.cuts += 1
            return 0

    def hang_up(self, *ends):
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
            with self.lock:
                self.open.discard(end)

    def cut(self):
        """Cuts every open connection now; new ones are taken."""
        with self.lock:
            ends = list(self.open)
            self.cuts += 1
        self.hang_up(*ends)

    def close(self):
        self.is_over = True
        # Closing a socket another thread accepts on does not wake it; a visit does.
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            pass
        self.listener.close()
        self.cut()


class Cutter(Proxy):
    """Cuts each connection at a byte that `draw` chooses for it, counted both ways together;
    None: not at all. `on_up` is called with what is about to go to the server."""

    def __init__(self, target_port, draw, on_up=None):
        self.draw = draw
        self.on_up = on_up or (lambda data: None)
        super().__init__(target_port)

    def share(self, data, is_up, passed):
        if is_up:
            self.on_up(data)
        with self.lock:
            if len(passed) == 1:
                passed.append(self.draw())
            self.up += len(data) * is_up
            self.down += len(data) * (not is_up)
            before, limit = passed
            passed[0] += len(data)
            if limit is None or passed[0] <= limit:
                return len(data)
            self.cuts += before <= limit
            return max(0, limit - before)


def read_unit(stream, answer_literals):
    """One command or response: a line, with its literals. `answer_literals` is
    called for a literal whose sender waits for the other's go-ahead."""
    unit = b""
    while True:
        line = stream.readline()
        unit += line
        found = re.search(rb"\{(\d+)(\+?)\}\r\n$", line)
        if not line or not found:
            return unit
        if answer_literals and not found.group(2):
            answer_literals()
        size = int(found.group(1))
        data = stream.read(size)
        unit += data
        if len(data) < size:
            return b""


class Upload:
    """What one connection sends to the server: literals wait for its go-ahead, which the client got
    from the proxy already."""

    def __init__(self, server):
        self.server = server
        self.waiting = b""  # the command's tag, while the go-ahead is due
        self.is_answered = threading.Event()
        self.is_refused = False

    def send(self, command):
        rest, self.is_refused = command, False
        tag = command.split(b" ", 1)[0]
        while rest and not self.is_refused:
            found = re.search(rb"\{(\d+)(\+?)\}\r\n", rest)
            if not found:
                self.server.sendall(rest)
                return
            if not found.group(2):
                self.is_answered.clear()
                self.waiting = tag
            self.server.sendall(rest[:found.end()])
            if not found.group(2):
                self.is_answered.wait(60)
            end = found.end() + int(found.group(1))
            if not self.is_refused:
                self.server.sendall(rest[found.end():end])
            rest = rest[end:]

    def takes(self, response):
        """Whether that was the go-ahead. Where it is refused the rest is not sent."""
        if not self.waiting or not response.startswith((b"+", self.waiting + b" ")):
            return False
        self.is_refused = not response.startswith(b"+")
        self.waiting = b""
        self.is_answered.set()
        return not self.is_refused


class ImapProxy(Proxy):
    """Between a client without TLS and a server: two hooks may be set.

    on_command(command)    bytes to answer in the server's place, after the tag; or
                           None: it goes to the server
    on_response(response)  what goes to the client in its place
    """

    def __init__(self, target_port, on_command=None, on_response=None):
        self.on_command = on_command or (lambda command: None)
        self.on_response = on_response or (lambda response: response)
        self.refused = []
        super().__init__(target_port)

    def serve(self, client, server):
        guard, upload = threading.Lock(), Upload(server)
        for pump in (self._commands, self._responses):
            threading.Thread(target=pump, args=(client, server, guard, upload), daemon=True).start()

    def _commands(self, client, server, guard, upload):
        def go_ahead():
            with guard:
                client.sendall(b"+ go ahead\r\n")
        try:
            with client.makefile("rb") as stream:
                while True:
                    command = read_unit(stream, go_ahead)
                    if not command:
                        break
                    answer = self.on_command(command)
                    if answer is None:
                        upload.send(command)
                        continue
                    self.refused.append(command)
                    with guard:
                        client.sendall(command.split(b" ", 1)[0] + b" " + answer + b"\r\n")
        except (OSError, ValueError):
            pass
        self.hang_up(client, server)

    def _responses(self, client, server, guard, upload):
        try:
            with server.makefile("rb") as stream:
                while True:
                    response = read_unit(stream, None)
                    if not response:
                        break
                    if upload.takes(response):
                        continue
                    response = self.on_response(response)
                    with guard:
                        client.sendall(response)
        except (OSError, ValueError):
            pass
        self.hang_up(client, server)
