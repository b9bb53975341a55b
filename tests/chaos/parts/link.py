"""The line between the service and PostgreSQL: passes everything on, until it is told to cut where it hurts."""

import random
import socket
import threading

# A simple query as diesel sends it: `Q`, its length, the text, a zero.
COMMIT = b"COMMIT\0"


class Link:
    """Listens for the service and connects to PostgreSQL, connection by connection.

    `cut` says what happens to a commit: `after` (it is passed on, the server's answer is waited for and swallowed, both ends are closed), `before`
    (it is not passed on, both ends are closed), or nothing.
    """

    def __init__(self, target_port: int):
        self.target, self.cut, self.share = target_port, "", 1.0
        self.cuts = {"after": 0, "before": 0}
        self._random, self._lock = random.Random(332), threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.server.getsockname()[1]
        self.open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self.server.accept()
            except OSError:
                return
            try:
                outer = socket.create_connection(("127.0.0.1", self.target), 2)
            except OSError:
                inner.close()
                continue
            for one in (inner, outer):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.settimeout(None)
            pair = Pair(self, inner, outer)
            with self._lock:
                self.open |= {inner, outer}
            threading.Thread(target=pair.to_server, daemon=True).start()
            threading.Thread(target=pair.to_client, daemon=True).start()

    def chosen(self) -> str:
        """What happens to this commit."""
        with self._lock:
            if not self.cut or self._random.random() > self.share:
                return ""
            cut = self._random.choice(self.cut.split("+"))
            self.cuts[cut] += 1
            return cut

    def drop(self, *sockets: socket.socket) -> None:
        for one in sockets:
            with self._lock:
                self.open.discard(one)
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def close(self) -> None:
        self.server.close()
        self.drop(*list(self.open))


class Pair:
    def __init__(self, link: Link, inner: socket.socket, outer: socket.socket):
        self.link, self.inner, self.outer, self.swallow = link, inner, outer, False

    def to_server(self) -> None:
        try:
            while data := self.inner.recv(65536):
                if COMMIT in data:
                    cut = self.link.chosen()
                    if cut == "before":
                        break
                    self.swallow = cut == "after"
                self.outer.sendall(data)
        except OSError:
            pass
        if not self.swallow:
            self.link.drop(self.inner, self.outer)

    def to_client(self) -> None:
        try:
            while data := self.outer.recv(65536):
                if self.swallow:
                    break
                self.inner.sendall(data)
        except OSError:
            pass
        self.link.drop(self.inner, self.outer)
