/* The default specification.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/oci/spec_default.h"

#include <errno.h>

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/linux/idmap.h"
#include "core/oci/json_build.h"

/* Single quotes keep this readable: json-c takes them when it is not in strict mode. */

/* The three capabilities stand in no inheritable and no ambient set: a program with file
 * capabilities must not get back what the container was not given (CVE-2022-24769 and its
 * siblings). */
#define CAPABILITIES "['CAP_AUDIT_WRITE','CAP_KILL','CAP_NET_BIND_SERVICE']"

static const char head_text[] =
    "{'ociVersion':'1.1.0',"
    "'process':{'terminal':false,'user':{'uid':0,'gid':0},'args':['sh'],"
    "'env':['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],'cwd':'/',"
    "'capabilities':{'bounding':" CAPABILITIES ",'effective':" CAPABILITIES
    ",'permitted':" CAPABILITIES "},"
    "'rlimits':[{'type':'RLIMIT_NOFILE','hard':1024,'soft':1024}],'noNewPrivileges':true},"
    "'root':{'path':'rootfs','readonly':false},'hostname':'shimbox','mounts':[";

static const char proc_text[] = "{'destination':'/proc','type':'proc','source':'proc',"
                                "'options':['nosuid','noexec','nodev']},";
static const char proc_bound_text[] = "{'destination':'/proc','type':'bind','source':'/proc',"
                                      "'options':['nosuid','noexec','nodev','rbind']},";

static const char mounts_text[] =
    "{'destination':'/dev','type':'tmpfs','source':'tmpfs',"
    "'options':['nosuid','strictatime','mode=755','size=65536k']},"
    "{'destination':'/dev/pts','type':'devpts','source':'devpts',"
    "'options':['nosuid','noexec','newinstance','ptmxmode=0666','mode=0620']},"
    "{'destination':'/dev/shm','type':'tmpfs','source':'shm',"
    "'options':['nosuid','noexec','nodev','mode=1777','size=65536k']},"
    "{'destination':'/dev/mqueue','type':'mqueue','source':'mqueue',"
    "'options':['nosuid','noexec','nodev']},"
    "{'destination':'/tmp','type':'tmpfs','source':'tmp',"
    "'options':['nosuid','nodev','strictatime','mode=1777','size=65536k']},";

static const char sys_text[] = "{'destination':'/sys','type':'sysfs','source':'sysfs',"
                               "'options':['nosuid','noexec','nodev','ro']},";
static const char sys_bound_text[] =
    "{'destination':'/sys','type':'bind','source':'/sys',"
    "'options':['rprivate','nosuid','noexec','nodev','rro','rbind']},";

static const char cgroup_text[] =
    "{'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup',"
    "'options':['rprivate','nosuid','noexec','nodev','relatime','ro']}],'linux':{";

/* Without root there is no right to limit anything, and runc refuses to go on. */
#define RESOURCES                                                                                  \
    "'resources':{'devices':[{'allow':false,'access':'rwm'}],'pids':{'limit':" PIDS_LIMIT "}}"
#define TEXT(number)  TEXT_OF(number)
#define TEXT_OF(text) #text
#define PIDS_LIMIT    TEXT(SPEC_PIDS_LIMIT)

static const char tail_text[] =
    "'namespaces':[{'type':'pid'},{'type':'ipc'},{'type':'uts'},{'type':'mount'},"
    "{'type':'cgroup'},{'type':'network'}],"
    "'maskedPaths':['/proc/acpi','/proc/kcore','/proc/keys','/proc/latency_stats',"
    "'/proc/timer_list','/proc/timer_stats','/proc/sched_debug','/proc/scsi','/sys/firmware',"
    "'/sys/fs/selinux','/sys/dev/block','/sys/devices/virtual/powercap'],"
    "'readonlyPaths':['/proc/asound','/proc/bus','/proc/fs','/proc/irq','/proc/sys',"
    "'/proc/sysrq-trigger']}}";

static struct json_object *parse_form(enum spec_form form)
{
    autotext struct text text = {0};
    bool nested = form & SPEC_NESTED;

    text_append(&text, head_text);
    text_append(&text, nested ? proc_bound_text : proc_text);
    text_append(&text, mounts_text);
    text_append(&text, nested ? sys_bound_text : sys_text);
    text_append(&text, cgroup_text);
    if (!(form & (SPEC_ROOTLESS | SPEC_UNLIMITED)))
        text_append(&text, RESOURCES ",");
    text_append(&text, tail_text);

    struct json_object *document = text.failed ? NULL : json_tokener_parse(text.data);

    if (!document)
        fail(ENOMEM, "cannot allocate memory");
    return document;
}

struct json_object *spec_default(enum spec_form form)
{
    struct json_object *document = parse_form(form);

    if (!document || !(form & SPEC_ROOTLESS))
        return document;

    struct idmaps maps = {0};
    int result = idmaps_by_word(&maps, "auto");

    if (result == 0)
        result = json_set_maps(document, &maps);
    idmaps_free(&maps);
    if (result == 0)
        return document;
    json_object_put(document);
    return NULL;
}
