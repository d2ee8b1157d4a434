#!/usr/bin/env python3
"""spark: the three streams, whatever is at either end of them.
SPDX-License-Identifier: Apache-2.0
"""

import fcntl
import hashlib
import os
import pathlib
import pty
import re
import socket
import subprocess
import threading

from spark import DEBUG, MIB, SparkTest


def take_all(source, found):
    """In a thread: read a descriptor to its end; found gets length and hash."""
    digest, length = hashlib.sha256(), 0
    while block := os.read(source, MIB):
        digest.update(block)
        length += len(block)
    found.extend((length, digest.hexdigest()))


def give(process, data):
    """In a thread: its input, as far as it is wanted."""
    try:
        process.stdin.write(data)
        process.stdin.close()
    except BrokenPipeError:
        pass


class Limits(SparkTest):
    def test_exact(self):
        """As much as is allowed is right, one byte more is not; what was right before has come."""
        for limit in (1, 4096, 65536, 65537, 200000):
            option = f"--max-stdio-bytes {limit}"
            data = os.urandom(limit + 1)
            for number, name in ((1, "standard output"), (2, "standard error")):
                copy = f"cat >&{number}" # its input may then be that long too
                with self.subTest(limit=limit, stream=name):
                    answer = self.shell(option, copy, data=data[:limit])
                    self.assertEqual((answer.status, len(answer.stdout), len(answer.stderr) > 0),
                                     (0, limit if number == 1 else 0, number == 2), answer)
                    answer = self.shell(option, f"head -c {limit + 1} /dev/zero >&{number}; exec sleep 60")
                    self.assertEqual(answer.status, 123, answer)
                    self.assertTrue(answer.stderr.endswith(
                        f"shimbox spark: the function was ended: {name} has more than {limit} bytes\n"), answer)
                    self.assertEqual((answer.stdout + answer.stderr.encode()).count(0), limit)
            with self.subTest(limit=limit, stream="input"):
                self.assertEqual(self.good(option, "/bin/cat", data=data[:limit]).stdout, data[:limit])
                answer = self.shell(option, "cat >/dev/null; exec sleep 60", data=data)
                self.assertEqual((answer.status, answer.stdout, answer.stderr), (
                    123, b"", f"shimbox spark: the function was ended: standard input has more than {limit} bytes\n"))

    def test_end_at_once(self):
        """One byte too many, and the program has ended before it was seen."""
        for number in (1, 2):
            answer = self.shell("--max-stdio-bytes 3", f"printf 1234 >&{number}")
            self.assertEqual(answer.status, 123, answer)
            self.assertIn("has more than 3 bytes", answer.stderr)

    def test_unlimited(self):
        answer = self.shell("--max-stdio-bytes 0", f"head -c {3 * MIB} /dev/zero")
        self.assertEqual((answer.status, len(answer.stdout)), (0, 3 * MIB))

    def test_without_end(self):
        """A source without end is limited like any other."""
        with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as yes:
            answer = self.end(self.begin("--max-stdio-bytes 1000000", "/bin/cat", stdin=yes.stdout))
            yes.stdout.close()
        self.assertEqual(answer.status, 123, answer.stderr)
        self.assertLessEqual(len(answer.stdout), 1000000)
        self.assertIn("standard input has more than 1000000 bytes", answer.stderr)


class Order(SparkTest):
    """No stream waits for another one."""

    def test_whichever_fills_first(self):
        size = 1 << 18 if DEBUG else MIB
        data = os.urandom(size)
        write = f"head -c {size} /dev/zero"
        for script, output, errors in ((f"{write} >&2; cat", size, size),
                                       (f"{write}; cat >&2", size, size),
                                       (f"{write}; {write} >&2; cat", 2 * size, size),
                                       (f"{write} >&2; {write}; cat >&2", size, 2 * size),
                                       (f"cat & {write} >&2; wait", 0, size)):
            with self.subTest(script):
                process = self.begin("", "/bin/sh", "-c", script)
                out, err = bytearray(), []
                # The one that comes last is taken only when the first one has ended.
                reader = threading.Thread(target=lambda p=process, e=err: e.append(p.stderr.read()))
                writer = threading.Thread(target=give, args=(process, data))
                for thread in (reader, writer):
                    thread.start()
                out += process.stdout.read()
                for thread in (reader, writer):
                    thread.join()
                process.wait()
                process.stdout.close()
                process.stderr.close()
                self.assertEqual((process.returncode, len(out), len(err[0])), (0, output, errors))

    def test_comes_as_it_is_written(self):
        """An answer goes on as it comes, before the input has ended."""
        process = self.begin("", "/bin/sh", "-c", "while read x; do echo $x; echo e$x >&2; done")
        for word in (b"one\n", b"two\n"):
            process.stdin.write(word)
            process.stdin.flush()
            self.assertEqual((process.stdout.readline(), process.stderr.readline()), (word, b"e" + word))
        answer = self.end(process)
        self.assertEqual((answer.status, answer.stdout, answer.stderr), (0, b"", ""))

    def test_slow_reader(self):
        """Nobody reads for a while: nothing is lost, and the errors come meanwhile."""
        process = self.begin("", "/bin/sh", "-c", "echo begun >&2; cat; echo done >&2", stdin=subprocess.DEVNULL)
        process.stdout.close()
        process.wait()
        process.stderr.close()
        process = self.begin("", "/bin/sh", "-c", f"head -c {MIB} /dev/zero & sleep 0.2; echo here >&2; wait")
        self.assertEqual(process.stderr.readline(), b"here\n")
        answer = self.end(process)
        self.assertEqual((answer.status, len(answer.stdout), answer.stderr), (0, MIB, ""))

    def test_large(self):
        """Both ways at once, every byte as it was, in a memory that does not grow."""
        peaks = []
        for size in (MIB, (8 if DEBUG else 100) * MIB):
            process = self.begin("", "/bin/cat")
            block, sent, found = os.urandom(MIB), hashlib.sha256(), []
            reader = threading.Thread(target=take_all, args=(process.stdout.fileno(), found))
            reader.start()
            for _ in range(size // MIB):
                sent.update(block)
                process.stdin.write(block)
            process.stdin.flush()
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            peaks.append(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]))
            process.stdin.close()
            reader.join()
            self.assertEqual((process.wait(), process.stderr.read(), found), (0, b"", [size, sent.hexdigest()]))
            process.stdout.close()
            process.stderr.close()
        self.assertLess(peaks[1] - peaks[0], 512, peaks)


class Ends(SparkTest):
    """What is at the other end of a stream, and when it goes."""

    def test_input_not_wanted(self):
        """A program that reads nothing, or a part, has its way; so has the one that writes to it."""
        data = bytes(MIB)
        for script, output in (("echo yes", b"yes\n"), ("head -c 3 | wc -c", b"3\n"),
                               ("exec <&-; echo closed", b"closed\n")):
            answer = self.shell("", script, data=data)
            self.assertEqual((answer.status, answer.stdout, answer.stderr), (0, output, ""), answer)
        with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as yes:
            answer = self.end(self.begin("", "/bin/echo", "early", stdin=yes.stdout))
            yes.stdout.close()
        self.assertEqual((answer.status, answer.stdout, answer.stderr), (0, b"early\n", ""), answer)

    def test_silent_input(self):
        """An input that neither comes nor ends is no reason to wait once the program has ended."""
        source, sink = os.pipe()
        answer = self.end(self.begin("", "/bin/echo", "x", stdin=source))
        self.assertEqual((answer.status, answer.stdout), (0, b"x\n"))
        os.close(source)
        os.close(sink)

    def test_reader_gone(self):
        """Nobody takes the answer: the program hears of it, as it would without us."""
        for stream, script in (("stdout", "exec yes"), ("stderr", "exec yes >&2")):
            process = self.begin("", "/bin/sh", "-c", script, stdin=subprocess.DEVNULL)
            getattr(process, stream).readline()
            getattr(process, stream).close()
            process.wait(120)
            other = process.stderr if stream == "stdout" else process.stdout
            text = other.read().decode()
            other.close()
            self.assertEqual(process.returncode, 141, text)
            if stream == "stdout":
                self.assertEqual(text, "shimbox spark: the function was ended by SIGPIPE\n")

    def test_full_output(self):
        """Where nothing more can be written, that is what is said."""
        with open("/dev/full", "wb") as full:
            answer = self.call("", "/bin/sh", "-c", "echo x; exec sleep 60", stdout=full)
            self.assertEqual((answer.status, answer.stderr), (
                125, "shimbox spark: cannot write standard output: No space left on device\n"))
            self.assertEqual(self.call("", "/bin/true", stdout=full).status, 0)
            answer = self.call("", "/bin/sh", "-c", "echo x", stdout=full)
            self.assertEqual(answer.status, 125, answer)

    def test_closed(self):
        """Streams that are closed are as if they led to /dev/null."""
        line = " ".join(self.command("", "/bin/sh", "-c", "'cat; echo out; echo err >&2'"))
        for redirection, output, errors in (("<&-", "out\n", "err\n"), (">&-", "", "err\n"), ("2>&-", "out\n", ""),
                                            ("<&- >&- 2>&-", "", "")):
            done = subprocess.run(["sh", "-c", f"{line} {redirection}"], stdin=subprocess.DEVNULL, check=False,
                                  capture_output=True, text=True, timeout=120)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, output, errors), redirection)

    def test_kinds_of_input(self):
        data = os.urandom(300000)
        path = pathlib.Path(self.dir, "input")
        path.write_bytes(data)
        with open(path, "rb") as file:
            self.assertEqual(self.good("", "/bin/cat", stdin=file).stdout, data)
        with open(path, "rb", buffering=0) as file:
            file.seek(100000)
            self.assertEqual(self.good("", "/bin/cat", stdin=file).stdout, data[100000:])
        with open("/dev/null", "rb") as file:
            self.assertEqual(self.good("", "/bin/cat", stdin=file).stdout, b"")
        with open("/dev/zero", "rb") as file:
            self.assertEqual(self.good("", "/bin/head", "-c", "70000", stdin=file).stdout, bytes(70000))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = self.begin("", "/bin/cat", stdin=theirs)
            theirs.close()
            threading.Thread(target=lambda: (ours.sendall(data), ours.shutdown(socket.SHUT_WR))).start()
            self.assertEqual(self.end(process).stdout, data)
        master, terminal = pty.openpty()
        process = self.begin("", "/bin/sh", "-c", "read a; echo got $a; [ -t 0 ] || echo none", stdin=terminal)
        os.close(terminal)
        os.write(master, b"typed\n")
        self.assertEqual(self.end(process).stdout, b"got typed\nnone\n")
        os.close(master)

    def test_kinds_of_output(self):
        data = os.urandom(300000)
        path = pathlib.Path(self.dir, "output")
        for mode, before in (("wb", b""), ("ab", b"before")):
            path.write_bytes(before)
            with open(path, mode) as file:
                answer = self.call("", "/bin/cat", data=data, stdout=file)
                self.assertEqual((answer.status, answer.stderr), (0, ""))
            self.assertEqual(path.read_bytes(), before + data)
        with open(path, "wb") as file:
            answer = self.shell("", "echo a; echo b >&2; sleep 0.05; echo c; echo d >&2", stdout=file, stderr=file)
        self.assertEqual(sorted(path.read_bytes().split()), [b"a", b"b", b"c", b"d"])
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = self.begin("", "/bin/cat", stdout=theirs)
            theirs.close()
            found = []
            reader = threading.Thread(target=take_all, args=(ours.fileno(), found))
            reader.start()
            self.end(process, data)
            reader.join()
            self.assertEqual(found, [len(data), hashlib.sha256(data).hexdigest()])
        master, terminal = pty.openpty()
        process = self.begin("", "/bin/echo", "seen", stdout=terminal, stdin=subprocess.DEVNULL)
        os.close(terminal)
        self.assertEqual(os.read(master, 100), b"seen\r\n")
        self.end(process)
        os.close(master)
        for file in ("/dev/null", "/dev/zero"):
            with open(file, "r+b", buffering=0) as device:
                self.assertEqual(self.call("", "/bin/cat", data=data, stdout=device).status, 0)

    def test_nonblocking(self):
        """Ends that do not wait are waited for, and are left as they were."""
        source, sink = os.pipe()
        back, forth = os.pipe()
        for end in (source, forth):
            os.set_blocking(end, False)
        fcntl.fcntl(forth, 1031, 4096) # F_SETPIPE_SZ
        process = self.begin("", "/bin/sh", "-c", "cat; head -c 100000 /dev/zero", stdin=source, stdout=forth)
        os.close(forth)
        found = []
        reader = threading.Thread(target=take_all, args=(back, found))
        reader.start()
        os.write(sink, b"x" * 5000)
        os.close(sink)
        self.assertEqual(self.end(process).status, 0)
        reader.join()
        self.assertEqual(found[0], 105000)
        self.assertFalse(os.get_blocking(source))
        os.close(source)
        os.close(back)

    def test_grandchildren(self):
        """What they write while the program lives has come; they end with it, and hold no stream."""
        answer = self.good("", "/bin/sh", "-c", "(sleep 0.1; echo late; touch /done) & while ! [ -e /done ]; do"
                                                " sleep 0.02; done; echo main")
        self.assertEqual(answer.stdout, b"late\nmain\n")
        answer = self.good("", "/bin/sh", "-c", "sleep 1000 & (trap '' TERM HUP; sleep 1000) & setsid sleep 1000 & echo main")
        self.assertEqual(answer.stdout, b"main\n")
        answer = self.good("", "/bin/sh", "-c", f"(head -c {MIB} /dev/zero; touch /done) & while ! [ -e /done ]; do"
                                                " sleep 0.02; done")
        self.assertEqual(len(answer.stdout), MIB)
