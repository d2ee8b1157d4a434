"""A foreign parent of container-init: the protocol of its manual page, and nothing of the product.
SPDX-License-Identifier: Apache-2.0

As a program: parent.py TYPE PROGRAM..., plays until the message of that type has come, says so, and
waits to be killed; parent.py all PROGRAM... plays to the end, and has the program's exit code.
"""

import json
import os
import socket
import subprocess
import sys
import time

ANSWERS = {"configured": "begin", "pid": "pid-done", "hooks": "hooks-done", "ready": "run"}
SECONDS = 120 # nothing here takes longer, or it hangs


class Parent:
    """One container-init, and the socket to it."""

    def __init__(self, command, fds=(), **more):
        """command: the program and its arguments; SYNC in it stands for the socket's number. fds:
        more to pass on."""
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(SECONDS)
        self.fds = []
        number = str(theirs.fileno())
        self.process = subprocess.Popen([number if word == "SYNC" else word for word in command],
                                        pass_fds=[theirs.fileno(), *fds], text=True, **more)
        theirs.close()

    def receive(self):
        """The next message, None at the end; what came with it is in self.fds."""
        self.drop()
        try:
            packet, self.fds, flags, _ = socket.recv_fds(self.socket, 65536, 4)
        except ConnectionResetError: # it has not read all that was sent
            return self.receive()
        assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC), "a packet that is too long"
        return json.loads(packet) if packet else None

    def send(self, kind, fds=(), **more):
        self.send_bytes(json.dumps({"type": kind, **more}).encode(), fds)

    def send_bytes(self, packet, fds=()):
        socket.send_fds(self.socket, [packet], list(fds))

    def answer(self, message):
        """As it is due, if anything is."""
        if message["type"] in ANSWERS:
            self.send(ANSWERS[message["type"]])

    def until(self, kind):
        """Answer everything before the message of that type, and return it."""
        while True:
            message = self.receive()
            if message is None or message["type"] == kind:
                return message
            assert message["type"] != "error", message
            self.answer(message)

    def rest(self):
        """All messages to the end, each answered."""
        messages = []
        while (message := self.receive()) is not None:
            messages.append(message)
            self.answer(message)
        return messages

    def drop(self):
        while self.fds:
            os.close(self.fds.pop())

    def close(self):
        self.drop()
        self.socket.close()


def main():
    parent = Parent(sys.argv[2:])
    if sys.argv[1] == "all":
        parent.rest()
        sys.exit(parent.process.wait())
    message = parent.until(sys.argv[1])
    # In one write: the container's program has the same stream.
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
    time.sleep(1000)


if __name__ == "__main__":
    main()
