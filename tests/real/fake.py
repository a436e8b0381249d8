"""Servers that misbehave by script. SPDX-License-Identifier: MIT"""
import socket
import threading


class FakeServer:
    """Says `greeting`; then answers each line by `answer(line)`, bytes or None to
    hang up. `heard` is all it was sent, of all connections."""

    def __init__(self, greeting, answer):
        self.greeting, self.answer, self.heard = greeting, answer, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line):
        try:
            with line, line.makefile("rb") as stream:
                line.sendall(self.greeting)
                for text in stream:
                    self.heard += text
                    reply = self.answer(text)
                    if reply is None:
                        return
                    line.sendall(reply)
        except OSError:
            return


def tagged(answers):
    """An `answer` that looks commands up by name; {tag} stands for the command's."""
    def answer(line):
        words = line.split()
        if len(words) < 2:
            return b"* BAD what?\r\n"
        reply = answers.get(words[1].upper(), b"{tag} BAD unknown\r\n")
        return reply and reply.replace(b"{tag}", words[0])
    return answer
