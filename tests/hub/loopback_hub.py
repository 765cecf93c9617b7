"""A Hub of our own on the loopback: dataset repositories that can be read and pushed to.

It answers what ``huggingface_hub`` and ``datasets`` ask, with the headers and error codes they rely
on: commits (with a parent that must still be the head), LFS uploads, tags, pull requests. Every
request is noted in ``asked``; `Fault`s strike those they match. What is in the repositories is in
`tests.hub.repository`.
"""

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub.repository import ConflictError, Repository, StaleError, blob_oid, complaints

REPO = "org/questions"
TOKEN = "hf_planted" + "0123456789abcdefghij"  # in two parts: a scanner should not take it for one


@dataclass
class Fault:
    """What happens to the next ``times`` requests whose method and path match."""

    match: str
    """A regular expression over ``METHOD /path``."""
    does: int | str
    """A status; ``drop`` (half the body is read, then the line is cut); ``lose`` (done, but the
    answer is cut off)."""
    times: int = 1
    headers: dict = field(default_factory=lambda: {"Retry-After": "0"})


class LoopbackHub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, repositories, token=TOKEN):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.token = token
        self.lfs = {}  # sha256 -> bytes
        self.asked = []
        self.faults = []
        self.lock = threading.RLock()
        self.meanwhile = {}  # repository -> called once when its next commit arrives, before it

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def struck(self, request):
        with self.lock:
            for fault in self.faults:
                if fault.times and re.search(fault.match, request):
                    fault.times -= 1
                    return fault
        return None

    def handle_error(self, request, client_address):
        """A client that goes away is what some tests are about."""


@contextmanager
def hosting(*repositories, token=TOKEN):
    hub = LoopbackHub({r.name: r for r in repositories}, token)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


@contextmanager
def serving(commits, refs):
    """One repository with the given commits (commit -> {path: bytes}) and refs."""
    with hosting(Repository.of(REPO, commits, refs)) as hub:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _any(self):
        self.server.asked.append(self.path)
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query)
        request = f"{self.command} {unquote(parts.path)}"
        fault = self.server.struck(request)
        if fault is not None and fault.does == "drop":
            self.rfile.read(int(self.headers.get("Content-Length", 0)) // 2)
            return self._cut()
        self.body = self._read()
        if fault is not None and isinstance(fault.does, int):
            return self._error(fault.does, "Struck", fault.headers)
        if fault is not None:
            self.wfile, kept = _Nowhere(), self.wfile
            self._route(parts.path)
            self.wfile = kept
            return self._cut()
        return self._route(parts.path)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - http.server's names

    def _cut(self):
        self.close_connection = True
        self.connection.close()

    def _read(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            out = b""
            while size := int(self.rfile.readline().strip(), 16):
                out += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return out
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _may_write(self):
        return self.headers.get("Authorization") == f"Bearer {self.server.token}"

    def _route(self, raw):
        own = {
            "/api/validate-yaml": self._validated,
            "/api/whoami-v2": self._who,
            "/api/repos/create": self._created,
        }
        if raw in own:
            return own[raw]()
        if raw.startswith("/lfs/"):
            return self._stored(raw.removeprefix("/lfs/"))
        for pattern, act in (
            (r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self._batch),
            (r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._file),
            (r"/api/datasets/([^/]+/[^/]+)(?:/(.+))?", self._api),
        ):
            if found := re.fullmatch(pattern, raw):
                name, *rest = found.groups()
                repository = self.server.repositories.get(name)
                hidden = repository is not None and repository.private and not self._may_write()
                if repository is None or hidden:
                    break
                return act(repository, *rest)
        return self._error(404, "RepoNotFound")

    def _who(self):
        if not self._may_write():
            return self._error(401, "Unauthorized")
        return self._json({"type": "user", "name": "org", "orgs": []})

    def _validated(self):
        errors = complaints(json.loads(self.body)["content"])
        self._json(
            {"errors": [{"message": e} for e in errors], "warnings": []}, 400 if errors else 200
        )

    def _created(self):
        if not self._may_write():
            return self._error(401, "Unauthorized")
        asked = json.loads(self.body)
        name = f"{asked.get('organization') or 'org'}/{asked['name']}"
        url = f"{self.server.url}/datasets/{name}"
        with self.server.lock:
            if name in self.server.repositories:
                return self._json(
                    {"error": "You already created this dataset repo", "url": url}, 409
                )
            private = asked.get("visibility") == "private"
            self.server.repositories[name] = Repository(name, private=private)
        return self._json({"url": url, "name": name, "id": name})

    def _api(self, repository, rest):
        what, *parts = [unquote(part) for part in (rest or "").split("/")]
        revision = parts[0] if parts else "main"
        if what == "refs":
            return self._json(repository.refs())
        if self.command == "POST" and what in ("preupload", "commit", "tag", "branch"):
            if not self._may_write():
                return self._error(401, "Unauthorized")
            return getattr(self, f"_{what}")(repository, revision)
        commit = repository.resolve(revision)
        if commit is None:
            return self._error(404, "RevisionNotFound")
        shown = self._shown(repository, commit, what, "/".join(parts[1:]))
        return self._json(shown) if shown is not None else self._error(404, "EntryNotFound")

    def _shown(self, repository, commit, what, below):
        entries = repository.tree(commit)
        if what == "tree":
            here = [e for e in entries if not below or e["path"].startswith(f"{below}/")]
            return here or (None if below else [])
        if what == "paths-info":
            text = self.body.decode()
            given = json.loads(text) if text.startswith("{") else parse_qs(text)
            return [e for e in entries if e["path"] in given.get("paths", ())]
        siblings = [{"rfilename": path} for path in repository.commits[commit].files]
        about = {"id": repository.name, "sha": commit, "private": repository.private}
        return {**about, "siblings": siblings}

    def _preupload(self, repository, revision):
        commit = repository.resolve(revision)
        if commit is None:
            return self._error(404, "RevisionNotFound")
        there = repository.commits[commit].files
        files = []
        for asked in json.loads(self.body)["files"]:
            path, large = asked["path"], asked["path"].endswith(".parquet") or asked["size"] > 5e6
            old = there.get(path)
            oid = None if old is None else old.lfs or blob_oid(old.data)
            mode = "lfs" if large else "regular"
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return self._json({"files": files})

    def _commit(self, repository, revision):
        with self.server.lock:
            self.server.meanwhile.pop(repository.name, lambda: None)()
            lines = [json.loads(line) for line in self.body.splitlines()]
            try:
                made, request = repository.commit(
                    revision, lines, self.server.lfs, pull_request="create_pr" in self.query
                )
            except KeyError:
                return self._error(404, "RevisionNotFound")
            except StaleError:
                return self._error(412, "PreconditionFailed")
        base = f"{self.server.url}/datasets/{repository.name}"
        url = None if request is None else f"{base}/discussions/{request}"
        return self._json(
            {
                "success": True,
                "commitOid": made,
                "commitUrl": f"{base}/commit/{made}",
                "pullRequestUrl": url,
            }
        )

    def _tag(self, repository, revision):
        try:
            repository.tag(json.loads(self.body)["tag"], revision)
        except ConflictError:
            return self._error(409, "TagExists")
        except KeyError:
            return self._error(404, "RevisionNotFound")
        return self._json({})

    def _branch(self, repository, revision):
        if revision in repository.branches:
            return self._error(409, "BranchExists")
        repository.branches[revision] = repository.branches["main"]
        return self._json({})

    def _batch(self, repository):
        if not self._may_write():
            return self._error(401, "Unauthorized")
        objects = []
        for asked in json.loads(self.body)["objects"]:
            href = f"{self.server.url}/lfs/{asked['oid']}"
            todo = (
                {} if asked["oid"] in self.server.lfs else {"actions": {"upload": {"href": href}}}
            )
            objects.append({**asked, **todo})
        return self._json({"transfer": "basic", "objects": objects})

    def _stored(self, oid):
        from hashlib import sha256

        if sha256(self.body).hexdigest() != oid:
            return self._error(400, "WrongContent")
        self.server.lfs[oid] = self.body
        return self._send(200, b"", {})

    def _file(self, repository, revision, name):
        commit = repository.resolve(unquote(revision))
        if commit is None:
            return self._error(404, "RevisionNotFound")
        file = repository.commits[commit].files.get(unquote(name))
        if file is None:
            return self._error(404, "EntryNotFound", {"X-Repo-Commit": commit})
        data, oid = file.data, file.lfs or blob_oid(file.data)
        headers = {"ETag": f'"{oid}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if file.lfs:
            headers |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(data))}
        asked = self.headers.get("Range")
        if asked is None:
            return self._send(200, data, headers)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        part = data[int(first) : int(last) + 1 if last else None]
        headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"
        return self._send(206, part, headers)

    def _json(self, value, status=200):
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

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


class _Nowhere:
    def write(self, data):
        return len(data)

    def flush(self):
        pass
