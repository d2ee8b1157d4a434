/* The namespaces of a process, and the network of its network namespace.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/container/inspect.h"
#include "core/linux/interface.h"
#include "core/linux/namespace.h"
#include "core/linux/process.h"
#include "core/linux/sys.h"

/* "net:[4026531840]": all that is told of a namespace that cannot be opened. */
static int read_inode(int directory, const char *name, uint64_t *inode)
{
    char target[64] = "";
    if (readlinkat(directory, name, target, sizeof(target) - 1) < 0)
        return -errno;
    const char *digits = strchr(target, '[');
    if (!digits)
        return -EINVAL;
    *inode = strtoull(digits + 1, NULL, 10);
    return 0;
}

static int inode_of(int fd, uint64_t *inode)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    *inode = status.st_ino;
    return 0;
}

/* What an ioctl of a namespace leads to, as inode number. EPERM: it is outside of the caller's own
 * namespace, or does not exist. */
static int related_inode(int fd, int request, uint64_t *inode)
{
    autoclose int related = ioctl(fd, (unsigned)request);
    return related < 0 ? -errno : inode_of(related, inode);
}

/* kthreadd, the ancestor of all threads of the kernel, is in every initial namespace. It is number
 * 2 of the initial pid namespace, and has no parent there. */
static bool is_kernels(const struct inspect *inspect, enum namespace_type type, uint64_t inode,
                       bool *known)
{
    char path[32];
    uint64_t pid_namespace, kernels;
    *known = inspect->proc >= 0 && read_inode(inspect->proc, "2/ns/pid", &pid_namespace) == 0 &&
             namespace_is_initial(NAMESPACE_PID, pid_namespace) == 1;
    snprintf(path, sizeof(path), "2/ns/%s", namespace_file(type));
    *known = *known && read_inode(inspect->proc, path, &kernels) == 0;
    return *known && kernels == inode;
}

static void put_initial(struct inspect *inspect, struct json_object *object,
                        enum namespace_type type, uint64_t inode, uint64_t owner)
{
    int initial = namespace_is_initial(type, inode);
    const char *how = "inode number";
    bool known;
    if (initial < 0 && is_kernels(inspect, type, inode, &known)) {
        initial = 1;
        how = "comparison with kernel thread 2";
    } else if (initial < 0 && known) {
        initial = 0;
        how = "comparison with kernel thread 2";
    } else if (initial < 0 && owner && !namespace_is_initial(NAMESPACE_USER, owner)) {
        /* The initial ones belong to the initial user namespace. */
        initial = 0;
        how = "owner";
    }
    if (initial >= 0) {
        inspect_put_bool(inspect, object, "initial", initial);
        inspect_put_text(inspect, object, "known_by", how);
    } else {
        inspect_put(inspect, object, "initial", inspect_refusal("cannot be told from here"));
        inspect_put_null(inspect, object, "known_by");
    }
}

static void put_inode(struct inspect *inspect, struct json_object *object, const char *key,
                      int result, uint64_t inode)
{
    if (result < 0)
        inspect_put(inspect, object, key,
                    result == -EPERM ? inspect_refusal("outside of what this process may see")
                                     : inspect_error(result));
    else
        inspect_put_number(inspect, object, key, (int64_t)inode);
}

/* The owner of a namespace is a user namespace, and a user: who made that user namespace. */
static uint64_t put_owner(struct inspect *inspect, struct json_object *object,
                          enum namespace_type type, uint64_t own, int fd)
{
    uint64_t inode = 0;
    uid_t uid;
    autoclose int owner =
        type == NAMESPACE_USER ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : ioctl(fd, NS_GET_USERNS);
    int result = owner < 0 ? -errno : ioctl(owner, NS_GET_OWNER_UID, &uid) < 0 ? -errno : 0;
    put_inode(inspect, object, "owner_uid", result, uid);
    if (type == NAMESPACE_USER && namespace_is_initial(type, own) == 1) {
        inspect_put_null(inspect, object, "owner_namespace");
        return 0;
    }
    if (type == NAMESPACE_USER)
        result = related_inode(fd, NS_GET_USERNS, &inode);
    else
        result = owner < 0 ? result : inode_of(owner, &inode);
    put_inode(inspect, object, "owner_namespace", result, inode);
    return result < 0 ? 0 : inode;
}

static struct json_object *describe(struct inspect *inspect, int directory,
                                    enum namespace_type type)
{
    const char *name = namespace_file(type);
    uint64_t inode, owner = 0, parent = 0;
    int result = read_inode(directory, name, &inode);
    if (result == -ENOENT)
        return inspect_refusal("the kernel has none");
    if (result < 0)
        return inspect_error(result);
    struct json_object *object = json_object_new_object();
    inspect_put_number(inspect, object, "inode", (int64_t)inode);
    autoclose int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    int number = errno;
    if (fd >= 0) {
        owner = put_owner(inspect, object, type, inode, fd);
    } else {
        inspect_put(inspect, object, "owner_uid", inspect_error(number));
        inspect_put(inspect, object, "owner_namespace", inspect_error(number));
    }
    /* Only these two make a tree; the initial ones are its roots. */
    if ((type != NAMESPACE_USER && type != NAMESPACE_PID) ||
        namespace_is_initial(type, inode) == 1) {
        inspect_put_null(inspect, object, "parent");
    } else {
        result = fd < 0 ? -number : related_inode(fd, NS_GET_PARENT, &parent);
        put_inode(inspect, object, "parent", result, parent);
    }
    put_initial(inspect, object, type, inode, owner);
    return object;
}

struct json_object *inspect_namespaces(struct inspect *inspect)
{
    if (inspect->process < 0)
        return inspect_error(inspect->number);
    autoclose int directory = openat(inspect->process, "ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return inspect_error(errno);
    struct json_object *object = json_object_new_object();
    for (int type = 0; object && type < NAMESPACE_TYPES; type++)
        inspect_put(inspect, object, namespace_name(type), describe(inspect, directory, type));
    return object;
}

/* ---- interfaces ---- */

struct collection {
    struct inspect *inspect;
    struct json_object *array;
};

static void add_interface(void *context, const struct interface *interface)
{
    static const struct {
        uint32_t flag;
        char name[12];
    } names[] = {
        {IFF_UP, "up"},
        {IFF_RUNNING, "running"},
        {IFF_LOOPBACK, "loopback"},
        {IFF_BROADCAST, "broadcast"},
        {IFF_POINTOPOINT, "pointopoint"},
        {IFF_MULTICAST, "multicast"},
        {IFF_NOARP, "noarp"},
        {IFF_PROMISC, "promisc"},
    };
    struct collection *collection = context;
    struct inspect *inspect = collection->inspect;
    struct json_object *object = json_object_new_object();
    struct json_object *flags = json_object_new_array();
    inspect_put_text(inspect, object, "name", interface->name);
    inspect_put_number(inspect, object, "index", interface->index);
    for (size_t i = 0; flags && i < sizeof(names) / sizeof(names[0]); i++) {
        if (interface->flags & names[i].flag)
            inspect_add(inspect, flags, json_object_new_string(names[i].name));
    }
    inspect_put(inspect, object, "flags", flags);
    if (interface->hardware[0])
        inspect_put_text(inspect, object, "mac", interface->hardware);
    else
        inspect_put_null(inspect, object, "mac");
    inspect_put_number(inspect, object, "mtu", interface->mtu);
    inspect_put(inspect, object, "addresses", json_object_new_array());
    inspect_add(inspect, collection->array, object);
}

static void add_address(void *context, const struct interface_address *address)
{
    struct collection *collection = context;
    for (size_t i = 0; i < json_object_array_length(collection->array); i++) {
        struct json_object *one = json_object_array_get_idx(collection->array, i);
        if (json_object_get_int(json_object_object_get(one, "index")) == address->index)
            inspect_add(collection->inspect, json_object_object_get(one, "addresses"),
                        json_object_new_string(address->text));
    }
}

/* In a child that shares the table of descriptors: make the socket in the other namespace. Where
 * the caller has no privilege over that, it may have some as a member of its user namespace. */
static void make_socket(int network, int user, int answer)
{
    int result = sys_setns(network, CLONE_NEWNET) < 0 ? -errno : 0;
    if (result == -EPERM && user >= 0 && sys_setns(user, CLONE_NEWUSER) == 0)
        result = sys_setns(network, CLONE_NEWNET) < 0 ? -errno : 0;
    result = result < 0 ? result : interface_socket();
    _exit(write(answer, &result, sizeof(result)) == sizeof(result) ? 0 : 1);
}

/* A socket in the process's network namespace, or a negative errno. */
static int enter_network(const struct inspect *inspect)
{
    autoclose int network = openat(inspect->process, "ns/net", O_RDONLY | O_CLOEXEC);
    if (network < 0)
        return -errno;
    autoclose int user = openat(inspect->process, "ns/user", O_RDONLY | O_CLOEXEC);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    autoclose int from = ends[0];
    autoclose int to = ends[1];
    autoprocess struct process child = NO_PROCESS;
    int result = process_clone(CLONE_FILES, -1, &child);
    if (result == 0)
        make_socket(network, user, to);
    if (result < 0) {
        error_clear();
        return result;
    }
    /* Its own end of the pipe is ours as well, so there is no end of file to wait for. */
    int status;
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
        ;
    child.pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 ||
        read(from, &result, sizeof(result)) != sizeof(result))
        return -EIO;
    return result;
}

static bool shares_network(const struct inspect *inspect)
{
    uint64_t own, its;
    return inspect->self || (read_inode(inspect->proc, "self/ns/net", &own) == 0 &&
                             read_inode(inspect->process, "ns/net", &its) == 0 && own == its);
}

/* Interfaces may come and go during the list: then once more. */
static int list(int socket, struct collection *collection)
{
    const struct interface_visitor visitor = {
        .interface = add_interface, .address = add_address, .context = collection};
    int result = -EINTR;
    for (int attempt = 0; result == -EINTR && attempt < 10; attempt++) {
        json_object_put(collection->array);
        collection->array = json_object_new_array();
        result = collection->array ? interface_list(socket, &visitor) : -ENOMEM;
    }
    return result;
}

struct json_object *inspect_interfaces(struct inspect *inspect)
{
    struct collection collection = {.inspect = inspect};
    autoclose int socket = shares_network(inspect) ? interface_socket() : enter_network(inspect);
    int result = socket < 0 ? socket : list(socket, &collection);
    if (result == 0)
        return collection.array;
    json_object_put(collection.array);
    return inspect_error(result);
}
