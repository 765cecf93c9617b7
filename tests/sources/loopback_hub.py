"""A Hub of our own on the loopback: one dataset repository, a few commits, reading only.

It answers what ``huggingface_hub`` and ``datasets`` ask when they load a dataset, with the headers
and error codes they rely on. Every request is noted in ``asked``.
"""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REPO = "org/questions"


class LoopbackHub(ThreadingHTTPServer):
    def __init__(self, commits, refs):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.commits = commits  # commit -> {path: bytes}
        self.refs = refs  # branch or tag -> commit
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(commits, refs):
    hub = LoopbackHub(commits, refs)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        path = unquote(urlsplit(self.path).path)
        api, files = f"/api/datasets/{REPO}", f"/datasets/{REPO}/resolve/"
        if path.startswith(files):
            revision, _, name = path.removeprefix(files).partition("/")
            return self._file(revision, name)
        if path == api or path.startswith(f"{api}/"):
            return self._api(path.removeprefix(api).strip("/").split("/"))
        return self._error(404, "RepoNotFound")

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.asked.append(self.path)
        parts = unquote(urlsplit(self.path).path).split("/")
        commit = self._commit(parts[-1])
        if "paths-info" not in parts or commit is None:
            return self._error(404, "RevisionNotFound")
        paths = json.loads(body)["paths"] if body.startswith("{") else _form(body)
        found = [e for e in self._tree(commit) if e["path"] in paths]
        return self._json(found)

    def _api(self, parts):
        what, revision = [*parts, "", ""][:2]
        commit = self._commit(revision or "main")
        if commit is None:
            return self._error(404, "RevisionNotFound")
        if what == "tree":
            below = "/".join(parts[2:])
            return self._json([e for e in self._tree(commit) if e["path"].startswith(below)])
        siblings = [{"rfilename": path} for path in self.server.commits[commit]]
        return self._json({"id": REPO, "sha": commit, "private": False, "siblings": siblings})

    def _commit(self, revision):
        if revision in self.server.commits:
            return revision
        return self.server.refs.get(revision)

    def _tree(self, commit):
        files = self.server.commits[commit]
        folders = {path.rpartition("/")[0] for path in files} - {""}
        entries = [
            {"type": "directory", "path": p, "size": 0, "oid": _oid(p.encode())} for p in folders
        ]
        return entries + [
            {"type": "file", "path": p, "size": len(data), "oid": _oid(data)}
            for p, data in files.items()
        ]

    def _file(self, revision, name):
        commit = self._commit(revision)
        if commit is None:
            return self._error(404, "RevisionNotFound")
        data = self.server.commits[commit].get(name)
        if data is None:
            return self._error(404, "EntryNotFound", {"X-Repo-Commit": commit})
        headers = {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range")
        if asked is None:
            return self._send(200, data, headers)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        part = data[int(first) : int(last) + 1 if last else None]
        headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"
        return self._send(206, part, headers)

    def _json(self, value):
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status, code, headers=()):
        body = json.dumps({"error": code}).encode()
        self._send(status, body, {**dict(headers), "X-Error-Code": code})

    def _send(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _form(body):
    return [
        unquote(v) for k, _, v in (part.partition("=") for part in body.split("&")) if k == "paths"
    ]


def _oid(data):
    return hashlib.sha1(data).hexdigest()
