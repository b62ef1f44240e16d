"""An origin for the tests of the proxy: a server whose every byte the test decides.

Origin(answers) listens on a port that the kernel chose. answers is called for each request with a
Request, which it answers by send(), at its own pace, or by hanging up. What came is counted by path.
"""
import socket
import threading


class Request:
    def __init__(self, server, connection, method, path, fields, body):
        self.server, self.connection = server, connection
        self.method, self.path, self.fields, self.body = method, path, fields, body
        self.number = 0  # of this path, from 1
        self.closed = False

    def send(self, data):
        self.connection.sendall(data if isinstance(data, bytes) else data.encode())

    def answer(self, body, *fields, status="200 OK"):
        """A whole response with its length."""
        body = body if isinstance(body, bytes) else body.encode()
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
        self.send("\r\n".join(head) + "\r\n\r\n")
        if self.method != "HEAD":
            self.send(body)

    def hang_up(self):
        self.closed = True
        self.connection.shutdown(socket.SHUT_RDWR)


def read_request(stream):
    """None at the connection's end."""
    line = stream.readline()
    if not line:
        return None
    method, path, _ = line.decode().split()
    fields = []
    while (line := stream.readline().decode().strip()):
        name, value = line.split(":", 1)
        fields.append((name.lower(), value.strip()))
    known = dict(fields)
    body = b""
    if "content-length" in known:
        body = stream.read(int(known["content-length"]))
    elif "transfer-encoding" in known:
        while (size := int(stream.readline().split(b";")[0], 16)):
            body += stream.read(size)
            stream.readline()
        stream.readline()
    return method, path, fields, body


class Origin:
    def __init__(self, answers, tls=None):
        self.answers = answers
        self.tls = tls  # an ssl.SSLContext
        self.requests = []
        self.connections = 0
        self.lock = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.socket.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while (read := read_request(stream)):
                    request = Request(self, connection, *read)
                    with self.lock:
                        self.requests.append(request)
                        request.number = self.count(request.path)
                    self.answers(request)
                    if request.closed:
                        return
        except OSError:
            pass  # the proxy hung up

    def count(self, path):
        return sum(r.path == path for r in self.requests)

    def of(self, path):
        return [r for r in self.requests if r.path == path]
