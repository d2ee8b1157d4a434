#!/usr/bin/env python3
"""`spark --requests`: containers that are made before there is a call for them.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import signal
import time
import unittest

import test_requests
from spark import SparkTest
from test_requests import children_of, line

LINK = ["/bin/readlink", "/proc/self/ns/pid"]


class Ahead(SparkTest):
    begin_service, ask = test_requests.Requests.begin_service, test_requests.Requests.ask
    end_service = staticmethod(test_requests.Requests.end_service)

    def answer(self, process):
        return json.loads(process.stdout.readline())

    def waiting(self, process):
        """(pid, pid namespace) of containers in which nothing runs yet: their first process is shimbox still,
        below a worker, and has no child."""
        found = []
        for worker in children_of(process.pid):
            try:
                found += [(pid, os.readlink(f"/proc/{pid}/ns/pid")) for pid in children_of(worker)
                          if not children_of(pid)]
            except OSError:
                pass
        return found

    def wait_for_one(self, process, count=1):
        """... that is ready: asleep, with the root file system of the container."""
        found = []

        def ready():
            found[:] = self.waiting(process)
            try:
                return len(found) == count and all(
                    os.path.exists(f"/proc/{pid}/root/bin/probe") and not os.path.exists(f"/proc/{pid}/root{self.dir}")
                    for pid, _ in found)
            except OSError:
                return False
        self.wait_for(ready, "a container waits")
        return found

    def test_the_next_call(self):
        """It gets the container that has waited, also after a line that is no request; then another one waits."""
        process = self.begin_service()
        self.ask(process, args=LINK)
        self.answer(process)
        before = None
        for i in (0, 2, 1):
            ((pid, space),) = self.wait_for_one(process)
            self.assertNotEqual(pid, before)
            before = pid
            if i == 1:
                self.ask(process, arg=LINK)
                found = self.answer(process)
                self.assertEqual((found["exit"], found["error"]), (125, "/arg: a request has no such member"))
                self.assertEqual(self.wait_for_one(process)[0][1], space)
            self.ask(process, args=LINK)
            found = self.answer(process)
            self.assertEqual(found["exit"], 0, found)
            # After a mistake, the next line may come before its worker is known to be free: then another one gets it.
            if i != 1:
                self.assertEqual(found["output"].strip(), space)
            self.wait_for(lambda: len(self.waiting(process)) == len(children_of(process.pid)), "all wait")
        answer = self.end(process)
        self.assertEqual((answer.status, answer.stdout, answer.stderr), (0, b"", ""))

    def test_it_has_ended(self):
        """Somebody has killed it: then the call gets one that is made at once."""
        process = self.begin_service()
        self.ask(process, args=LINK)
        self.answer(process)
        ((pid, space),) = self.wait_for_one(process)
        # Held, so that its number is not given to another one.
        held = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY)
        self.addCleanup(os.close, held)
        os.kill(pid, signal.SIGKILL)
        self.wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "it is gone")
        self.ask(process, args=LINK)
        found = self.answer(process)
        self.assertEqual(found["exit"], 0, found)
        self.assertNotEqual(found["output"].strip(), space)
        self.assertEqual(self.end(process).status, 0)

    def sleepers(self, process):
        """Programs that have said what they had to say."""
        found = []
        for worker in children_of(process.pid):
            try:
                found += [pid for first in children_of(worker) for pid in children_of(first)
                          if pathlib.Path(f"/proc/{pid}/comm").read_text() == "sleep\n"]
            except OSError:
                pass
        return found

    def test_no_more_at_once(self):
        """While --jobs calls run, one container waits, and nothing runs in it."""
        for jobs in (1, 2):
            process = self.begin_service(f"--jobs {jobs}")
            for i in range(jobs + 1):
                self.ask(process, id=i, args=["/bin/sh", "-c", "readlink /proc/self/ns/pid; exec sleep 1000"])
            self.wait_for(lambda: len(self.sleepers(process)) == jobs, "all are at work")  # pylint: disable=W0640
            ((_, space),) = self.wait_for_one(process)
            self.assertEqual(len(children_of(process.pid)), jobs + 1)
            outputs = []
            for _ in range(jobs + 1):
                self.wait_for(lambda: self.sleepers(process), "one is at work")  # pylint: disable=W0640
                os.kill(self.sleepers(process)[0], signal.SIGKILL)
                outputs.append(self.answer(process)["output"].strip())
            self.assertNotIn(space, outputs[:1])
            self.assertIn(space, outputs)
            self.assertEqual(self.end(process).status, 0)

    def test_time(self):
        """Waiting is not the call's time."""
        process = self.begin_service("--timeout 4s")
        for wait in (4.2, 0):
            self.ask(process, args=["/bin/true"])
            found = self.answer(process)
            self.assertEqual((found["exit"], found["end"]), (0, "ended"), found)
            self.assertLess(found["wall_us"], 4000000)
            time.sleep(wait)
        self.assertEqual(self.end(process).status, 0)

    def test_environment(self):
        """What comes with the call counts more, and an empty HOME is none."""
        process = self.begin_service("--env A=0 --env B=2")
        for env, expected in (({}, ["0", "2", None, "/root"]), ({"A": "1", "C": "", "HOME": "/x"}, ["1", "2", "", "/x"]),
                              ({"HOME": ""}, ["0", "2", None, "/root"])):
            self.ask(process, args=["/bin/env"], env=env)
            told = self.answer(process)["output"].splitlines()
            facts = dict(text.partition("=")[::2] for text in told)
            self.assertEqual(len(facts), len(told))
            self.assertEqual([facts.get(name) for name in ("A", "B", "C", "HOME")], expected)
        self.assertEqual(self.end(process).status, 0)

    def test_too_many_arguments(self):
        """More than can be handed over, more than can be executed, and as much as both take."""
        data = (line(args=["/bin/echo"] + ["a"] * 900000) + line(args=["/bin/echo", "a" * 200000])
                + line(args=["/bin/sh", "-c", "echo $#"] + ["a"] * 50000)
                + line(args=["/bin/true"], env={f"V{i}": "1" for i in range(600000)}))
        answer = self.call("--requests", data=data)
        self.assertEqual((answer.status, answer.stderr), (0, ""))
        found = [json.loads(text) for text in answer.stdout.splitlines()]
        self.assertEqual([each["exit"] for each in found], [126, 126, 0, 126])
        self.assertEqual(found[2]["output"], "49999\n")
        for each in (found[0], found[1], found[3]):
            self.assertIn("Argument list too long", each["error"])

    def test_killed(self):
        """kill -9 of the service: what waits ends as well, and the next one sweeps."""
        process = self.begin_service(f"--scratch {self.scratch}")
        self.ask(process, args=["/bin/true"])
        self.answer(process)
        ((pid, _),) = self.wait_for_one(process)
        process.kill()
        process.wait()
        self.wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "it has ended")
        self.check_swept(lambda: os.listdir(self.scratch) + os.listdir(self.root))


if __name__ == "__main__":
    unittest.main()
