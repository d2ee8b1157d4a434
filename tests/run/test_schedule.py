#!/usr/bin/env python3
"""run: how the program is scheduled: processors, input and output, memory nodes, the OOM killer.
SPDX-License-Identifier: Apache-2.0

What is wrong in a configuration by itself is in tests/core/config_kernel.c.
"""

import errno
import os
import subprocess

from container import CAPABILITIES, PROBE, ContainerTest, host_facts, skip_loudly

DENY = os.path.join(os.path.dirname(os.path.abspath(PROBE)), "deny")
X86 = os.uname().machine == "x86_64"
CAPS = int(host_facts("caps")["caps.eff"], 16)


class Schedule(ContainerTest):
    def ways(self, *facts):
        """Title, a configuration, and how to run it: as root, and as a user."""
        yield "root", self.config(*facts), {}
        yield "rootless", self.user_config(*facts), {"as_user": True}

    def more_ways(self, *facts):
        """The same, and more of them as root."""
        yield from self.ways(*facts)
        yield "root, user namespace", self.map_user(self.config(*facts), [(0, 100000, 65536)]), {}
        joined = self.config(*facts)
        joined["linux"]["namespaces"].append({"type": "time", "path": f"/proc/{os.getpid()}/ns/time"})
        yield "root, joined", joined, {}

    def need(self, *command):
        """Skip where the system's own tool cannot do it either."""
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            skip_loudly(self, f"{command}: {done.stderr}")

    # ---- the OOM killer ----

    def test_oom_score_set(self):
        before = int(host_facts("oom_score_adj")["oom_score_adj"])
        for title, config, more in self.more_ways("oom_score_adj", "uid"):
            for score in sorted({max(before, 77), 1000}):
                with self.subTest(title, score=score):
                    config["process"]["oomScoreAdj"] = score
                    facts = self.ask(config, **more)
                    self.assertEqual((facts["oom_score_adj"], facts["uid"]), (str(score), "0"))

    def test_oom_score_absent(self):
        """Then it is the caller's."""
        facts = self.ask(self.config("oom_score_adj"), prefix=["choom", "-n", "900", "--"])
        self.assertEqual(facts["oom_score_adj"], "900")

    def test_oom_score_lower(self):
        """Below what was set with privilege: by who has that privilege only."""
        config = self.config("oom_score_adj")
        config["process"]["oomScoreAdj"] = -500
        if CAPS >> CAPABILITIES["SYS_RESOURCE"] & 1:
            self.assertEqual(self.ask(config)["oom_score_adj"], "-500")
            self.map_user(config, [(0, 100000, 65536)])
            self.assertEqual(self.ask(config)["oom_score_adj"], "-500")
        for make, more in ((self.config, {"prefix": ["setpriv", "--bounding-set=-sys_resource",
                                                     "--inh-caps=-sys_resource"]}),
                           (self.user_config, {"as_user": True})):
            config = make("oom_score_adj")
            config["process"]["oomScoreAdj"] = -500
            result = self.refused(config, "cannot set the oom score adjustment to -500: ", **more)
            self.assertIn("/process/oomScoreAdj: ", result.stderr)
            self.assertIn("lowering it needs CAP_SYS_RESOURCE", result.stderr)

    # ---- processors ----

    ZERO = {"policy": "other", "nice": 0, "priority": 0, "flags": 0, "deadline": 0, "period": 0}

    def check(self, config, wanted, **more):
        facts = self.ask(config, **more)
        found = {key: facts[f"scheduler.{key}"] for key in {**self.ZERO, **wanted}}
        self.assertEqual(found, {key: str(v) for key, v in {**self.ZERO, **wanted}.items()})

    def test_scheduler_ordinary(self):
        for title, config, more in self.ways("scheduler"):
            for scheduler, wanted in (
                ({"policy": "SCHED_OTHER", "nice": 5}, {"nice": 5}),
                ({"policy": "SCHED_BATCH", "nice": 19}, {"policy": "batch", "nice": 19}),
                ({"policy": "SCHED_IDLE"}, {"policy": "idle"}),
                ({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, {"flags": 1}),
            ):
                with self.subTest(title, scheduler=scheduler):
                    config["process"]["scheduler"] = scheduler
                    self.check(config, wanted, **more)

    def test_scheduler_real_time(self):
        self.need("chrt", "--fifo", "5", "true")
        for title, config, more in self.more_ways("scheduler"):
            for scheduler, wanted in (
                ({"policy": "SCHED_FIFO", "priority": 1}, {"policy": "fifo", "priority": 1}),
                ({"policy": "SCHED_RR", "priority": 99, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
                 {"policy": "rr", "priority": 99, "flags": 1}),
                ({"policy": "SCHED_OTHER", "nice": -20}, {"nice": -20}),
            ):
                with self.subTest(title, scheduler=scheduler):
                    config["process"]["scheduler"] = scheduler
                    if more:
                        result = self.refused(config, "cannot set the scheduling policy: ", **more)
                        self.assertIn("/process/scheduler: ", result.stderr)
                        self.assertIn("needs CAP_SYS_NICE", result.stderr)
                    else:
                        self.check(config, wanted)

    def test_scheduler_deadline(self):
        self.need("chrt", "--deadline", "--sched-runtime", "1000000", "--sched-deadline", "10000000",
                  "--sched-period", "20000000", "0", "true")
        config = self.config("scheduler")
        scheduler = {"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 10000000,
                     "period": 20000000, "flags": ["SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"]}
        config["process"]["scheduler"] = scheduler
        self.check(config, {"policy": "deadline", "runtime": 1000000, "deadline": 10000000,
                            "period": 20000000, "flags": 6})
        scheduler["deadline"] = 100
        self.refused(config, "runtime must be 1024 ns at least, and runtime <= deadline <= period")

    def test_scheduler_not_in_this_kernel(self):
        config = self.config("scheduler")
        config["process"]["scheduler"] = {"policy": "SCHED_ISO"}
        self.refused(config, "no Linux has SCHED_ISO")
        for flag, bit in (("SCHED_FLAG_UTIL_CLAMP_MIN", 32), ("SCHED_FLAG_UTIL_CLAMP_MAX", 64)):
            config["process"]["scheduler"] = {"policy": "SCHED_OTHER", "flags": [flag]}
            result = self.run_config(config)
            if result.status == 0:
                self.assertEqual(int(result.facts["scheduler.flags"]) & bit, 0, "never shown")
            else:
                self.assertIn("this kernel is built without utilization clamping", result.stderr)

    def test_scheduler_keep(self):
        """What is the caller's stays."""
        self.need("chrt", "--batch", "0", "true")
        config = self.config("scheduler")
        self.check(config, {"policy": "batch"}, prefix=["chrt", "--batch", "0"])
        config["process"]["scheduler"] = {"policy": "SCHED_IDLE", "nice": 7,
                                          "flags": ["SCHED_FLAG_KEEP_POLICY"]}
        self.check(config, {"policy": "batch", "nice": 7}, prefix=["chrt", "--batch", "0"])
        config["process"]["scheduler"] = {"policy": "SCHED_OTHER", "nice": 7, "flags": [
            "SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_PARAMS"]}
        self.check(config, {"policy": "batch"}, prefix=["chrt", "--batch", "0"])

    # ---- input and output ----

    def test_io_priority_classes(self):
        for title, config, more in self.ways("ioprio"):
            for name, level, wanted in (("BE", 0, "be"), ("IDLE", 4, "idle"), ("RT", 7, "rt")):
                with self.subTest(title, name=name, level=level):
                    config["process"]["ioPriority"] = {"class": f"IOPRIO_CLASS_{name}",
                                                       "priority": level}
                    if more and name == "RT":
                        result = self.refused(config, "cannot set the priority of input and output",
                                              **more)
                        self.assertIn("/process/ioPriority: ", result.stderr)
                        self.assertIn("IOPRIO_CLASS_RT needs CAP_SYS_NICE", result.stderr)
                        continue
                    facts = self.ask(config, **more)
                    self.assertEqual(facts["ioprio.class"], wanted)
                    self.assertEqual(facts["ioprio.level"], str(level))

    def test_io_priority_absent(self):
        facts = self.ask(self.config("ioprio"), prefix=["ionice", "-c2", "-n6"])
        self.assertEqual((facts["ioprio.class"], facts["ioprio.level"]), ("be", "6"))

    # ---- processors of those that join later ----

    def test_affinity_not_for_the_first_process(self):
        """runtime-spec: "not applicable to the container's init process"."""
        before = host_facts("affinity")["affinity"]
        for lists in ({"initial": "0"}, {"final": "0-3,7"}, {"initial": "8191", "final": ""}, {}):
            config = self.config("affinity")
            config["process"]["execCPUAffinity"] = lists
            self.assertEqual(self.ask(config, "--strict")["affinity"], before)

    # ---- memory nodes ----

    def test_memory_policy_modes(self):
        self.need(PROBE, "mempolicy")
        static = {"flags": ["MPOL_F_STATIC_NODES"]}
        for title, config, more in self.ways("mempolicy"):
            for policy, wanted in (
                ({"mode": "MPOL_DEFAULT"}, (0, 0, "")),
                ({"mode": "MPOL_PREFERRED", "nodes": "0"}, (1, 0, "0")),
                ({"mode": "MPOL_BIND", "nodes": "0"}, (2, 0, "0")),
                ({"mode": "MPOL_BIND", "nodes": "0-1,5", **static}, (2, 1 << 15, "0 1 5")),
                ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"]},
                 (3, 1 << 14, "0")),
                ({"mode": "MPOL_LOCAL"}, (4, 0, "")),
            ):
                with self.subTest(title, policy=policy):
                    config["linux"]["memoryPolicy"] = policy
                    facts = self.ask(config, **more)
                    self.assertEqual(tuple(facts[f"mempolicy.{key}"] for key in ("mode", "flags", "nodes")),
                                     (str(wanted[0]), str(wanted[1]), wanted[2]))

    def test_memory_policy_newer_modes(self):
        """Of later kernels than all that are supported: applied, or refused with a word on it."""
        self.need(PROBE, "mempolicy")
        for mode, number in (("MPOL_PREFERRED_MANY", "5"), ("MPOL_WEIGHTED_INTERLEAVE", "6")):
            config = self.config("mempolicy")
            config["linux"]["memoryPolicy"] = {"mode": mode, "nodes": "0"}
            result = self.run_config(config)
            if result.status == 0:
                self.assertEqual(result.facts["mempolicy.mode"], number)
            else:
                self.assertIn("or a mode that this kernel lacks", result.stderr)
        config["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0",
                                           "flags": ["MPOL_F_NUMA_BALANCING"]}
        self.assertEqual(self.ask(config)["mempolicy.flags"], str(1 << 13))


    def test_memory_policy_kernel_without(self):
        config = self.config("uid")
        config["linux"]["memoryPolicy"] = {"mode": "MPOL_LOCAL"}
        if X86:
            self.refused(config, "this kernel knows of no memory nodes",
                         prefix=[DENY, "238", str(errno.ENOSYS)])

    # ---- personality ----

    def test_personality_domains(self):
        before = host_facts("machine")["machine"]
        other = {"x86_64": "i686", "aarch64": "armv8l"}.get(before, before)
        for title, config, more in self.ways("personality", "machine"):
            for domain, want, machine in (("LINUX", "0", before), ("LINUX32", "8", other)):
                with self.subTest(title, domain=domain):
                    config["linux"]["personality"] = {"domain": domain, "flags": []}
                    facts = self.ask(config, **more)
                    self.assertEqual((facts["personality"], facts["machine"]), (want, machine))

    def test_personality_callers(self):
        config = self.config("personality")
        linux32 = ["setarch", "linux32", "--"]
        self.assertEqual(self.ask(config, prefix=linux32)["personality"], "8")
        config["linux"]["personality"] = {"domain": "LINUX"}
        self.assertEqual(self.ask(config, prefix=linux32)["personality"], "0")
