"""What the loopback Hub keeps: one dataset repository with commits, branches, tags, pull requests."""

import base64
import hashlib
from dataclasses import dataclass, field

import yaml

FIRST = hashlib.sha1(b"first").hexdigest()
SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")


class StaleError(Exception):
    """The branch has moved on from the parent that a commit names."""


class ConflictError(Exception):
    """What is to be made is there already."""


def blob_oid(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass(frozen=True)
class File:
    data: bytes
    lfs: str | None = None


@dataclass(frozen=True)
class Commit:
    files: dict
    parent: str | None
    title: str = ""


@dataclass
class Repository:
    name: str
    private: bool = False
    commits: dict = field(default_factory=dict)
    branches: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)
    pull_requests: dict = field(default_factory=dict)

    def __post_init__(self):
        if not self.commits:
            self.commits = {
                FIRST: Commit({".gitattributes": File(b"*.parquet filter=lfs\n")}, None)
            }
            self.branches = {"main": FIRST}

    @classmethod
    def of(cls, name, commits, refs):
        held = {
            c: Commit({p: File(d) for p, d in files.items()}, None) for c, files in commits.items()
        }
        tags = {ref: commit for ref, commit in refs.items() if ref != "main"}
        return cls(name, commits=held, branches={"main": refs["main"]}, tags=tags)

    @property
    def head(self):
        return self.branches["main"]

    def files(self, revision="main"):
        """path -> bytes"""
        return {p: f.data for p, f in self.commits[self.resolve(revision)].files.items()}

    def history(self, revision="main"):
        """Titles, newest first."""
        titles, oid = [], self.resolve(revision)
        while oid is not None:
            titles.append(self.commits[oid].title)
            oid = self.commits[oid].parent
        return titles[:-1]

    def resolve(self, revision):
        if revision in self.commits:
            return revision
        for refs in (self.branches, self.tags, self.pull_requests):
            if revision in refs:
                return refs[revision]
        return None

    def refs(self):
        def listed(refs, prefix):
            return [{"name": n, "ref": prefix + n, "targetCommit": c} for n, c in refs.items()]

        return {
            "branches": listed(self.branches, "refs/heads/"),
            "tags": listed(self.tags, "refs/tags/"),
            "converts": [],
            "pullRequests": listed(self.pull_requests, ""),
        }

    def tree(self, commit):
        files = self.commits[commit].files
        folders = {p.rsplit("/", n)[0] for p in files for n in range(1, p.count("/") + 1)}
        return [
            {"type": "directory", "path": p, "size": 0, "oid": blob_oid(p.encode())}
            for p in folders
        ] + [
            {
                "type": "file",
                "path": path,
                "size": len(file.data),
                "oid": blob_oid(file.data),
                **(
                    {"lfs": {"oid": file.lfs, "size": len(file.data), "pointerSize": 130}}
                    if file.lfs
                    else {}
                ),
            }
            for path, file in files.items()
        ]

    def tag(self, name, revision):
        if name in self.tags:
            raise ConflictError(name)
        self.tags[name] = self._known(revision)

    def commit(self, revision, lines, lfs, *, pull_request=False):
        """Makes a commit of the lines of a push; its oid, and the pull request's number if any."""
        parent = self._known(revision)
        header = lines[0]["value"]
        if header.get("parentCommit", parent) != parent and not pull_request:
            raise StaleError
        made = self.put(parent, dict(_changes(lines[1:], lfs)), header["summary"])
        if pull_request:
            number = len(self.pull_requests) + 1
            self.pull_requests[f"refs/pr/{number}"] = made
            return made, number
        for refs in (self.branches, self.pull_requests):
            if revision in refs:
                refs[revision] = made
        return made, None

    def put(self, parent, changes, title):
        """A new commit on ``parent``: path to `File`, or to None to take it out."""
        files = {**self.commits[parent].files, **changes}
        files = {path: file for path, file in files.items() if file is not None}
        state = "".join(f"{p} {blob_oid(f.data)}\n" for p, f in sorted(files.items()))
        oid = hashlib.sha1(f"{parent} {title} {len(self.commits)}\n{state}".encode()).hexdigest()
        self.commits[oid] = Commit(files, parent, title)
        return oid

    def edit(self, path, data):
        """A user's own commit on main."""
        self.branches["main"] = self.put(self.head, {path: File(data)}, f"edit {path}")

    def _known(self, revision):
        commit = self.resolve(revision)
        if commit is None:
            raise KeyError(revision)
        return commit


def _changes(lines, lfs):
    for line in lines:
        value = line["value"]
        if line["key"] == "file":
            yield value["path"], File(base64.b64decode(value["content"]))
        elif line["key"] == "lfsFile":
            yield value["path"], File(lfs[value["oid"]], value["oid"])
        elif line["key"] == "deletedFile":
            yield value["path"], None
        else:
            raise AssertionError(line["key"])


def complaints(card):
    """What is wrong with a card's metadata block, by the rules the Hub documents."""
    if not card.startswith("---\n") or "\n---\n" not in card[4:]:
        return ["no metadata block"]
    try:
        data = yaml.safe_load(card[4:].partition("\n---\n")[0])
    except yaml.YAMLError as error:
        return [f"not YAML: {error}"]
    if not isinstance(data, dict):
        return ["the metadata is no mapping"]
    wrong = [f"size_categories: {s}" for s in data.get("size_categories", ()) if s not in SIZES]
    licences = data.get("license", [])
    named = [licences] if isinstance(licences, str) else licences
    wrong += [f"license: {licence}" for licence in named if licence not in LICENCES]
    if licences == "other" and not data.get("license_name"):
        wrong.append("license_name is wanted with license: other")
    wrong += [f"tags: {t!r}" for t in data.get("tags", ()) if not isinstance(t, str)]
    shapes = {"config_name", "data_files"}
    return wrong + [f"configs: {c}" for c in data.get("configs", ()) if not shapes <= set(c)]


LICENCES = frozenset(
    "apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd "
    "bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 "
    "cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 "
    "cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 "
    "cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 "
    "gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc intel-research h-research lppl-1.3c ms-pl apple-ascl mpl-2.0 odc-by odbl "
    "openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license "
    "fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 gemma unknown other".split()
)
