/* The set-up of a container: the order of its steps.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/container/setup.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/annex.h"
#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/trace.h"
#include "core/container/container.h"
#include "core/container/late.h"
#include "core/container/launch.h"
#include "core/container/start.h"
#include "core/container/sync.h"
#include "core/linux/capability.h"
#include "core/linux/credentials.h"
#include "core/linux/mount.h"
#include "core/linux/network.h"
#include "core/linux/pages.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"
#include "core/linux/uts.h"
#include "core/oci/config.h"

/* Until its maps are there, nothing in a new user namespace has an id. And a process that was made
 * on behalf of the parent says nothing before the parent knows of it. The parent may have ended
 * before this was asked for; then the message does not come. */
static int wait_for_mappings(struct container *container)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return fail(errno, "cannot follow the parent process");
    return launch_is_awaited(container) ? sync_expect(container->channel, SYNC_MAPPED) : 0;
}

static int enter_user_namespace(struct container *container)
{
    const struct config_namespace *namespaces = container->config->namespaces;
    if (!namespaces[NAMESPACE_USER].wanted)
        return 0;
    int result = credentials_enter_root();
    const struct config_namespace *ipc = &namespaces[NAMESPACE_IPC];
    if (result == 0 && ipc->wanted && !ipc->path && sys_unshare(CLONE_NEWIPC) < 0)
        return fail(errno, "cannot create an ipc namespace");
    return result;
}

/* A session of its own: kill(0) inside stays inside, and no terminal of the caller is its own. The
 * umask is the program's matter; what is made here has exactly the modes that it is given. */
static int start_session(struct container *container)
{
    (void)container;
    umask(0);
    if (setsid() < 0)
        return fail(errno, "cannot start a session");
    return 0;
}

static int connect_streams(struct container *container)
{
    for (int i = 0; i < 3; i++) {
        if (container->streams[i] >= 0 && dup2(container->streams[i], i) < 0)
            return fail(errno, "cannot connect standard stream %d", i);
    }
    return 0;
}

static int set_hostname(struct container *container)
{
    const char *hostname = container->config->hostname;
    return hostname ? uts_set_hostname(hostname) : 0;
}

static int set_domainname(struct container *container)
{
    const char *domainname = container->config->domainname;
    return domainname ? uts_set_domainname(domainname) : 0;
}

static int start_loopback(struct container *container)
{
    const struct config_namespace *network = &container->config->namespaces[NAMESPACE_NETWORK];
    return network->wanted && !network->path ? network_loopback_up() : 0;
}

static bool has_own_mounts(const struct container *container)
{
    return container->config->namespaces[NAMESPACE_MOUNT].path == NULL;
}

/* Nothing that is mounted here may reach the host; what the host mounts may come in. */
static int isolate_mounts(struct container *container)
{
    if (!has_own_mounts(container))
        return 0;
    if (sys_mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return fail(errno, "cannot make the mounts of the host slaves");
    return 0;
}

static int protect_root(struct container *container)
{
    return container->config->root_readonly ? mount_set_readonly(container->root, false) : 0;
}

/* Only now, when nothing is mounted any more: a shared root would send the set-up's own mounts to
 * whoever shares it. */
static int set_root_propagation(struct container *container)
{
    const char *word = container->config->rootfs_propagation;
    bool recursive;
    uint64_t propagation = word ? mount_propagation(word, &recursive) : 0;
    if (!propagation || propagation == MS_SLAVE)
        return 0;
    return mount_set_propagation(container->root, propagation, recursive);
}

/* What the host adds to the file systems has to come while its paths can still be named, and before
 * anything is covered. */
static int wait_for_hooks(struct container *container)
{
    if (!container->wait_for_hooks)
        return 0;
    int result = sync_send(container->channel, SYNC_HOOKS);
    return result < 0 ? result : sync_expect(container->channel, SYNC_HOOKS_DONE);
}

/* The parent sets the limits of the program while the root is changed: after this, no descriptor
 * and no memory may be needed that a low limit would deny. */
static int report_ready(struct container *container)
{
    return sync_send(container->channel, SYNC_READY);
}

/* They stay blocked until the program runs. */
static int reset_signals(struct container *container)
{
    return process_reset_changed(container->proc);
}

static int wait_to_run(struct container *container)
{
    int result = sync_expect(container->channel, SYNC_RUN);
    return result == 0 && container->late ? late_adopt(container) : result;
}

static int bound_capabilities(struct container *container)
{
    return capability_bound(container->config->process.capabilities.bounding);
}

static int own_stdio(struct container *container)
{
    return credentials_own_stdio(container->config->process.uid);
}

static int become_user(struct container *container)
{
    const struct config_process *process = &container->config->process;
    return credentials_set(process->uid, process->gid, process->additional_gids,
                           process->additional_gid_count);
}

/* What runc and crun write by default asks for ambient capabilities that are not inheritable, which
 * the kernel refuses; such bits are left out, as they do (the caller has been told). */
static int apply_capabilities(struct container *container)
{
    struct capability_sets sets = container->config->process.capabilities;
    sets.ambient &= sets.permitted & sets.inheritable;
    return capability_apply(&sets);
}

static int forbid_new_privileges(struct container *container)
{
    if (container->config->process.no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail(errno, "cannot forbid new privileges");
    return 0;
}

/* The order, which is what most of this program is about. Mounting comes before the root is
 * changed, while paths of the host can still be named; privileges are given up last, bounding set
 * first, since dropping from it takes CAP_SETPCAP; what needs a descriptor comes before "ready",
 * after which the program's own limits hold. What needs nothing of that is done while the parent
 * sets them and keeps the state. The time namespace comes before the ids change, with which this
 * process may lose its own files in /proc. The labels that the program will have come after all
 * that else is executed on behalf of the host: only the startContainer hooks, programs of the
 * container, share them; and as long as this process may write to what it likes. How it is
 * scheduled is for the program: the set-up itself has the caller's way.
 *
 * A step has a name, the JSON pointer for errors where it does not know better, and a function.
 * No table of pointers, which the program would have to relocate at every start. */
#define STEPS(STEP)                                                                                \
    STEP("wait for ID mappings", "/linux/uidMappings", wait_for_mappings)                          \
    STEP("enter time namespace", "/linux/timeOffsets", setup_time)                                 \
    STEP("enter user namespace", "/linux/namespaces", enter_user_namespace)                        \
    STEP("enter cgroup", "/linux/cgroupsPath", setup_cgroup)                                       \
    STEP("start session", "", start_session)                                                       \
    STEP("connect streams", "", connect_streams)                                                   \
    STEP("join session keyring", "", setup_keyring)                                                \
    STEP("set hostname", "/hostname", set_hostname)                                                \
    STEP("set domainname", "/domainname", set_domainname)                                          \
    STEP("start loopback", "/linux/namespaces", start_loopback)                                    \
    STEP("set sysctls", "/linux/sysctl", setup_sysctls)                                            \
    STEP("isolate mounts", "", isolate_mounts)                                                     \
    STEP("open mount sources", "/mounts", setup_sources)                                           \
    STEP("attach root", "/root/path", setup_attach_root)                                           \
    STEP("mount file systems", "/mounts", setup_mounts)                                            \
    STEP("make devices", "/linux/devices", setup_devices)                                          \
    STEP("wait for hooks", "/hooks", wait_for_hooks)                                               \
    STEP("run createContainer hooks", "/hooks/createContainer", setup_create_hooks)                \
    STEP("make terminal", "/process/terminal", setup_terminal)                                     \
    STEP("reopen null streams", "", setup_null_streams)                                            \
    STEP("mask paths", "/linux/maskedPaths", setup_masked_paths)                                   \
    STEP("protect paths", "/linux/readonlyPaths", setup_readonly_paths)                            \
    STEP("protect root", "/root/readonly", protect_root)                                           \
    STEP("make environment", "/process/env", setup_environment)                                    \
    STEP("set AppArmor profile", "/process/apparmorProfile", setup_profile)                        \
    STEP("set SELinux label", "/process/selinuxLabel", setup_label)                                \
    STEP("report ready", "", report_ready)                                                         \
    STEP("change root", "/root/path", setup_pivot)                                                 \
    STEP("set root propagation", "/linux/rootfsPropagation", set_root_propagation)                 \
    STEP("set working directory", "/process/cwd", setup_working_directory)                         \
    STEP("bound capabilities", "/process/capabilities", bound_capabilities)                        \
    STEP("reset signals", "", reset_signals)                                                       \
    STEP("wait to run", "", wait_to_run)                                                           \
    STEP("guard program", "", setup_guard)                                                         \
    STEP("set scheduling", "/process/scheduler", setup_schedule_as_user)                           \
    STEP("set memory policy", "/linux/memoryPolicy", setup_memory_policy)                          \
    STEP("set personality", "/linux/personality", setup_personality)                               \
    STEP("load system call filter", "/linux/seccomp", setup_seccomp_early)                         \
    STEP("own standard streams", "/process/user", own_stdio)                                       \
    STEP("become user", "/process/user", become_user)                                              \
    STEP("enter working directory", "/process/cwd", setup_working_directory_as_user)               \
    STEP("apply capabilities", "/process/capabilities", apply_capabilities)                        \
    STEP("forbid new privileges", "/process/noNewPrivileges", forbid_new_privileges)               \
    STEP("execute program", "/process/args", setup_execute)

#define STEP_TEXT(name, field, run)   {name, field},
#define STEP_NUMBER(name, field, run) AT_##run,
#define STEP_ACTION(name, field, run)                                                              \
    case AT_##run:                                                                                 \
        return run(container);

static const struct setup_step {
    char name[28];
    char field[28];
} steps[] = {STEPS(STEP_TEXT)};

enum step_number { STEPS(STEP_NUMBER) };

static int do_step(struct container *container, enum step_number number)
{
    switch (number) {
        STEPS(STEP_ACTION)
    }
    return fail(EINVAL, "there is no such step");
}

/* Do the steps from the one to the other. */
static int do_steps(struct container *container, enum step_number first, enum step_number last)
{
    for (enum step_number i = first; i <= last; i++) {
        trace_group(steps[i].name);
        if (i == AT_wait_for_mappings)
            trace_received(SYNC_START, "start");
        if (trace_wanted && config_has(container->config, steps[i].field))
            trace_field("%s", steps[i].field);
        int result = do_step(container, i);
        if (result < 0) {
            error_step(steps[i].name);
            if (steps[i].field[0])
                error_field(steps[i].field);
            return result;
        }
    }
    return 0;
}

static _Noreturn void do_rest(struct container *container, enum step_number first)
{
    do_steps(container, first, AT_setup_execute);
    if (container->started)
        start_send_error(container);
    else
        sync_send_error(container->channel);
    _exit(1);
}

_Noreturn void setup_container(struct container *container)
{
    trace_child("container");
    if (!annex_here())
        pages_of_child();
    do_rest(container, AT_wait_for_mappings);
}

_Noreturn void setup_program(struct container *container)
{
    do_rest(container, AT_setup_guard + 1);
    _exit(1);
}

static int setup_tree(struct container *container)
{
    return do_steps(container, AT_isolate_mounts, AT_protect_root);
}

int setup_enter_tree(struct container *container)
{
    int result = setup_tree(container);
    return result < 0 ? result : do_steps(container, AT_setup_pivot, AT_set_root_propagation);
}

/* What was mounted here can leave this mount namespace as a clone. */
int setup_detach_tree(struct container *container)
{
    int result = setup_tree(container);
    if (result < 0)
        return result;
    trace_group("detach tree");
    step("clone the whole tree");
    autoclose int tree = mount_clone(container->root, "", true);
    if (tree < 0)
        return tree;
    close_fd(&container->root);
    container->root = take_fd(&tree);
    return do_steps(container, AT_set_root_propagation, AT_set_root_propagation);
}
