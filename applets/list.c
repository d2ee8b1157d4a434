/* list: name the containers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/applet.h"
#include "core/base/error.h"
#include "core/base/exit.h"
#include "core/base/file.h"
#include "core/base/own.h"
#include "core/base/report.h"
#include "core/base/text.h"
#include "core/container/lifecycle.h"
#include "core/oci/passwd.h"

struct list_options {
    const char *format;
    bool quiet;
};

#define FIELD(name) ((uint16_t)offsetof(struct list_options, name))

static const struct option options[] = {
    {'f', OPTION_TEXT, FIELD(format),
     OPTION_WORDS("format", "table|json", "Form of the answer (table)")},
    {'q', OPTION_FLAG, FIELD(quiet), OPTION_WORDS("quiet", "", "Write the IDs alone")},
};

#define COLUMNS 6

struct listing {
    bool json;
    bool quiet;
    struct text cells; /* of the table: strings that end with NUL, COLUMNS of them a row */
    struct text text;  /* the other forms */
    size_t width[COLUMNS];
    /* Most containers have the same owner: the one that was looked up last. */
    bool known;
    uint32_t owner;
    char name[PASSWD_NAME_MAX];
};

static const char *owner_name(struct listing *listing, uint32_t owner)
{
    if (listing->known && listing->owner == owner)
        return listing->name;
    struct passwd_user user = {0};
    struct passwd_notes notes = {0};
    autoclose int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file >= 0 && passwd_find(file, "/etc/passwd", NULL, owner, &user, &notes) < 0)
        error_clear();
    if (user.found)
        snprintf(listing->name, sizeof(listing->name), "%s", user.name);
    else
        snprintf(listing->name, sizeof(listing->name), "%u", owner);
    listing->owner = owner;
    listing->known = true;
    return listing->name;
}

static void add_row(struct listing *listing, const char *const cells[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++) {
        char shown[1024];
        size_t length = text_printable(cells[i], shown, sizeof(shown));
        text_append_bytes(&listing->cells, shown, length + 1);
        if (length > listing->width[i])
            listing->width[i] = length;
    }
}

static void add(struct listing *listing, const char *id, const struct record *record,
                const char *status, pid_t pid, const char *owner)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", (int)pid);
    if (listing->quiet) {
        text_append_format(&listing->text, "%s\n", id);
    } else if (listing->json) {
        text_append(&listing->text, listing->text.length ? "," : "[");
        record_tell(record, status, pid, owner, false, &listing->text);
    } else {
        add_row(listing,
                (const char *const[]){id, number, status, record->bundle, record->created, owner});
    }
}

/* One that cannot be told of is told of all the same, so that it is not lost. */
static void add_broken(struct listing *listing, const char *id)
{
    const struct record nothing = {
        .id = id, .version = "", .bundle = "", .rootfs = "", .cgroup = ""};
    char line[1024];
    error_format(error_get(), line, sizeof(line));
    report_warning("%s", line);
    error_clear();
    add(listing, id, &nothing, "broken", 0, "");
}

static int visit(void *context, const struct lifecycle_view *view)
{
    struct listing *listing = context;
    const struct record *record = view->record;
    if (!record) {
        add_broken(listing, view->id);
        return 0;
    }
    pid_t pid = view->status == STATUS_STOPPED ? 0 : record->init.pid;
    add(listing, view->id, record, status_name(view->status), pid,
        owner_name(listing, record->owner));
    return 0;
}

static void pad(struct text *text, size_t count)
{
    static const char blanks[] = "                                ";
    for (size_t part; count > 0; count -= part) {
        part = count < sizeof(blanks) - 1 ? count : sizeof(blanks) - 1;
        text_append_bytes(text, blanks, part);
    }
}

/* Columns as wide as runc's: at least 12 characters, three of them blank. */
static void write_table(struct listing *listing)
{
    const char *cell = listing->cells.data;
    const char *end = cell + listing->cells.length;
    for (size_t i = 0; cell < end; i = (i + 1) % COLUMNS) {
        size_t length = strlen(cell);
        size_t width = listing->width[i] + 3 > 12 ? listing->width[i] + 3 : 12;
        text_append(&listing->text, cell);
        if (i == COLUMNS - 1)
            text_append(&listing->text, "\n");
        else
            pad(&listing->text, width - length);
        cell += length + 1;
    }
}

static int list(const struct call *call, struct listing *listing)
{
    const struct list_options *values = call->values;
    const char *format = values->format ? values->format : "table";
    if (call->argc > 0)
        return fail_usage("unexpected argument '%s'", call->argv[0]);
    listing->json = strcmp(format, "json") == 0;
    listing->quiet = values->quiet;
    if (!listing->json && strcmp(format, "table") != 0)
        return fail_usage("option --format: unknown word '%s': table or json", format);
    add_row(listing, (const char *const[]){"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"});
    int result = lifecycle_each(call->globals->root, !listing->json, visit, listing);
    if (result < 0)
        return result;
    if (!listing->quiet && listing->json)
        text_append(&listing->text, listing->text.length ? "]\n" : "null\n");
    else if (!listing->quiet)
        write_table(listing);
    if (listing->text.failed || listing->cells.failed)
        return fail(ENOMEM, "cannot compose the answer");
    return write_all(STDOUT_FILENO, "standard output", listing->text.data, listing->text.length);
}

static int run(const struct call *call)
{
    struct listing listing = {0};
    int result = list(call, &listing);
    text_free(&listing.cells);
    text_free(&listing.text);
    return result < 0 ? report_error(EXIT_LIFECYCLE) : EXIT_YES;
}

static const struct applet applet = {
    .name = "list",
    .texts = APPLET_TEXTS(
        "name the containers", "[options]",
        "Lists the containers under --root, in the order of their IDs. One whose state cannot be "
        "read has the status broken, and a warning says why; `delete --force` removes it. As JSON "
        "none at all are null, as with runc.\n",
        "# a table\n"
        "shimbox list\n"
        "\n"
        "# those that run\n"
        "shimbox list --format json | jq -r '.[]? | select(.status == \"running\").id'\n"),
    OPTION_TABLE(options),
    .values_size = sizeof(struct list_options),
    .flags = APPLET_SUBCOMMAND,
    .failure = EXIT_LIFECYCLE,
    .run = run,
};
APPLET(applet);
