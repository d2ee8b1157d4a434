#!/usr/bin/env python3
"""SCMP_ACT_NOTIFY: who is asked, what it is told, and a set-up that asks before the program does.
SPDX-License-Identifier: Apache-2.0
"""

import array
import fcntl
import json
import os
import pathlib
import select
import socket
import struct
import threading
import unittest

from container import ContainerTest
from test_seccomp import NUMBERS, number, profile, rule

RECEIVE, SEND, CONTINUE = 0xc0502100, 0xc0182101, 1
NOTICE, ANSWER = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI")


class Agent(threading.Thread):
    """Listens, takes one container, and answers: {system call number: errno}, else it goes on."""

    def __init__(self, path, answers=(), stay=True):
        super().__init__()
        self.answers, self.stay = dict(answers), stay
        self.text, self.descriptors, self.pid_seen, self.asked = b"", [], None, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(path)
        self.socket.listen()
        self.socket.settimeout(120)
        os.chmod(path, 0o777)
        self.error = None
        self.start()

    def run(self):
        try:
            self.serve()
        except OSError as error:
            self.error = error
        finally:
            for fd in self.descriptors:
                os.close(fd)

    def serve(self):
        connection, _ = self.socket.accept()
        with connection:
            while True:
                data, control, _, _ = connection.recvmsg(1000, 64)
                for _, _, packed in control:
                    fds = array.array("i")
                    fds.frombytes(packed)
                    self.descriptors += fds
                if not data:
                    break
                self.text += data
        if not self.text:
            return
        pid = json.loads(self.text)["pid"]
        self.pid_seen = pathlib.Path(f"/proc/{pid}/status").exists()
        if self.stay:
            self.answer(self.descriptors[0])

    def answer(self, listener):
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while True:
            events = poll.poll(120000)
            if not events or events[0][1] & (select.POLLHUP | select.POLLERR):
                return
            notice = bytearray(NOTICE.size)
            try:
                fcntl.ioctl(listener, RECEIVE, notice)
            except FileNotFoundError:
                continue  # it has ended meanwhile
            identity, _, _, call = NOTICE.unpack(notice)[:4]
            self.asked.append(call)
            error = self.answers.get(call)
            answer = (identity, 0, -error, 0) if error else (identity, 0, 0, CONTINUE)
            try:
                fcntl.ioctl(listener, SEND, bytearray(ANSWER.pack(*answer)))
            except FileNotFoundError:
                pass

    def end(self):
        self.socket.close()
        self.join(120)
        assert not self.is_alive(), "the agent goes on"
        if self.error:
            raise self.error


class Notify(ContainerTest):
    def setUp(self):
        super().setUp()
        self.path = f"{self.dir}/agent"

    def ask_agent(self, rules, *facts, no_new_privs=False, answers=(), stay=True, options=(), flags=None,
                  **more):
        """Run it with an agent; returns the facts, and the agent."""
        config = self.config(*facts)
        config["process"]["noNewPrivileges"] = no_new_privs
        config["linux"]["seccomp"] = profile("ALLOW", *rules, listenerPath=self.path, **more)
        if flags:
            config["linux"]["seccomp"]["flags"] = flags
        config["annotations"] = {"a \"key\"": "x" * 5000}
        agent = Agent(self.path, answers, stay)
        try:
            facts = self.ask(config, *options)
        finally:
            agent.end()
            os.unlink(self.path)
        return facts, agent

    def test_state(self):
        """runtime-spec's container process state, once, with one descriptor; then the end."""
        call = f"call={number('getppid')}"
        for no_new_privs in (False, True):
            facts, agent = self.ask_agent(
                [rule("NOTIFY", "getppid")], call, f"call={number('getuid')}", no_new_privs=no_new_privs,
                answers={NUMBERS["getppid"]: 99}, options=["asker"], listenerMetadata="for \"me\"")
            self.assertEqual(facts, {call.replace("=", ":"): "E099", f"call:{number('getuid')}": "ok"})
            state = json.loads(agent.text)
            pid = state["pid"]
            self.assertEqual(state, {
                "ociVersion": "1.0.2", "fds": ["seccompFd"], "pid": pid, "metadata": "for \"me\"",
                "state": {"ociVersion": "1.0.2", "id": "asker", "status": "creating", "pid": pid,
                          "bundle": os.getcwd(), "annotations": {"a \"key\"": "x" * 5000}}})
            self.assertTrue(agent.pid_seen)
            self.assertEqual((len(agent.descriptors), agent.asked), (1, [NUMBERS["getppid"]]))

    def test_set_up(self):
        """What the set-up does after the filter is there may be asked about, all but one call."""
        names = ["setresuid", "setgroups", "setresgid", "capset", "prctl", "close", "close_range", "recvmsg",
                 "recvfrom", "execve", "rt_sigaction", "newfstatat", "openat2", "umask"]
        for no_new_privs in (False, True):
            facts, agent = self.ask_agent([rule("NOTIFY", *names)], "uid", no_new_privs=no_new_privs)
            self.assertEqual(facts["uid"], "0")
            self.assertGreater(len(agent.asked), 2)

    def test_agent_goes_away(self):
        """Then nobody answers, which the kernel tells by ENOSYS; the container goes on."""
        call = f"call={number('getppid')}"
        facts, _ = self.ask_agent([rule("NOTIFY", "getppid")], call, stay=False)
        self.assertEqual(facts, {call.replace("=", ":"): "ENOSYS"})

    def test_flags(self):
        """TSYNC has to be told of the listener; WAIT_KILLABLE_RECV is for it alone."""
        call = f"call={number('getppid')}"
        newer = tuple(map(int, os.uname().release.split(".")[:2])) >= (5, 19)
        for flag in ["TSYNC", *(["WAIT_KILLABLE_RECV"] if newer else [])]:
            facts, _ = self.ask_agent([rule("NOTIFY", "getppid")], call, answers={NUMBERS["getppid"]: 99},
                                      flags=["SECCOMP_FILTER_FLAG_" + flag])
            self.assertEqual(facts, {call.replace("=", ":"): "E099"})

    def test_nobody_there(self):
        """Refused before anything is made: no socket, no listener, and no socket at all."""
        config = self.config("uid")
        config["linux"]["seccomp"] = profile("ALLOW", rule("NOTIFY", "getppid"), listenerPath=self.path)
        self.refused(config, f"cannot connect to {self.path}: No such file or directory")
        pathlib.Path(self.path).touch()
        self.refused(config, f"cannot connect to {self.path}: Connection refused")
        os.unlink(self.path)

    def test_not_needed(self):
        """Without a rule that asks, the path is of no account."""
        config = self.config("uid")
        config["linux"]["seccomp"] = profile("ALLOW", rule("ERRNO", "getppid"), listenerPath=self.path,
                                             listenerMetadata="x")
        self.assertEqual(self.ask(config)["uid"], "0")


if __name__ == "__main__":
    unittest.main()
