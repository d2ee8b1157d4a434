/* spark: a program run as a function: input, answer, bounds.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/trace.h"
#include "core/container/bundle.h"
#include "core/container/function.h"
#include "core/container/function_entry.h"
#include "core/container/function_ids.h"
#include "core/container/function_service.h"
#include "core/linux/capability.h"
#include "core/linux/idmap.h"
#include "core/linux/namespace.h"
#include "core/linux/own_binary.h"
#include "core/linux/schedule.h"
#include "core/oci/config.h"
#include "core/oci/json.h"
#include "core/oci/spec_default.h"
#include "core/oci/spec_function.h"

/* What RunFunction of crossplane has by default. */
#define TIMEOUT_DEFAULT 25000
#define BYTES_DEFAULT   (100U << 20)

/* Milliseconds at least for the last line on standard error. */
#define LAST_WORDS 1000

/* Each takes two descriptors, of the 1,024 that a process usually may have. */
#define JOBS_MAX 256

struct spark_options {
    const char *memory;
    const char *cpu;
    uint32_t pids;
    const char *timeout;
    const char *max_bytes;
    const char *network;
    const char *root_uid;
    const char *root_gid;
    struct text_list uid_map;
    struct text_list gid_map;
    const char *scratch;
    struct text_list env;
    bool readonly;
    bool json;
    bool requests;
    uint32_t jobs;
};

#define FIELD(name) ((uint16_t)offsetof(struct spark_options, name))

static const struct option options[] = {
    {0, OPTION_TEXT, FIELD(memory),
     OPTION_WORDS("memory", "QUANTITY", "Memory, without swap space: 64Mi, 1.5Gi")},
    {0, OPTION_TEXT, FIELD(cpu), OPTION_WORDS("cpu", "QUANTITY", "Processors: 500m, 2")},
    {0, OPTION_NUMBER, FIELD(pids), OPTION_WORDS("pids", "N", "Processes at once")},
    {0, OPTION_TEXT, FIELD(timeout),
     OPTION_WORDS("timeout", "DURATION", "Time to the end: 500ms, 1m30s, 0 for any (25s)")},
    {0, OPTION_TEXT, FIELD(max_bytes),
     OPTION_WORDS("max-stdio-bytes", "N", "Bytes of each stream, 0 for any (100 MiB)")},
    {0, OPTION_TEXT, FIELD(network),
     OPTION_WORDS("network", "isolated|runner", "None at all, or the caller's")},
    {0, OPTION_TEXT, FIELD(root_uid),
     OPTION_WORDS("root-uid", "UID", "Map 65536 user ids from here on (100000)")},
    {0, OPTION_TEXT, FIELD(root_gid), OPTION_WORDS("root-gid", "GID", "The same for group ids")},
    {'u', OPTION_LIST, FIELD(uid_map),
     OPTION_WORDS("uid-map", "CONTAINER:HOST:SIZE", "Map user ids so")},
    {'g', OPTION_LIST, FIELD(gid_map),
     OPTION_WORDS("gid-map", "CONTAINER:HOST:SIZE", "Map group ids so")},
    {0, OPTION_TEXT, FIELD(scratch),
     OPTION_WORDS("scratch", "DIR", "Keep what it changes below DIR, not in memory")},
    {0, OPTION_LIST, FIELD(env), OPTION_WORDS("env", "NAME=VALUE", "Set an environment variable")},
    {0, OPTION_FLAG, FIELD(readonly),
     OPTION_WORDS("readonly", "", "Its root file system cannot be changed")},
    {0, OPTION_FLAG, FIELD(json),
     OPTION_WORDS("json", "", "End standard error with a report, as a line of JSON")},
    {0, OPTION_FLAG, FIELD(requests),
     OPTION_WORDS("requests", "", "Answer requests, a line of JSON each")},
    {'j', OPTION_NUMBER, FIELD(jobs),
     OPTION_WORDS("jobs", "N", "With --requests: so many at once (1)")},
};

/* One call of this applet. */
struct spark {
    const struct spark_options *values;
    const struct globals *globals;
    const char *source; /* BUNDLE or ROOTFS */
    char **program;     /* NULL: the bundle's */
    char *directory;    /* source, absolute */
    char *scratch;      /* absolute; NULL: none */
    bool bundle;
    struct idmaps maps; /* empty: the bundle's */
    struct function_wish wish;
    struct config config;
    struct function function;
    struct function_entry entry;
};

/* ---- the command line ---- */

static int split_operands(const struct call *call, struct spark *spark)
{
    char **argv = call->argv;
    if (call->separated || call->argc == 0)
        return fail_usage("expected BUNDLE or ROOTFS");
    spark->source = *argv++;
    if (*argv && strcmp(*argv, "--") != 0)
        return fail_usage("unexpected argument '%s' (what the program gets goes behind --)", *argv);
    if (*argv && *++argv)
        spark->program = argv;
    return 0;
}

static int read_network(const char *word, enum function_network *network)
{
    *network = NETWORK_AS_IT_IS;
    if (!word)
        return 0;
    *network = strcmp(word, "runner") == 0 ? NETWORK_RUNNER : NETWORK_ISOLATED;
    return *network == NETWORK_RUNNER || strcmp(word, "isolated") == 0
               ? 0
               : fail_usage("option --network: unknown word '%s': isolated or runner", word);
}

static int read_bounds(const struct spark_options *values, struct function *function)
{
    function->limit = BYTES_DEFAULT;
    function->timeout = TIMEOUT_DEFAULT;
    if (values->max_bytes && parse_u64(values->max_bytes, INT64_MAX, &function->limit) < 0)
        return fail_usage("option --max-stdio-bytes: '%s' is no number of bytes",
                          values->max_bytes);
    return values->timeout ? option_duration("timeout", values->timeout, 0, &function->timeout) : 0;
}

/* ---- ids ---- */

static int choose_maps(struct spark *spark, struct json_object *document)
{
    const struct spark_options *values = spark->values;
    bool range = values->root_uid || values->root_gid;
    bool map = values->uid_map.count > 0 || values->gid_map.count > 0;
    if (range && map)
        return fail_usage("--root-uid and --root-gid exclude --uid-map and --gid-map");
    if (spark->maps.uid.count > 0 || (!range && !map && spec_has_maps(document)))
        return 0;
    return map ? idmaps_by_options(&spark->maps, &values->uid_map, &values->gid_map, NULL)
               : function_choose_ids(&spark->maps, values->root_uid, values->root_gid);
}

/* ---- the configuration ---- */

/* A directory with a config.json is a bundle, any other one a root file system. An image will be a
 * third kind, unpacked to a root file system before this. */
static int open_source(struct spark *spark)
{
    int result = absolute_path(spark->source, &spark->directory);
    if (result < 0)
        return result;
    if (chdir(spark->directory) < 0)
        return fail(errno, "cannot enter %s", spark->source);
    spark->bundle = access("config.json", F_OK) == 0;
    if (!spark->bundle && !spark->program && !spark->values->requests) {
        result = fail_usage("%s has no config.json, so a program is wanted", spark->source);
        error_hint("give it behind --");
        return result;
    }
    return 0;
}

static int load_document(const struct spark *spark, struct json_object **document)
{
    if (spark->bundle)
        return bundle_read_document(document, "config.json");
    *document = spec_default(SPEC_UNLIMITED);
    return *document ? 0 : -EINVAL;
}

/* The guard has it before it forks the program, which inherits it: what no fork gives on. */
static int check_scheduler(const struct scheduler *scheduler)
{
    if (!scheduler->given)
        return 0;
    if (scheduler_has_deadline(scheduler->policy))
        return fail_config("/process/scheduler/policy", "a function cannot have SCHED_DEADLINE");
    if (scheduler->flags & (uint64_t)scheduler_flag("SCHED_FLAG_RESET_ON_FORK"))
        return fail_config("/process/scheduler/flags",
                           "a function cannot have SCHED_FLAG_RESET_ON_FORK");
    return 0;
}

static int check_config(const struct spark *spark)
{
    const struct config *config = &spark->config;
    for (int type = 0; type < HOOK_TYPES; type++) {
        if (config->hooks[type].count > 0)
            return fail_config("/hooks", "a function has none");
    }
    for (int type = 0; type < NAMESPACE_TYPES; type++) {
        bool own = type == NAMESPACE_USER || type == NAMESPACE_PID || type == NAMESPACE_MOUNT;
        if (own && config->namespaces[type].path)
            return fail_config("/linux/namespaces", "a function has a %s namespace of its own",
                               namespace_name((enum namespace_type)type));
    }
    return check_scheduler(&config->process.scheduler);
}

/* nested: for the inside of a container. */
static int load_config(struct spark *spark, bool nested)
{
    struct json_object *document = NULL;
    step("read the configuration");
    int result = load_document(spark, &document);
    if (result == 0)
        result = choose_maps(spark, document);
    spark->wish.maps = spark->maps.uid.count > 0 ? &spark->maps : NULL;
    spark->wish.nested = nested;
    if (result == 0)
        result = spec_make_function(document, &spark->wish);
    if (result < 0) {
        json_object_put(document);
        return result;
    }
    result =
        config_from_document(&spark->config, spark->bundle ? "config.json" : "default", document);
    return result < 0 ? result : check_config(spark);
}

/* ---- the function ---- */

/* Ids on disk that are none of the container's are the container's own. */
static int look_at_owner(struct spark *spark)
{
    const struct config *config = &spark->config;
    const char *path = spark->function.rootfs ? spark->function.rootfs : config->root_path;
    struct stat status;
    uint32_t inside;
    if (!path)
        return fail_config("/root", "no root file system");
    if (stat(path, &status) < 0)
        return fail(errno, "cannot open root file system %s", path);
    spark->function.idmap = capability_have(CAP_SYS_ADMIN) &&
                            idmap_to_container(&config->maps.uid, status.st_uid, &inside) < 0;
    return 0;
}

static int prepare(struct spark *spark, const struct globals *globals)
{
    struct function *function = &spark->function;
    function->config = &spark->config;
    function->arguments = globals->command_line;
    function->rootfs = spark->bundle ? NULL : spark->directory;
    function->program = spark->program;
    function->nameless = !spark->bundle;
    function->strict = spark->values->memory || spark->values->cpu || spark->values->pids;
    function->limited = config_has(&spark->config, "/linux/resources");
    int result = look_at_owner(spark);
    if (result < 0 || !(function->limited || spark->scratch) || function->entry)
        return result;
    function->entry = &spark->entry;
    return function_entry_open(&spark->entry, globals->root, spark->scratch, &spark->config.maps);
}

/* Call it; where a new proc cannot be had, once more in the form for containers, from then on. */
static int call_function(void *context, const struct function_call *call,
                         struct function_result *result)
{
    struct spark *spark = context;
    int code = function_run(&spark->function, call, result);
    if (code >= 0 || spark->wish.nested || !bundle_was_refused_proc(&spark->config))
        return code;
    error_clear();
    config_free(&spark->config);
    spark->config = (struct config){0};
    code = load_config(spark, true);
    return code < 0 ? code : function_run(&spark->function, call, result);
}

static int begin_worker(void *context)
{
    struct spark *spark = context;
    return prepare(spark, spark->globals);
}

static void end_worker(void *context)
{
    struct spark *spark = context;
    function_entry_close(&spark->entry);
}

static void sweep(void *context)
{
    struct spark *spark = context;
    function_sweep(spark->globals->root, &spark->config.maps);
}

static int call_once(struct spark *spark, struct function_result *result)
{
    const struct function_call call = {.streams = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}};
    int code = prepare(spark, spark->globals);
    return code < 0 ? code : call_function(spark, &call, result);
}

static int serve(struct spark *spark)
{
    const struct function_service service = {.jobs = spark->values->jobs ? spark->values->jobs : 1,
                                             .scratch = spark->scratch,
                                             .begin = begin_worker,
                                             .call = call_function,
                                             .end = end_worker,
                                             .lost = sweep,
                                             .context = spark};
    return function_serve(&service);
}

static int begin(const struct call *call, struct spark *spark, int *overlay)
{
    const struct spark_options *values = call->values;
    int result = split_operands(call, spark);
    if (result == 0)
        result = read_network(values->network, &spark->wish.network);
    if (result == 0)
        result = read_bounds(values, &spark->function);
    if (result == 0 && values->readonly && values->scratch)
        result = fail_usage("--readonly and --scratch exclude each other");
    if (result == 0 && values->json && values->requests)
        result = fail_usage("--json and --requests exclude each other (answers are reports)");
    if (result == 0 && values->jobs > 0 && !values->requests)
        result = fail_usage("--jobs: needs --requests");
    if (result == 0 && values->jobs > JOBS_MAX)
        result = fail_usage("--jobs: at most %u", JOBS_MAX);
    if (result == 0)
        result = own_binary_protect(call->globals->command_line, overlay);
    if (result == 0 && values->scratch)
        result = absolute_path(values->scratch, &spark->scratch);
    if (result == 0)
        result = open_source(spark);
    spark->wish.memory = values->memory;
    spark->wish.cpu = values->cpu;
    spark->wish.pids = values->pids;
    spark->wish.env = &values->env;
    spark->wish.readonly = values->readonly;
    return result;
}

/* What is said in the end is a line of its own, whatever the function has written before; and when
 * nobody reads it, the exit code still tells. */
static bool lacks_newline(const struct function_result *result)
{
    const struct flow *errors = &result->flows[FUNCTION_ERRORS];
    return errors->length > 0 && errors->tail[errors->length - 1] != '\n';
}

/* Who does not read standard error does not hold us for longer than the function may take: what is
 * left of that, a second at least. Where a pipe has room, it is for all of a line. */
static bool is_heard(const struct spark *spark, const struct function_result *result)
{
    struct pollfd errors = {.fd = STDERR_FILENO, .events = POLLOUT};
    int64_t left = spark->function.timeout - result->wall / 1000;
    if (left < LAST_WORDS)
        left = LAST_WORDS;
    if (spark->function.timeout == 0)
        left = -1;
    return poll(&errors, 1, left > INT_MAX ? INT_MAX : (int)left) != 0;
}

static int report(const struct function_result *result, int code)
{
    autotext struct text line = {0};
    text_append(&line, lacks_newline(result) ? "\n{" : "{");
    function_tell(result, code, &line);
    text_append(&line, "}\n");
    if (!line.failed)
        write_all(STDERR_FILENO, "standard error", line.data, line.length);
    return code;
}

static int run(const struct call *call)
{
    struct spark spark = {
        .values = call->values, .globals = call->globals, .entry = NO_FUNCTION_ENTRY};
    struct function_result result = {.exceeded = -1};
    autoclose int overlay = -1;
    /* Whoever reads may have gone: that is told by the write. And children are waited for. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    int code = begin(call, &spark, &overlay);
    if (code == 0)
        code = load_config(&spark, false);
    if (code == 0) {
        sweep(&spark);
        code = spark.values->requests ? serve(&spark) : call_once(&spark, &result);
    }
    function_entry_close(&spark.entry);
    config_free(&spark.config);
    idmaps_free(&spark.maps);
    free_pointer(&spark.directory);
    free_pointer(&spark.scratch);
    if (code < 0)
        code = function_failure();
    if ((spark.values->json || error_is_set()) && !is_heard(&spark, &result))
        return code;
    if (spark.values->json)
        return report(&result, code);
    if (code != 0 && lacks_newline(&result))
        write_all(STDERR_FILENO, "standard error", "\n", 1);
    return report_error(code);
}

static const struct applet applet = {
    .name = "spark",
    .texts = APPLET_TEXTS(
        "run a program as a function: input, answer, bounds",
        "[options] BUNDLE|ROOTFS [-- ARG...] <INPUT >ANSWER",
        "Runs a program in a container of its own: standard input is its input, its standard "
        "output "
        "the answer, and the exit code is the program's. Bytes, time, memory, processors and "
        "processes can be bounded; nothing that it does stays when it has ended, and nothing of it "
        "stays when spark is killed. No privilege is needed.\n"
        "\n"
        "BUNDLE is a folder with a config.json, ROOTFS any other one: then the configuration is "
        "the default one (see spec), and ARG... the program. There are always new user, pid and "
        "mount namespaces, and never a terminal. Hooks are refused.\n"
        "\n"
        "The root file system stays as it is: changes go to an overlay in memory, or below "
        "--scratch, and what is mounted below it is left out. Where there is no overlayfs, all of "
        "it "
        "is copied. With --readonly, or a root that is read-only, it cannot be changed.\n"
        "\n"
        "With CAP_SETUID and CAP_SETGID, 65536 ids from --root-uid and --root-gid on are mapped; "
        "an ordinary user has its subordinate ids, if there are any, or one id. A root file system "
        "whose owner is none of these is seen as the container's own, where the file system can be "
        "idmapped. Within a container, where a new proc and sysfs cannot be had, those of the "
        "outside are bound.\n"
        "\n"
        "The answer comes as it is written. When a stream has more bytes than --max-stdio-bytes "
        "the program is ended, with code 123; after --timeout with 124: so an answer counts only "
        "if "
        "the code is 0. What it writes to standard error goes there, and the last line of it into "
        "the message about a code that is not 0. Limits (--memory, --cpu, --pids) need cgroup "
        "version 2, or are refused; those of a bundle alone are left out with a warning. Without "
        "--network, a bundle has the network that it asks for.\n"
        "\n"
        "--json ends standard error with a report: exit, end (ended, exceeded, timed-out, failed), "
        "signal, truncated (the stream that was too long), oom, bytes, wall_us, user_us, "
        "system_us, "
        "peak_memory and error.\n"
        "\n"
        "--requests answers a stream of calls, --jobs of them at once, each in a container of its "
        "own. A request is an object on a line: id, args (instead of ARG...), env, and input, or "
        "input_base64, or input_file (an absolute path). Its answer, when it has ended, is one as "
        "well: id, line (of the request), the members of the report, output and errors, or "
        "output_base64 and errors_base64 where they are no text. A bad request is answered with an "
        "error. The container of the next call is made before there is one, which is not its time. "
        "SIGTERM lets what has been begun come to its end.\n",
        "# a program that answers, in 2 seconds and 64 MiB at most\n"
        "echo hello | shimbox spark --timeout 2s --memory 64Mi /srv/rootfs -- wc -c\n"
        "\n"
        "# a bundle that may use the network, with a report\n"
        "shimbox spark --network runner --json /srv/bundle <request >answer\n"
        "\n"
        "# many calls through one process\n"
        "echo '{\"id\":1,\"args\":[\"wc\",\"-c\"],\"input\":\"hello\"}' |\n"
        "    shimbox spark --requests --jobs 2 /srv/rootfs\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct spark_options),
    .flags = APPLET_HIDES_ARGUMENTS,
    .failure = EXIT_OWN_FAILURE,
    .run = run,
};
APPLET(applet);
