"""Published vulnerabilities of container runtimes, and the test that replays each against `run`.
SPDX-License-Identifier: Apache-2.0

The table is complete in both directions: each row names tests that exist, or the command that it
waits for; and each test that has a number of a vulnerability in its name is in a row.
"""

import importlib
import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib"), str(HERE.parent / "faults")]

# Tests are MODULE.CLASS.NAME, or MODULE.CLASS for all of a class.
ROWS = {
    "runc 2016-9962": "program.Neighbours.test_2016_9962_descriptors_of_the_setup_in_joined_namespaces",
    "runc, LXC, youki 2019-5736; flatpak 2019-8308":
        "program.Descriptors.test_2019_5736_own_binary_is_not_the_file",
    "runc, crun 2019-16884": "paths.Proc.test_2019_16884_volume_over_proc "
                             "paths.Proc.test_2019_16884_lxcfs_files_are_allowed",
    "crun 2019-18837": "paths.Paths.test_2019_18837_mount_through_link_of_image",
    "runc 2019-19921, 2023-27561, 2023-28642; youki 2025-54867; LXC 2015-1334, 2015-1335":
        "paths.Paths.test_2019_19921_proc_is_a_link "
        "paths.Paths.test_2019_19921_proc_is_exchanged_with_a_link",
    "runc 2021-30465": "paths.Paths.test_2021_30465_mount_target_is_exchanged",
    "runc 2021-43784": "program.Privileges.test_2021_43784_six_thousand_mappings",
    "moby 2022-24769, podman 2022-27649, crun 2022-27650, buildah 2022-27651, runc 2022-29162; "
    "youki 2025-27612": "program.Privileges.test_2022_24769_no_inheritable_capabilities",
    "runc 2023-25809": "paths.Proc.test_2023_25809_cgroups_of_host_are_read_only",
    "runc 2024-21626": "program.Descriptors.test_2024_21626_working_directory_is_a_leaked_folder "
                       "program.Descriptors.test_2024_21626_working_directory_is_the_callers_leak "
                       "program.Descriptors.test_2024_21626_program_behind_a_leaked_folder "
                       "program.Descriptors.test_2024_21626_program_behind_descriptors_of_the_setup",
    "runc 2024-45310": "paths.Paths.test_2024_45310_folder_is_made_through_exchanged_link",
    "runc 2025-31133; youki 2025-62161": "paths.Paths.test_2025_31133_null_device_is_a_link "
                                         "paths.Paths.test_2025_31133_masks_show_the_null_device",
    "runc 2025-52565": "paths.Paths.test_2025_52565_devpts_is_a_link "
                       "paths.Paths.test_2025_52565_devpts_is_exchanged",
    "runc 2025-52881; youki 2025-62596; apptainer 2025-65105, singularity 2025-64750":
        "paths.Proc.test_2025_52881_what_is_protected_is_exchanged",
    "crun 2025-24965, 2026-84042": "paths.Paths.test_2025_24965_files_are_written_through_no_link",
    "runc 2026-41579, crun 2026-47766": "paths.Paths.test_2026_41579_dev_is_a_link",
    "crun 2026-88264": "paths.Paths.test_2026_88264_console_and_devices_are_links",
    "crun 2026-88265": "paths.Paths.test_2026_88265_null_is_a_link_and_uid_is_other",
    "crun 2026-30892; containerd 2024-40635, 2026-46680; runc 2016-3697":
        "program.Privileges.test_2026_30892_ids_that_overflow "
        "program.Privileges.test_2026_30892_mappings_that_overflow",
    "bwrap 2017-5226; LXC 2016-10124; flatpak 2019-10063, 2023-28100":
        "program.Neighbours.test_bwrap_2017_5226_bytes_pushed_into_the_callers_terminal "
        "program.Neighbours.test_bwrap_2017_5226_with_all_capabilities_of_a_user_namespace",
    "bwrap 2016-8659, 2020-5291, 2026-41163; LXC 2017-5985, 2018-6556, 2022-47952, 2026-39402":
        "program.Privileges.test_bwrap_2016_8659_set_uid_and_file_capabilities",
    "bwrap 2026-87766, 2019-12439": "paths.Paths.test_bwrap_2026_87766_links_to_oldroot "
                                    "paths.Paths.test_bwrap_801_usual_links_work",
    "flatpak 2026-97029": "program.Neighbours.test_flatpak_2026_97029_kill_0_stays_inside "
                          "program.Neighbours.test_kill_0_without_pid_namespace",
    "flatpak 2024-42472, 2026-34078": "paths.Paths.test_flatpak_2024_42472_bind_source_is_exchanged",
    "util-linux 2026-78408": "program.Descriptors.test_util_linux_2026_78408_no_descriptor_is_left",
    "containerd 2020-15257, 2024-25621": "program.Neighbours.test_containerd_2020_15257_state_and_sockets",
    "containerd 2023-25173, 2026-47262":
        "program.Privileges.test_containerd_2023_25173_groups_are_exactly_those_asked_for "
        "program.Privileges.test_containerd_2026_47262_huge_passwd",
    "docker cp 2019-14271, 2026-41567":
        "program.Descriptors.test_docker_cp_2019_14271_nothing_of_the_image_runs_outside",
    "nspawn 2026-40226, snap-confine 2022-3328, 2026-3888":
        "paths.Proc.test_nspawn_2026_40226_configuration_of_the_image",
    "kernel 2022-0492": "paths.Proc.test_2022_0492_release_agent",
    "kernel 2014-8989": "program.Privileges.test_2014_8989_setgroups_stays_denied",
}

# Rows without a test of `run`, and what they wait for.
WAIT = {
    "flatpak 2021-41133": "seccomp filters",
    "util-linux 2026-27456, 2026-53612, 2026-53613, 2026-53614, 2026-76642, 2026-78409, 2026-78410":
        "the applet idmap-mount",
    "cri-o 2022-0811, 2024-3154; podman 2026-94603": "annotations, none of which is applied",
    "runc GHSA-g54h-m393-cpwq": "cgroups and their device filter",
}


def tests_of(name):
    """{test name: class} of a module."""
    module = importlib.import_module(f"test_{name}")
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, unittest.TestCase):
            for test in unittest.defaultTestLoader.getTestCaseNames(kind):
                yield f"{name}.{kind.__name__}.{test}"


class Rows(unittest.TestCase):
    """The table itself."""

    def setUp(self):
        self.existing = set(tests_of("paths")) | set(tests_of("program"))

    def test_every_row_has_its_tests(self):
        named = {test for tests in ROWS.values() for test in tests.split()}
        self.assertEqual(named - self.existing, set())
        self.assertTrue(all(ROWS.values()) and all(WAIT.values()))

    def test_every_test_is_in_a_row(self):
        for test in self.existing:
            for year, number in re.findall(r"_(20\d\d)_(\d+)", test):
                with self.subTest(test):
                    rows = [row for row in ROWS if f"{year}-{number}" in row]
                    self.assertEqual(len(rows), 1)
                    name = test.split(".", 1)[1].split(".", 1)[1]
                    self.assertIn(name, ROWS[rows[0]])

    def test_no_vulnerability_is_in_two_rows(self):
        found = re.findall(r"20\d\d-\d+", " ".join([*ROWS, *WAIT]))
        self.assertEqual(len(found), len(set(found)))


if __name__ == "__main__":
    unittest.main()
