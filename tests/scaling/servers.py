"""A loopback server of raw completions that says what a test wants and keeps what it was asked."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace


def said(text, finish="stop", tokens=None, **choice):
    """A body with one choice; ``tokens`` None counts nothing."""
    usage = {} if tokens is None else {"usage": {"completion_tokens": tokens}}
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish, **choice}], **usage}


@contextmanager
def completions(answer):
    """Serves ``answer(body)``, a body, for every request; gives its URL and the bodies it got."""
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            bodies.append(body)
            told = json.dumps({"id": "x", "model": "m", **answer(body)}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_):
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/v1", bodies=bodies)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
