"""The routes of batch jobs and files, with the resumable upload."""

from __future__ import annotations

import asyncio

from aiohttp import web

from s1data.emulator import sending
from s1data.emulator.door import VERSION, Door, body_of
from s1data.emulator.jobs import File, Job, Jobs


class JobRoutes:
    """Files and batches of one emulator over HTTP."""

    def __init__(self, jobs: Jobs, door: Door) -> None:
        self._jobs = jobs
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """All of them, with the names they have in the log."""
        file, batch = VERSION + "/files/{name}", VERSION + "/batches/{name}"
        return [
            web.post("/upload" + VERSION + "/files", self.upload, name="upload"),
            web.get(VERSION + "/files", self.files, name="files"),
            web.get("/download" + file + ":download", self.download, name="download"),
            web.get(file + ":download", self.download, name="download_by_file"),
            web.get(file, self.file, name="file"),
            web.delete(file, self.delete_file, name="delete_file"),
            web.get(VERSION + "/batches", self.batches, name="batches"),
            web.get(batch, self.batch, name="batch_get"),
            web.post(batch + ":cancel", self.cancel, name="batch_cancel"),
            web.delete(batch, self.delete_batch, name="batch_delete"),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        job = self._jobs.create(request.match_info["model"], await body_of(request))
        told = self._door.told(request, self._jobs.described(job))
        await asyncio.sleep(self._jobs.answer_seconds)
        return told

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """A start without data gives a URL; pieces with their offsets follow there."""
        base = str(request.url.origin())
        name = request.query.get("upload_id")
        if name is None:
            given = (await body_of(request)).get("file") or {}
            kind = request.headers.get("X-Goog-Upload-Header-Content-Type") or ""
            shown = given.get("displayName") or given.get("display_name")
            begun = self._jobs.begin_file(given.get("name"), kind, shown)
            url = f"{base}{request.path}?upload_id={begun.name}"
            headers = {"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"}
            told = self._door.told(request, {}, headers)
            await asyncio.sleep(self._jobs.answer_seconds)
            return told
        file = self._jobs.file(name)
        offset = int(request.headers.get("X-Goog-Upload-Offset") or 0)
        file.extend(offset, await request.read())
        if "finalize" not in request.headers.get("X-Goog-Upload-Command", ""):
            return self._door.told(request, {}, {"X-Goog-Upload-Status": "active"})
        headers = {"X-Goog-Upload-Status": "final"}
        return self._door.told(request, {"file": file.described(base)}, headers)

    async def files(self, request: web.Request) -> web.StreamResponse:
        base = str(request.url.origin())
        listed = [file.described(base) for file in self._jobs.files.values()]
        return self._door.told(request, {"files": listed})

    async def file(self, request: web.Request) -> web.StreamResponse:
        return self._door.told(request, self._file(request).described(str(request.url.origin())))

    async def download(self, request: web.Request) -> web.StreamResponse:
        data = bytes(self._file(request).data)
        self._door.note(request, 200)
        return web.Response(body=data, headers={"Server": sending.SERVER})

    async def delete_file(self, request: web.Request) -> web.StreamResponse:
        del self._jobs.files[self._file(request).name]
        return self._door.told(request, {})

    async def batches(self, request: web.Request) -> web.StreamResponse:
        listed = [self._jobs.described(job) for job in self._jobs.jobs.values()]
        return self._door.told(request, {"operations": listed})

    async def batch(self, request: web.Request) -> web.StreamResponse:
        return self._door.told(request, self._jobs.described(self._job(request)))

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        job = self._job(request)
        job.cancelled = job.output is None
        return self._door.told(request, {})

    async def delete_batch(self, request: web.Request) -> web.StreamResponse:
        del self._jobs.jobs[self._job(request).name]
        return self._door.told(request, {"done": True})

    def _file(self, request: web.Request) -> File:
        return self._jobs.file(f"files/{request.match_info['name']}")

    def _job(self, request: web.Request) -> Job:
        return self._jobs.job(f"batches/{request.match_info['name']}")
