/* The documents of inspect as aligned text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include <json-c/json.h>

#include "core/base/text.h"
#include "core/container/inspect.h"
#include "core/container/inspect_text.h"
#include "core/container/inspect_tree.h"

#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define RED   "\033[31m"
#define PLAIN "\033[0m"

/* A column is never padded to more than this. */
#define COLUMN_MAX  44
#define COLUMNS_MAX 12

struct page {
    struct text *text;
    bool colour;
    unsigned width;
};

static void append_coloured(const struct page *page, const char *colour, const char *string)
{
    text_append_format(page->text, "%s%s%s", page->colour ? colour : "", string,
                       page->colour ? PLAIN : "");
}

/* Characters, not bytes; those that take two columns count as one. */
static unsigned columns(const char *string)
{
    unsigned count = 0;
    for (; *string; string++)
        count += (*string & 0xc0) != 0x80;
    return count;
}

static void pad(const struct page *page, unsigned from, unsigned to)
{
    for (; from < to; from++)
        text_append(page->text, " ");
}

/* Words go on in the next line below each other. */
static void append_wrapped(const struct page *page, const char *string, unsigned indent)
{
    unsigned column = indent;
    for (const char *word = string; *word;) {
        size_t length = strcspn(word, " ");
        autotext struct text one = {0};
        text_append_bytes(&one, word, length);
        unsigned wide = columns(one.data ? one.data : "");
        if (column > indent && column + 1 + wide > page->width) {
            text_append(page->text, "\n");
            pad(page, 0, indent);
            column = indent;
        } else if (word > string) {
            text_append(page->text, " ");
            column++;
        }
        text_append_bytes(page->text, word, length);
        column += wide;
        word += length;
        word += *word == ' ';
    }
    text_append(page->text, "\n");
}

static void append_cell(const struct page *page, struct json_object *value, const char *string)
{
    if (inspect_error_of(value))
        append_coloured(page, RED, string);
    else
        text_append(page->text, string);
}

/* The value of one key, behind the key. Objects of an array stand below each other. */
static void append_field(const struct page *page, struct json_object *value, unsigned indent)
{
    size_t rows = inspect_holds_objects(value) ? json_object_array_length(value) : 1;
    for (size_t i = 0; i < rows; i++) {
        struct json_object *one =
            inspect_holds_objects(value) ? json_object_array_get_idx(value, i) : value;
        autotext struct text cell = {0};
        inspect_append(&cell, one, " ", false);
        pad(page, 0, i > 0 ? indent : 0);
        if (inspect_error_of(one)) {
            append_cell(page, one, cell.data ? cell.data : "");
            text_append(page->text, "\n");
        } else {
            append_wrapped(page, cell.data ? cell.data : "", indent);
        }
    }
}

static void append_fields(const struct page *page, struct json_object *object)
{
    unsigned widest = 0;
    json_object_object_foreach(object, name, unused)
    {
        (void)unused;
        widest = columns(name) > widest ? columns(name) : widest;
    }
    json_object_object_foreach(object, key, value)
    {
        text_append_format(page->text, "  %s", key);
        pad(page, columns(key), widest + 2);
        append_field(page, value, widest + 4);
    }
}

/* A table: rows of objects with the same keys, or with an error instead. */
struct table {
    const struct page *page;
    const char *keys[COLUMNS_MAX];
    unsigned widths[COLUMNS_MAX];
    unsigned count; /* columns */
    bool named;     /* the first column holds the names of the rows, and has no key */
    bool measuring;
};

static void table_cell(struct table *table, unsigned column, struct json_object *value,
                       const char *string)
{
    const struct page *page = table->page;
    unsigned wide = columns(string);
    unsigned *width = &table->widths[column];
    if (table->measuring) {
        wide = wide < COLUMN_MAX ? wide : COLUMN_MAX;
        *width = wide > *width ? wide : *width;
        return;
    }
    text_append(page->text, "  ");
    append_cell(page, value, string);
    if (column + 1 < table->count)
        pad(page, wide, *width);
}

/* prefix: the name of the row, or a drawing in front of its first cell. */
static void table_row(struct table *table, const char *prefix, struct json_object *row)
{
    if (table->named)
        table_cell(table, 0, NULL, prefix);
    for (unsigned i = table->named; i < table->count; i++) {
        autotext struct text cell = {0};
        struct json_object *value = inspect_error_of(row) ? row : NULL;
        if (!table->named && i == 0)
            text_append(&cell, prefix);
        if (!inspect_error_of(row))
            json_object_object_get_ex(row, table->keys[i], &value);
        inspect_append(&cell, value, ",", false);
        /* An error stands alone; it does not make its column wider. */
        if (!inspect_error_of(row) || !table->measuring)
            table_cell(table, i, value, cell.data ? cell.data : "");
        if (inspect_error_of(row))
            break;
    }
    if (!table->measuring)
        text_append(table->page->text, "\n");
}

static void table_heading(struct table *table)
{
    const struct page *page = table->page;
    if (!table->measuring && page->colour)
        text_append(page->text, DIM);
    for (unsigned i = 0; i < table->count; i++)
        table_cell(table, i, NULL, table->keys[i]);
    if (!table->measuring)
        text_append_format(page->text, "%s\n", page->colour ? PLAIN : "");
}

/* The keys of the first row that has any. */
static bool table_start(struct table *table, struct json_object *row)
{
    if (table->count > table->named || inspect_error_of(row))
        return false;
    json_object_object_foreach(row, key, value)
    {
        (void)value;
        if (table->count < COLUMNS_MAX)
            table->keys[table->count++] = key;
    }
    return true;
}

static void rows_of_object(struct table *table, struct json_object *object)
{
    table_heading(table);
    json_object_object_foreach(object, key, row)
    {
        table_row(table, key, row);
    }
}

static void rows_of_array(struct table *table, struct json_object *array)
{
    table_heading(table);
    for (size_t i = 0; i < json_object_array_length(array); i++)
        table_row(table, "", json_object_array_get_idx(array, i));
}

static void rows_of_tree(struct table *table, struct json_object *mounts)
{
    struct mount_tree tree;
    table_heading(table);
    if (mount_tree_build(&tree, mounts) < 0)
        table->page->text->failed = true;
    for (;;) {
        autotext struct text drawing = {0};
        int row = tree.nodes ? mount_tree_next(&tree, &drawing) : -1;
        if (row < 0)
            break;
        table_row(table, drawing.data ? drawing.data : "",
                  json_object_array_get_idx(mounts, (size_t)row));
    }
    mount_tree_free(&tree);
}

/* Twice: once for the widths. */
static void append_table(const struct page *page, struct json_object *section,
                         void (*rows)(struct table *table, struct json_object *section))
{
    struct table table = {.page = page, .keys = {"name"}, .measuring = true};
    if (rows == rows_of_object) {
        table.named = true;
        table.count = 1;
        json_object_object_foreach(section, key, row)
        {
            (void)key;
            table_start(&table, row);
        }
    } else {
        for (size_t i = 0; i < json_object_array_length(section); i++)
            table_start(&table, json_object_array_get_idx(section, i));
    }
    rows(&table, section);
    table.measuring = false;
    rows(&table, section);
}

/* Do all values have members of their own, like rows of a table? */
static bool is_table(struct json_object *section)
{
    bool all = true;
    json_object_object_foreach(section, key, value)
    {
        (void)key;
        all = all && json_object_is_type(value, json_type_object);
    }
    return all;
}

static void append_section(const struct page *page, const char *name, struct json_object *section)
{
    append_coloured(page, BOLD, name);
    text_append(page->text, "\n");
    if (inspect_error_of(section)) {
        text_append(page->text, "  ");
        append_field(page, section, 2);
    } else if (json_object_is_type(section, json_type_object)) {
        if (is_table(section))
            append_table(page, section, rows_of_object);
        else
            append_fields(page, section);
    } else if (inspect_holds_objects(section)) {
        append_table(page, section, strcmp(name, "mounts") == 0 ? rows_of_tree : rows_of_array);
    } else {
        for (size_t i = 0; i < json_object_array_length(section); i++) {
            text_append(page->text, "  ");
            inspect_append(page->text, json_object_array_get_idx(section, i), ",", false);
            text_append(page->text, "\n");
        }
    }
}

void inspect_aligned(struct json_object *document, bool colour, unsigned width, struct text *text)
{
    const struct page page = {.text = text, .colour = colour, .width = width};
    const char *between = "";
    json_object_object_foreach(document, key, value)
    {
        text_append(text, between);
        append_section(&page, key, value);
        between = "\n";
    }
}
