/* The machine: kernel, memory, modules, block devices, kernel messages.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/own.h"
#include "core/base/text.h"
#include "core/container/inspect.h"
#include "core/linux/superblock.h"

/* syslog(2) */
#define READ_ALL    3
#define SIZE_BUFFER 10

static void put_kernel(struct inspect *inspect, struct json_object *document)
{
    struct json_object *object = json_object_new_object();
    autotext struct text text = {0};
    struct sysinfo information;
    struct utsname name;
    inspect_put(inspect, document, "kernel", object);
    if (uname(&name) == 0) {
        inspect_put_text(inspect, object, "release", name.release);
        inspect_put_text(inspect, object, "version", name.version);
        inspect_put_text(inspect, object, "machine", name.machine);
        inspect_put_text(inspect, object, "hostname", name.nodename);
    }
    int result = inspect_read_proc(inspect, "cmdline", &text);
    if (result < 0)
        inspect_put(inspect, object, "command_line", inspect_error(result));
    else
        inspect_put(inspect, object, "command_line",
                    inspect_string(text.data, strcspn(text.data, "\n")));
    if (sysinfo(&information) == 0) {
        inspect_put_number(inspect, object, "uptime_seconds", information.uptime);
        inspect_put_number(inspect, object, "processes", information.procs);
    }
}

/* Lines of meminfo, "MemTotal:       16316412 kB"; by sysinfo(2) where there is no /proc. */
static void put_memory(struct inspect *inspect, struct json_object *document)
{
    static const char rows[][2][16] = {
        {"total", "MemTotal:"},       {"free", "MemFree:"},       {"available", "MemAvailable:"},
        {"buffers", "Buffers:"},      {"cached", "\nCached:"},    {"shared", "Shmem:"},
        {"swap_total", "SwapTotal:"}, {"swap_free", "SwapFree:"},
    };
    struct json_object *object = json_object_new_object();
    autotext struct text text = {0};
    struct sysinfo own;
    int result = inspect_read_proc(inspect, "meminfo", &text);
    inspect_put(inspect, document, "memory_bytes", object);
    for (size_t i = 0; result == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *line = strstr(text.data, rows[i][1]);
        if (line)
            inspect_put_number(inspect, object, rows[i][0],
                               strtoll(line + strlen(rows[i][1]), NULL, 10) * 1024);
        else
            inspect_put(inspect, object, rows[i][0], inspect_refusal("the kernel does not tell"));
    }
    if (result == 0 || sysinfo(&own) < 0)
        return;
    const struct {
        const char *key;
        uint64_t units;
    } known[] = {{"total", own.totalram},       {"free", own.freeram},
                 {"buffers", own.bufferram},    {"shared", own.sharedram},
                 {"swap_total", own.totalswap}, {"swap_free", own.freeswap}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        inspect_put_number(inspect, object, known[i].key, (int64_t)(known[i].units * own.mem_unit));
    inspect_put(inspect, object, "available", inspect_error(result));
    inspect_put(inspect, object, "cached", inspect_error(result));
}

/* "name size uses users, state address (taints)" a line. */
static struct json_object *list_modules(struct inspect *inspect)
{
    autotext struct text text = {0};
    int result = inspect_read_proc(inspect, "modules", &text);
    if (result == -ENOENT)
        return inspect_refusal("the kernel has no modules");
    if (result < 0)
        return inspect_error(result);
    struct json_object *array = json_object_new_array();
    char *rest = text.data;
    for (char *line; array && (line = strsep(&rest, "\n"));) {
        const char *name = strsep(&line, " ");
        const char *size = strsep(&line, " ");
        const char *uses = strsep(&line, " ");
        const char *users = strsep(&line, " ");
        if (!users)
            continue;
        struct json_object *object = json_object_new_object();
        inspect_put_text(inspect, object, "name", name);
        inspect_put_number(inspect, object, "size", strtoll(size, NULL, 10));
        inspect_put_number(inspect, object, "uses", strtoll(uses, NULL, 10));
        inspect_put(inspect, object, "users", inspect_words(strcmp(users, "-") ? users : "", ","));
        inspect_add(inspect, array, object);
    }
    return array;
}

/* ---- block devices ---- */

static void put_superblock(struct inspect *inspect, struct json_object *object, int fd, int number)
{
    static const char keys[][12] = {"filesystem", "label", "uuid"};
    struct superblock found = {0};
    int result = fd < 0 ? -number : superblock_read(fd, &found);
    const char *const values[] = {found.types, found.label, found.uuid};
    bool several = strchr(found.types, ' ') != NULL;
    for (int i = 0; i < 3; i++) {
        char words[128];
        snprintf(words, sizeof(words), "marks of several: %s", found.types);
        if (result < 0)
            inspect_put(inspect, object, keys[i], inspect_error(result));
        else if (several)
            inspect_put(inspect, object, keys[i], inspect_refusal(words));
        else if (values[i][0])
            inspect_put_text(inspect, object, keys[i], values[i]);
        else
            inspect_put_null(inspect, object, keys[i]);
    }
}

/* Open the node of a device by its usual path, and make sure that it is this device. Non-blocking:
 * a drive without a disk does not wait for one. */
static int open_device(const char *path, unsigned major_number, unsigned minor_number)
{
    autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISBLK(status.st_mode) || status.st_rdev != makedev(major_number, minor_number))
        return -ENXIO;
    return take_fd(&fd);
}

/* "major minor blocks name" a line, in KiB, below a heading and an empty line. */
static struct json_object *list_devices(struct inspect *inspect)
{
    autotext struct text text = {0};
    int result = inspect_read_proc(inspect, "partitions", &text);
    if (result < 0)
        return inspect_error(result);
    struct json_object *array = json_object_new_array();
    char *rest = text.data;
    for (char *line; array && (line = strsep(&rest, "\n"));) {
        char *end;
        char number[32];
        autotext struct text path = {0};
        unsigned major_number = (unsigned)strtoul(line, &end, 10);
        unsigned minor_number = (unsigned)strtoul(end, &end, 10);
        unsigned long long blocks = strtoull(end, &end, 10);
        char *name = end + strspn(end, " ");
        if (end == line || !*name)
            continue;
        /* A '/' of the name is a '!' to the kernel: cciss!c0d0. */
        for (char *mark; (mark = strchr(name, '!'));)
            *mark = '/';
        text_append_format(&path, "/dev/%s", name);
        struct json_object *object = json_object_new_object();
        inspect_put_text(inspect, object, "name", name);
        snprintf(number, sizeof(number), "%u:%u", major_number, minor_number);
        inspect_put_text(inspect, object, "device", number);
        inspect_put_number(inspect, object, "size", (int64_t)(blocks * 1024));
        autoclose int fd = open_device(path.data ? path.data : "", major_number, minor_number);
        put_superblock(inspect, object, fd, -fd);
        inspect_add(inspect, array, object);
    }
    return array;
}

/* ---- messages ---- */

/* "<6>[    1.234567] text": facility and level, and the seconds unless printk.time is off. */
static struct json_object *parse_message(struct inspect *inspect, char *line)
{
    static const char levels[][8] = {"emerg",   "alert",  "crit", "err",
                                     "warning", "notice", "info", "debug"};
    struct json_object *object = json_object_new_object();
    char *bracket = line[0] == '<' ? strchr(line, '>') : NULL;
    if (bracket) {
        inspect_put_text(inspect, object, "level", levels[strtoul(line + 1, NULL, 10) & 7]);
        line = bracket + 1;
    } else {
        inspect_put_null(inspect, object, "level");
    }
    char *end = line[0] == '[' ? strstr(line, "] ") : NULL;
    if (end) {
        *end = '\0';
        inspect_put_text(inspect, object, "seconds", line + 1 + strspn(line + 1, " "));
        line = end + 2;
    } else {
        inspect_put_null(inspect, object, "seconds");
    }
    inspect_put_text(inspect, object, "text", line);
    return object;
}

static struct json_object *list_messages(struct inspect *inspect, unsigned wanted)
{
    int size = klogctl(SIZE_BUFFER, NULL, 0);
    if (size < 0)
        return inspect_error(errno);
    autofree char *buffer = malloc((size_t)size + 1);
    int length = buffer ? klogctl(READ_ALL, buffer, size) : -1;
    if (length < 0)
        return inspect_error(errno);
    while (length > 0 && buffer[length - 1] == '\n')
        length--;
    buffer[length] = '\0';
    char *start = buffer + length;
    for (unsigned lines = 0; start > buffer && lines < wanted;) {
        start--;
        if (*start == '\n' && ++lines == wanted) {
            start++;
            break;
        }
    }
    struct json_object *array = json_object_new_array();
    char *rest = *start ? start : NULL;
    for (char *line; array && rest && (line = strsep(&rest, "\n"));)
        inspect_add(inspect, array, parse_message(inspect, line));
    return array;
}

int inspect_system(unsigned messages, struct json_object **document)
{
    autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statfs system;
    if (proc >= 0 && (fstatfs(proc, &system) < 0 || system.f_type != PROC_SUPER_MAGIC))
        close_fd(&proc);
    struct inspect inspect = {.proc = proc, .process = -1};
    *document = json_object_new_object();
    if (!*document)
        return fail(ENOMEM, "cannot compose the answer");
    put_kernel(&inspect, *document);
    put_memory(&inspect, *document);
    inspect_put(&inspect, *document, "block_devices", list_devices(&inspect));
    inspect_put(&inspect, *document, "modules", list_modules(&inspect));
    inspect_put(&inspect, *document, "messages", list_messages(&inspect, messages));
    if (!inspect.failed)
        return 0;
    json_object_put(*document);
    *document = NULL;
    return fail(ENOMEM, "cannot compose the answer");
}

int inspect_device(const char *path, struct json_object **document)
{
    autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct inspect inspect = {.proc = -1, .process = -1};
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return fail(errno, "cannot open %s", path);
    if (!S_ISBLK(status.st_mode) && !S_ISREG(status.st_mode))
        return fail_config(NULL, "%s is neither a block device nor a file", path);
    off_t size = lseek(fd, 0, SEEK_END);
    *document = json_object_new_object();
    if (*document) {
        struct json_object *object = json_object_new_object();
        inspect_put(&inspect, *document, "device", object);
        inspect_put_text(&inspect, object, "path", path);
        inspect_put_number(&inspect, object, "size", size);
        put_superblock(&inspect, object, fd, 0);
        if (!inspect.failed)
            return 0;
    }
    json_object_put(*document);
    *document = NULL;
    return fail(ENOMEM, "cannot compose the answer");
}
