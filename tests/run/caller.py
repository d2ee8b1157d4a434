"""A caller's terminal, for tests of programs that use it.
SPDX-License-Identifier: Apache-2.0
"""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time


def input_waiting(terminal):
    """Bytes that somebody could read from it without a line being typed first."""
    settings = termios.tcgetattr(terminal)
    raw = termios.tcgetattr(terminal)
    raw[3] &= ~termios.ICANON
    termios.tcsetattr(terminal, termios.TCSANOW, raw)
    count = struct.unpack("i", fcntl.ioctl(terminal, termios.FIONREAD, b"\0" * 4))[0]
    termios.tcsetattr(terminal, termios.TCSANOW, settings)
    return count


class Caller:
    """A terminal, and a program that is the leader of its session and has it as its streams.
    Whatever of stdin, stdout and stderr is given goes elsewhere."""

    def __init__(self, command, rows=33, columns=101, controlling=True, preexec=None, **more):
        self.master, self.terminal = os.openpty()
        self.resize(rows, columns)
        self.before = self.modes()
        self.text = b""

        def prepare():
            os.setsid()
            if controlling:
                fcntl.ioctl(self.terminal, termios.TIOCSCTTY, 0)
            if preexec:
                preexec()

        for stream in ("stdin", "stdout", "stderr"):
            more.setdefault(stream, self.terminal)
        self.process = subprocess.Popen(
            [str(word) for word in command], preexec_fn=prepare, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        os.close(self.master)
        os.close(self.terminal)

    def modes(self):
        return termios.tcgetattr(self.terminal)

    @property
    def raw(self):
        return not self.modes()[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def resize(self, rows, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def see(self, seconds):
        """Take what is shown within that time; says whether there was anything."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.text += os.read(self.master, 1 << 16)
        return True

    def expect(self, text, seconds=120):
        """Wait until this is shown, and forget everything up to it, which is returned."""
        text = text.encode()
        end = time.monotonic() + seconds
        while text not in self.text:
            if time.monotonic() > end:
                raise AssertionError(f"{text} does not come; there is {self.text}")
            self.see(0.2)
        before, _, self.text = self.text.partition(text)
        return before.decode(errors="replace")

    def finish(self, seconds=120):
        """Wait for the end; returns the exit code, and what was shown last."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"does not end; there is {self.text}")
            self.see(0.01)
        while self.see(0):
            pass
        return self.process.returncode, self.text.decode(errors="replace")

    def wait_stopped(self):
        """Wait until the process is stopped, and return the signal that did it."""
        status = os.waitpid(self.process.pid, os.WUNTRACED)[1]
        assert os.WIFSTOPPED(status), status
        return signal.Signals(os.WSTOPSIG(status))


def run_before_terminal(command, **more):
    """Run it to its end; returns its exit code and the text on the terminal, newlines undone."""
    with Caller(command, **more) as caller:
        code, text = caller.finish()
        assert caller.modes() == caller.before, "the terminal is not as it was"
        return code, text.replace("\r\n", "\n")
