// What the floors of floor.c and floor_function.c do by the same calls.
// SPDX-License-Identifier: Apache-2.0
#include <net/if.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "floor_descriptor.h"

// A session keyring of its own, whose permissions are read and widened. Without keyrings it goes
// on.
void floor_join_keyring(void)
{
    enum { join = 1, set_permissions = 5, describe = 6 };
    char text[512];
    long ring = syscall(SYS_keyctl, join, NULL, 0, 0, 0);

    if (ring < 0) {
        return;
    }
    floor_check(syscall(SYS_keyctl, describe, ring, text, sizeof text, 0), "describe keyring");
    floor_check(syscall(SYS_keyctl, set_permissions, ring, 0x3f0b0000UL, 0, 0),
                "keyring permissions");
}

void floor_raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    floor_check(fd, "socket");
    floor_check(ioctl(fd, SIOCSIFFLAGS, &request), "loopback up");
    close(fd);
}

void floor_drop_privileges(void)
{
    const uint32_t keep = 1U << 5 | 1U << 10 | 1U << 29; // kill, net_bind_service, audit_write
    struct {
        uint32_t version;
        int pid;
    } header = {0x20080522, 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } data[2] = {{keep, keep, 0}, {0, 0, 0}};

    for (unsigned long cap = 0; cap < 64; cap++) {
        if (cap < 32 && (keep >> cap & 1)) {
            continue;
        }
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
            break; // EINVAL: the kernel knows no more
        }
    }
    floor_check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient");
    floor_check(syscall(SYS_capset, &header, data), "capset");
    floor_check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}
