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
#include "core/base/pieces.h"
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
/* So much of an answer is written in one call. */
#define AT_ONCE (8U << 10)

struct listing {
    bool json;
    bool quiet;
    /* The answer, which is given when all of it is known. Of the table whole rows: COLUMNS strings
     * that end with NUL. */
    struct pieces answer;
    struct text part; /* of it, under construction */
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

/* What is done of the answer. */
static void keep(struct listing *listing)
{
    pieces_add(&listing->answer, listing->part.data, listing->part.length);
    listing->part.length = 0;
}

static void add_row(struct listing *listing, const char *const cells[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++) {
        char shown[1024];
        size_t length = text_printable(cells[i], shown, sizeof(shown));
        text_append_bytes(&listing->part, shown, length + 1);
        if (length > listing->width[i])
            listing->width[i] = length;
    }
    keep(listing);
}

static void add(struct listing *listing, const char *id, const struct record *record,
                const char *status, pid_t pid, const char *owner)
{
    struct text *part = &listing->part;
    char number[16];
    snprintf(number, sizeof(number), "%d", (int)pid);
    if (!listing->quiet && !listing->json) {
        add_row(listing,
                (const char *const[]){id, number, status, record->bundle, record->created, owner});
        return;
    }
    if (listing->quiet) {
        text_append_format(part, "%s\n", id);
    } else {
        text_append(part, listing->answer.first ? "," : "[");
        record_tell(record, status, pid, owner, false, part);
    }
    keep(listing);
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
static void append_row(struct text *text, const char **cell, const size_t width[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++) {
        size_t length = strlen(*cell);
        text_append_bytes(text, *cell, length);
        if (i < COLUMNS - 1)
            pad(text, (width[i] + 3 > 12 ? width[i] + 3 : 12) - length);
        *cell += length + 1;
    }
    text_append(text, "\n");
}

/* What is there of the part, if it is enough for a call. */
static int write_part(struct text *part, size_t enough)
{
    if (part->failed)
        return fail(ENOMEM, "cannot compose the answer");
    if (part->length < enough)
        return 0;
    size_t length = part->length;
    part->length = 0;
    return write_all(STDOUT_FILENO, "standard output", part->data, length);
}

static int write_table(struct listing *listing, const struct piece *rows)
{
    const char *cell = rows->bytes;
    int result = 0;
    while (result == 0 && cell < rows->bytes + rows->length) {
        append_row(&listing->part, &cell, listing->width);
        result = write_part(&listing->part, AT_ONCE);
    }
    return result;
}

static int write_answer(struct listing *listing)
{
    int result = 0;
    if (listing->answer.failed || listing->part.failed)
        return fail(ENOMEM, "cannot compose the answer");
    for (const struct piece *piece = listing->answer.first; result == 0 && piece;
         piece = piece->next)
        result = listing->json || listing->quiet
                     ? write_all(STDOUT_FILENO, "standard output", piece->bytes, piece->length)
                     : write_table(listing, piece);
    return result < 0 ? result : write_part(&listing->part, 1);
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
    if (listing->quiet)
        listing->json = false;
    else if (!listing->json)
        add_row(listing,
                (const char *const[]){"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"});
    int result = lifecycle_each(call->globals->root, !listing->json, visit, listing);
    if (result < 0)
        return result;
    if (listing->json) {
        text_append(&listing->part, listing->answer.first ? "]\n" : "null\n");
        keep(listing);
    }
    return write_answer(listing);
}

static int run(const struct call *call)
{
    struct listing listing = {0};
    int result = list(call, &listing);
    pieces_free(&listing.answer);
    text_free(&listing.part);
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
