#!/usr/bin/env python3
"""`spark --requests`: a stream of calls through one process.
SPDX-License-Identifier: Apache-2.0
"""

import base64
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

from spark import DEBUG, FULL, MIB, SparkTest, parse_facts, skip_loudly

LINE_MAX = 16 * MIB


def sleepers_of(pid):
    """Programs below that are sleep(1)."""
    found = []
    for child in descendants_of(pid):
        try:
            if pathlib.Path(f"/proc/{child}/comm").read_text() == "sleep\n":
                found.append(child)
        except OSError:
            pass
    return found


def line(**members):
    return json.dumps(members).encode() + b"\n"


def children_of(pid):
    """Its child processes."""
    return [int(word) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            for word in (task / "children").read_text().split()]


def descendants_of(pid):
    found = []
    for child in children_of(pid):
        try:
            found += [child, *descendants_of(child)]
        except OSError:
            pass
    return found


class Requests(SparkTest):
    def serve(self, requests, options="", *program, status=0, **more):
        """All answers, by their line; the service must say nothing else."""
        answer = self.call(f"--requests {options}", *program, data=requests, **more)
        self.assertEqual((answer.status, answer.stderr), (status, ""), answer)
        answers = [json.loads(text) for text in answer.stdout.splitlines()]
        self.assertTrue(answer.stdout.endswith(b"\n") or not answers)
        self.assertEqual(len({found["line"] for found in answers}), len(answers))
        return {found["line"]: found for found in answers}

    def begin_service(self, options="", *program, **more):
        process = self.begin(f"--requests {options}", *program, **more)
        self.addCleanup(self.end_service, process)
        return process

    @staticmethod
    def end_service(process):
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream and not stream.closed:
                stream.close()
        process.wait()

    def ask(self, process, **members):
        """Hand one in, without waiting."""
        process.stdin.write(line(**members))
        process.stdin.flush()

    def test_members(self):
        """What a request can have, and what its answer tells."""
        binary = bytes(range(256))
        file = pathlib.Path(self.dir, "input")
        file.write_bytes(binary * 1000)
        answers = self.serve(
            line(id=7, args=["/bin/cat"], input="text\n")
            + line(id='a"b', args=["/bin/cat"], input_base64=base64.b64encode(binary).decode())
            + b"\n  \n"
            + line(args=["/bin/wc", "-c"], input_file=str(file))
            + line(id=8, args=["/bin/probe", "env"], env={"A": "1", "PATH": "/x", "EMPTY": ""})
            + line(id=9, args=["/bin/sh", "-c", "echo é; echo ü >&2; exit 3"])
            + line(id=10, args=["/bin/probe", "raise=9"])
            + line(id=11, args=["/bin/sh", "-c", "printf '\\377' >&2; printf 'a\\0b'"])
            + line(id=-(2**63), args=["/bin/true"]).rstrip(b"\n"), "--env B=2 --env A=0")
        self.assertEqual(sorted(answers), [1, 2, 5, 6, 7, 8, 9, 10])
        first = answers[1]
        for name in ("wall_us", "user_us", "system_us", "peak_memory"):
            self.assertIsInstance(first.pop(name), int)
        self.assertEqual(first, {"id": 7, "line": 1, "exit": 0, "end": "ended", "oom": False,
                                 "bytes": {"input": 5, "output": 5, "errors": 0}, "output": "text\n", "errors": ""})
        self.assertEqual(answers[2]["id"], 'a"b')
        self.assertEqual(base64.b64decode(answers[2]["output_base64"], validate=True), binary)
        self.assertNotIn("output", answers[2])
        self.assertEqual((answers[5]["id"], answers[5]["output"].split()[0]), (None, "256000"))
        facts = parse_facts(answers[6]["output"])
        self.assertEqual([facts[f"env.{name}"] for name in ("A", "B", "PATH", "EMPTY", "HOME")],
                         ["1", "2", "/x", "", "/root"])
        failed = answers[7]
        self.assertEqual([failed[key] for key in ("exit", "end", "output", "errors", "error")],
                         [3, "ended", "é\n", "ü\n", "the function ended with exit code 3: ü"])
        self.assertEqual([answers[8][key] for key in ("exit", "signal", "error")],
                         [137, "SIGKILL", "the function was ended by SIGKILL"])
        self.assertEqual([base64.b64decode(answers[9][f"{key}_base64"]) for key in ("output", "errors")],
                         [b"a\0b", b"\xff"])
        self.assertEqual(answers[10]["id"], -(2**63))

    def test_mistakes(self):
        """A bad line is answered, and the stream goes on."""
        bad = (
            ("nonsense", "request:1:2: null expected"),
            ("[]", "expected an object, found an array"),
            ('{"id":{},"args":["/bin/true"]}', "/id: expected a string or a whole number, found an object"),
            ('{"id":1.5}', "/id: expected a string or a whole number, found a fraction"),
            ('{"id":1,"arg":[]}', "/arg: a request has no such member"),
            ('{"id":1,"args":[]}', "/args: no program to run"),
            ('{"id":1,"args":["a",1]}', "/args/1: expected a string, found a number"),
            ('{"id":1,"args":["/bin/true"],"env":[]}', "/env: expected an object, found an array"),
            ('{"id":1,"args":["/bin/true"],"env":{"A=B":"1"}}', "/env/A=B: not the name of a variable"),
            ('{"id":1,"args":["/bin/true"],"env":{"A":null}}', "/env/A: "),
            ('{"id":1,"args":["/bin/true"],"input":1}', "/input: expected a string, found a number"),
            ('{"id":1,"args":["/bin/true"],"input":"","input_base64":""}',
             "input, input_base64 and input_file exclude each other"),
            ('{"id":1,"args":["/bin/true"],"input_file":"relative"}', "/input_file: expected an absolute path"),
            ('{"id":1,"args":["/bin/true"],"input_file":"/none/such"}',
             "cannot open /none/such: No such file or directory"),
            ('{"id":1,"args":["/bin/true"],"id":2}', 'request:1:30: duplicate key "id"'),
            ('{"id":1}', "/args: no program to run"),
            *((json.dumps({"id": 1, "args": ["/bin/true"], "input_base64": text}), "/input_base64: this is not base64")
              for text in ("A", "AA", "AAA", "A===", "AA==A", "AA= =", "AB==", "A\nA=", "====", "AA=A")),
        )
        requests = "".join(f'{text}\n{{"id":"good","args":["/bin/true"]}}\n' for text, _ in bad[:3])
        requests += "".join(text + "\n" for text, _ in bad[3:])
        answers = self.serve(requests.encode())
        order = [1, 3, 5, *range(7, 7 + len(bad) - 3)]
        self.assertEqual({answers[number]["exit"] for number in (2, 4, 6)}, {0})
        for number, (text, message) in zip(order, bad):
            with self.subTest(text):
                found = answers[number]
                self.assertEqual((found["exit"], found["end"]), (125, "failed"))
                self.assertIn(message, found["error"])
                self.assertEqual(found.get("output", ""), "")

    def test_kinds_of_failure(self):
        """Codes are those of a single call."""
        answers = self.serve(
            line(id=1, args=["/bin/none"]) + line(id=2, args=["none"]) + line(id=3, args=["/bin"])
            + line(id=4, args=["/bin/probe", "sleep=100000"])
            + line(id=5, args=["/bin/sh", "-c", "cat /bin/busybox"])
            + line(id=6, args=["/bin/cat"], input="x" * 3000)
            + line(id=7, args=["/bin/sh", "-c", "cat /bin/busybox >&2"])
            + line(id=8, args=["/bin/true"]), "--timeout 4s --max-stdio-bytes 2000 --jobs 3")
        self.assertEqual([answers[i]["exit"] for i in range(1, 9)], [127, 127, 126, 124, 123, 123, 123, 0])
        self.assertEqual([answers[i].get("truncated") for i in range(4, 9)],
                         [None, "output", "input", "errors", None])
        self.assertEqual([answers[i]["end"] for i in (3, 4, 5, 8)], ["failed", "timed-out", "exceeded", "ended"])
        self.assertEqual(answers[5]["bytes"]["output"], 2000)

    def test_each_is_fresh(self):
        """Nothing of one call is there in the next: files, processes, namespaces."""
        script = "cat /state /tmp/state 2>/dev/null; echo $$; echo 1 >/state; echo 1 >/tmp/state; sleep 1000 &"
        answers = self.serve(line(args=["/bin/sh", "-c", script]) * 4, "--jobs 2")
        self.assertEqual({found["output"] for found in answers.values()}, {"2\n"})
        answers = self.serve(line(args=["/bin/sh", "-c", script]) * 3, f"--scratch {self.scratch}")
        self.assertEqual({found["output"] for found in answers.values()}, {"2\n"})
        self.assertFalse(os.path.exists(f"{self.rootfs}/state"))

    def test_program(self):
        """What stands behind --, a bundle's program, and args in its place."""
        answers = self.serve(line(id=1) + line(id=2, args=["/bin/echo", "two"]), "", "/bin/echo", "one")
        self.assertEqual([answers[i]["output"] for i in (1, 2)], ["one\n", "two\n"])
        bundle = pathlib.Path(self.dir, "bundle")
        bundle.mkdir()
        self.addCleanup(lambda: [path.unlink() for path in bundle.iterdir()] and bundle.rmdir())
        (bundle / "config.json").write_text(json.dumps(self.config("print=bundle")))
        answers = self.serve(line(id=1) + line(id=2, args=["/bin/echo", "two"]), source=str(bundle))
        self.assertEqual([answers[i]["output"].strip() for i in (1, 2)], ["bundle", "two"])

    def test_large(self):
        """Answers of any size, whole, and a request that is too long."""
        sizes = (0, 1, 2, 3, 49151, 49152, 49153, MIB)
        requests = b"".join(line(id=size, args=["/bin/head", "-c", str(size), "/dev/urandom"]) for size in sizes)
        requests += line(id="text", args=["/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo aé$i; "
                                          "i=$((i+1)); done"])
        answers = self.serve(requests, "--jobs 2")
        for size, number in zip(sizes, range(1, 100)):
            found = answers[number]
            data = found.get("output")
            data = data.encode() if data is not None else base64.b64decode(found["output_base64"], validate=True)
            self.assertEqual((found["id"], len(data)), (size, size))
        self.assertEqual(answers[len(sizes) + 1]["output"], "".join(f"aé{i}\n" for i in range(20000)))
        long = b'{"id":1,"input":"' + b"x" * LINE_MAX + b'"}\n'
        answers = self.serve(long + line(id=2, args=["/bin/true"]))
        self.assertEqual([answers[i]["exit"] for i in (1, 2)], [125, 0])
        self.assertEqual(answers[1]["error"], f"a request has at most {LINE_MAX} bytes (use input_file)")
        fits = b'{"args":["/bin/wc","-c"],"input":"' + b"x" * (LINE_MAX - 36) + b'"}'
        self.assertEqual(len(fits), LINE_MAX)
        self.assertEqual(self.serve(fits + b"\n")[1]["output"].split()[0], str(LINE_MAX - 36))

    def test_at_once(self):
        """As many as --jobs says, and answers as they end; each comes before the next is asked for."""
        process = self.begin_service("--jobs 2")
        self.ask(process, id="slow", args=["/bin/sleep", "1000"])
        self.ask(process, id="quick", args=["/bin/echo", "1"])
        self.assertEqual(json.loads(process.stdout.readline())["id"], "quick")
        self.ask(process, id="next", args=["/bin/echo", "2"])
        self.assertEqual(json.loads(process.stdout.readline())["id"], "next")
        # One more may be ready for the call after that.
        self.assertIn(len(children_of(process.pid)), (2, 3))
        process.send_signal(signal.SIGKILL)
        process.wait()

    def test_term(self):
        """SIGTERM, SIGINT and SIGHUP: what has been begun is finished, and no more is taken."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number):
                process = self.begin_service()
                self.ask(process, id=1, args=["/bin/sh", "-c", "echo begun; sleep 1000; echo done"])
                self.wait_for(lambda: sleepers_of(process.pid), "it is called")  # pylint: disable=W0640
                self.ask(process, id=2, args=["/bin/true"])
                process.send_signal(number)
                os.kill(sleepers_of(process.pid)[0], signal.SIGKILL)
                answer = self.end(process)
                self.assertEqual((answer.status, answer.stderr), (0, ""))
                (found,) = answer.stdout.splitlines()
                self.assertEqual(json.loads(found)["output"], "begun\ndone\n")

    def test_term_twice(self):
        process = self.begin_service()
        self.ask(process, id=1, args=["/bin/probe", "sleep=100000"])
        self.wait_for(lambda: len(descendants_of(process.pid)) >= 3, "it is called")
        inside = descendants_of(process.pid)
        process.send_signal(signal.SIGTERM)
        # Two that nobody has taken yet would be one.
        pending = re.compile(r"^(Sig|Shd)Pnd:\t0*[1-9a-f]", re.MULTILINE)
        self.wait_for(lambda: not pending.search(pathlib.Path(f"/proc/{process.pid}/status").read_text()), "it is taken")
        time.sleep(0.1)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        answer = self.end(process)
        self.assertEqual((answer.status, answer.stdout, answer.stderr),
                         (125, b"", "shimbox spark: ended by SIGTERM before all was answered\n"))
        self.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in inside), "all of it has ended")

    def test_killed(self):
        """kill -9 of the service, or of a worker while it is at work, leaves nothing after the next."""
        options = f"--jobs 3 --scratch {self.scratch}"
        for _ in range(20 if FULL else 3):
            process = self.begin_service(options)
            for i in range(3):
                self.ask(process, id=i, args=["/bin/sh", "-c", "echo 1 >/x; sleep 1000"])
            self.wait_for(lambda: len(sleepers_of(process.pid)) == 3, "all are called")  # pylint: disable=W0640
            inside = descendants_of(process.pid)
            process.kill()
            process.wait()
            self.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in inside), "all have ended")  # pylint: disable=W0640
            self.assertEqual(len(os.listdir(self.scratch)), 3)
            self.check_swept(lambda: os.listdir(self.scratch) + os.listdir(self.root))

    def test_lost_worker(self):
        """Its request is answered, others go on, and what it had is swept."""
        process = self.begin_service(f"--jobs 2 --scratch {self.scratch}")
        self.ask(process, id="lost", args=["/bin/sleep", "1000"])
        self.wait_for(lambda: len(descendants_of(process.pid)) >= 3, "it is called")
        (worker,) = children_of(process.pid)
        self.ask(process, id="other", args=["/bin/echo", "1"])
        self.assertEqual(json.loads(process.stdout.readline())["id"], "other")
        os.kill(worker, signal.SIGKILL)
        self.assertEqual(json.loads(process.stdout.readline()),
                         {"id": "lost", "line": 1, "exit": 125, "end": "failed",
                          "error": "its worker was ended by SIGKILL"})
        self.wait_for(lambda: len(os.listdir(self.scratch)) == 1, "it is swept")
        self.ask(process, id="more", args=["/bin/echo", "2"])
        answer = self.end(process)
        self.assertEqual((answer.status, answer.stderr), (0, ""))
        self.assertEqual(json.loads(answer.stdout)["output"], "2\n")

    def test_output_fails(self):
        """Whoever reads the answers is gone, or has no room: the service ends, and says so."""
        with open("/dev/full", "wb") as full:
            answer = self.call("--requests", data=line(args=["/bin/true"]) * 3, stdout=full)
        self.assertEqual((answer.status, answer.stderr),
                         (125, "shimbox spark: an answer could not be written to standard output\n"))
        reader, writer = os.pipe()
        process = self.begin_service(stdout=writer)
        os.close(writer)
        os.close(reader)
        answer = self.end(process, line(args=["/bin/true"]))
        self.assertEqual((answer.status, answer.stderr),
                         (125, "shimbox spark: an answer could not be written to standard output\n"))

    def test_nothing(self):
        """No request, or only blank lines, and input that cannot be read."""
        self.assertEqual(self.serve(b""), {})
        self.assertEqual(self.serve(b"\n\n \t\n"), {})
        folder = os.open(self.dir, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        answer = self.call("--requests", stdin=folder)
        self.assertEqual((answer.status, answer.stdout, answer.stderr),
                         (125, b"", "shimbox spark: cannot read standard input: Is a directory\n"))

    def test_usage(self):
        for options, message in (
                ("--jobs 2", "--jobs: needs --requests"),
                ("--requests --jobs 257", "--jobs: at most 256"),
                ("--requests --jobs many", "option --jobs: 'many' is not a number (see 'shimbox spark --help')")):
            with self.subTest(options):
                self.bad(125, message, options, "/bin/true")
        answer = self.call("--requests --json", "/bin/true")
        self.assertEqual((answer.status, answer.report["error"]),
                         (125, "--json and --requests exclude each other (answers are reports)"))

    def test_user(self):
        """An ordinary user's."""
        answers = self.serve(line(id=1, args=["/bin/probe", "uid"]) * 2, "--jobs 2", as_user=True)
        self.assertEqual({parse_facts(found["output"])["uid"] for found in answers.values()}, {"0"})

    @staticmethod
    def peak(pid):
        """Of its memory, in KiB."""
        return next(int(row.split()[1]) for row in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                    if row.startswith("VmHWM:"))

    def test_flat(self):
        """Memory does not grow with what goes through."""
        if DEBUG:
            skip_loudly(self, "debug build: the sanitizer keeps what is freed")
        process = self.begin_service()
        peaks = []
        file = pathlib.Path(self.dir, "large")
        with open(file, "wb") as large:
            large.truncate(12 * MIB)
        for size in (1, 1, 12):
            self.ask(process, id=size, args=["/bin/head", "-c", str(size * MIB)], input_file=str(file))
            self.assertEqual(json.loads(process.stdout.readline())["bytes"]["output"], size * MIB)
            # Who asks at once may get a second worker. What goes through one is in each of these two.
            peaks.append(self.peak(process.pid) + max(map(self.peak, children_of(process.pid))))
        file.unlink()
        self.assertLess(peaks[2] - peaks[1], 512, peaks)
        self.assertEqual(self.end(process).status, 0)


if __name__ == "__main__":
    unittest.main()
