"""Batch jobs through the real SDK: upload, poll, results in any order, jobs that end badly."""

import json
import time

import pytest
from google.genai import errors as gemini_errors

from s1data.emulator import Emulator, Planned, Script
from tests.emulator import clients

QUESTIONS = {f"key-{n}": f"What is {n} times {n + 1}?" for n in range(24)}


def lines():
    return [
        {"key": key, "request": {"contents": [{"role": "user", "parts": [{"text": question}]}]}}
        for key, question in QUESTIONS.items()
    ]


def upload(client, folder):
    path = folder / "requests.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines()))
    return client.files.upload(file=path, config={"mime_type": "application/jsonl"})


def results(client, job):
    data = client.files.download(file=job.dest.file_name)
    return [json.loads(line) for line in data.decode().splitlines()]


def test_a_job_from_an_uploaded_file_answers_every_key_once_in_another_order(tmp_path):
    with Emulator(Script.of({"models": {"big": {"price": [1.0, 10.0]}}})) as server:
        client = clients.gemini(server)
        file = upload(client, tmp_path)
        assert (
            client.files.get(name=file.name).size_bytes
            == (tmp_path / "requests.jsonl").stat().st_size
        )
        job = client.batches.create(model="big", src=file.name, config={"display_name": "wave 1"})
        job = client.batches.get(name=job.name)
        assert (job.state.value, job.display_name) == ("JOB_STATE_SUCCEEDED", "wave 1")
        found = results(client, job)
        assert sorted(line["key"] for line in found) == sorted(QUESTIONS)
        assert [line["key"] for line in found] != list(QUESTIONS)
        batch = server.bill["big"]
        assert results(client, client.batches.get(name=job.name)) == found
        assert server.bill["big"] == batch, "a job that is looked at again is billed once"
        # The same reply as online, at half the price.
        online = {
            key: clients.ask_gemini(server, question, config=None)
            for key, question in QUESTIONS.items()
        }
        for line in found:
            texts = [part["text"] for part in line["response"]["candidates"][0]["content"]["parts"]]
            assert texts == [text for text, _ in clients.parts(online[line["key"]])]
        assert server.bill["big"].usd == pytest.approx(3 * batch.usd)


def test_inlined_requests_carry_their_key_in_metadata():
    with Emulator() as server:
        client = clients.gemini(server)
        source = [
            {"contents": question, "metadata": {"key": key}} for key, question in QUESTIONS.items()
        ]
        job = client.batches.create(model="big", src=source)
        job = client.batches.get(name=job.name)
        got = {r.metadata["key"]: r.response.text for r in job.dest.inlined_responses}
        assert got.keys() == QUESTIONS.keys()
        assert all("boxed" in text for text in got.values())


def test_jobs_end_as_the_script_says_and_bill_only_what_they_answer(tmp_path):
    fates = ("expires", "fails", "stuck", "partial")
    with Emulator(Script(jobs=fates)) as server:
        client = clients.gemini(server)
        file = upload(client, tmp_path)
        jobs = [client.batches.create(model="big", src=file.name) for _ in fates]
        states = [client.batches.get(name=job.name).state.value for job in jobs]
        assert states == [
            "JOB_STATE_EXPIRED", "JOB_STATE_FAILED", "JOB_STATE_PENDING", "JOB_STATE_SUCCEEDED",
        ]  # fmt: skip
        found = results(client, client.batches.get(name=jobs[3].name))
        assert (
            sum("error" in line for line in found)
            == sum("response" in line for line in found)
            == 12
        )
        assert server.bill["big"].requests == 12
        assert {entry.job for entry in server.log if entry.call == "batch"} == {jobs[3].name}
        client.batches.cancel(name=jobs[2].name)
        assert client.batches.get(name=jobs[2].name).state.value == "JOB_STATE_CANCELLED"
        assert [job.name for job in client.batches.list()] == [job.name for job in jobs]


def test_a_job_takes_its_time_and_another_process_can_wait_for_it(tmp_path):
    with Emulator(Script(job_seconds=1e6)) as server:
        first = clients.gemini(server)
        job = first.batches.create(model="big", src=upload(first, tmp_path).name)
        assert job.state.value == "JOB_STATE_PENDING"
        second = clients.gemini(server)
        time.sleep(2.0)
        # It runs from the first third of its time on: two seconds are past that of 6 s.
        for seconds, state in ((1e6, "PENDING"), (6.0, "RUNNING"), (0.0, "SUCCEEDED")):
            server.follow(Script(job_seconds=seconds))
            assert second.batches.get(name=job.name).state.value == f"JOB_STATE_{state}"


def test_faults_of_content_strike_in_batches_too(tmp_path):
    planned = Planned(fault="recitation", contains="What is 7 times", times=None)
    with Emulator(Script(planned=(planned,))) as server:
        client = clients.gemini(server)
        job = client.batches.create(model="big", src=upload(client, tmp_path).name)
        found = results(client, client.batches.get(name=job.name))
        ends = {line["key"]: line["response"]["candidates"][0]["finishReason"] for line in found}
        assert {key for key, end in ends.items() if end == "RECITATION"} == {"key-7"}


def test_a_job_of_nothing_or_of_no_file_is_refused():
    with Emulator() as server:
        client = clients.gemini(server)
        with pytest.raises(gemini_errors.ClientError, match="files/none is not found"):
            client.batches.create(model="big", src="files/none")
        with pytest.raises(gemini_errors.ClientError, match="batch batches/none is not found"):
            client.batches.get(name="batches/none")
