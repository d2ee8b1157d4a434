/* Regular expressions for names.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/pattern.h"

#include <errno.h>
#include <string.h>

#include "core/base/error.h"

/* SPLIT goes to both, without a character; BEGIN and END ask where they are. */
enum kind { LITERAL, ANY, CLASS, SPLIT, BEGIN, END, EMPTY, MATCH };

#define NOWHERE UINT16_MAX

struct parser {
    struct pattern *pattern;
    const char *at;
    unsigned depth;
    const char *mistake; /* NULL: none */
};

/* A part: where it begins, and the EMPTY node that it ends with, whose next is open. */
struct part {
    uint16_t first;
    uint16_t last;
};

static uint16_t add_node(struct parser *parser, enum kind kind)
{
    struct pattern *pattern = parser->pattern;
    if (pattern->count >= PATTERN_NODES) {
        parser->mistake = "too long";
        return 0;
    }
    pattern->nodes[pattern->count] =
        (struct pattern_node){.kind = (uint8_t)kind, .second = NOWHERE, .next = NOWHERE};
    return (uint16_t)pattern->count++;
}

static struct pattern_node *node_at(struct parser *parser, uint16_t number)
{
    return &parser->pattern->nodes[number];
}

/* The end of a class that begins behind its "[": a "]" that is not the first of its members. NULL:
 * it has none. */
static const char *end_of_class(const char *text)
{
    text += *text == '^';
    const char *end = *text ? strchr(text + 1, ']') : NULL;
    return end;
}

static bool class_has(const char *text, char character)
{
    bool negated = *text == '^';
    const char *end = end_of_class(text);
    bool found = false;
    for (text += negated; text < end; text++) {
        if (text[1] == '-' && text + 2 < end) {
            found = found || (character >= text[0] && character <= text[2]);
            text += 2;
        } else {
            found = found || character == *text;
        }
    }
    return found != negated;
}

static struct part parse_alternatives(struct parser *parser);

static struct part single(struct parser *parser, enum kind kind)
{
    struct part part = {.first = add_node(parser, kind), .last = add_node(parser, EMPTY)};
    node_at(parser, part.first)->next = part.last;
    return part;
}

static struct part parse_class(struct parser *parser)
{
    const char *end = end_of_class(++parser->at);
    struct part part = single(parser, CLASS);
    node_at(parser, part.first)->first = (uint16_t)(parser->at - parser->pattern->text);
    if (!end)
        parser->mistake = "[ without ]";
    else if (memmem(parser->at, (size_t)(end - parser->at), "[:", 2))
        parser->mistake = "[: is not supported";
    else
        parser->at = end + 1;
    return part;
}

static struct part parse_group(struct parser *parser)
{
    if (++parser->depth > 32)
        parser->mistake = "nested too deeply";
    parser->at++;
    struct part part = parser->mistake ? single(parser, EMPTY) : parse_alternatives(parser);
    parser->depth--;
    if (*parser->at == ')')
        parser->at++;
    else if (!parser->mistake)
        parser->mistake = "( without )";
    return part;
}

static struct part parse_atom(struct parser *parser)
{
    struct part part;
    switch (*parser->at) {
    case '(':
        return parse_group(parser);
    case '[':
        return parse_class(parser);
    case '*':
    case '+':
    case '?':
        parser->mistake = "nothing to repeat";
        return single(parser, EMPTY);
    case '{':
        parser->mistake = "{ is not supported";
        return single(parser, EMPTY);
    case '.':
        part = single(parser, ANY);
        break;
    case '^':
        part = single(parser, BEGIN);
        break;
    case '$':
        part = single(parser, END);
        break;
    case '\\':
        if (!*++parser->at) {
            parser->mistake = "\\ at the end";
            return single(parser, EMPTY);
        }
        /* fall through */
    default:
        part = single(parser, LITERAL);
        node_at(parser, part.first)->character = *parser->at;
    }
    parser->at++;
    return part;
}

/* An atom with what follows it. */
static struct part parse_repeated(struct parser *parser)
{
    struct part part = parse_atom(parser);
    while (!parser->mistake && *parser->at && strchr("*+?", *parser->at)) {
        uint16_t split = add_node(parser, SPLIT);
        uint16_t last = add_node(parser, EMPTY);
        char repeat = *parser->at++;
        node_at(parser, split)->second = part.first;
        node_at(parser, split)->next = last;
        node_at(parser, part.last)->next = repeat == '?' ? last : split;
        part = (struct part){.first = repeat == '+' ? part.first : split, .last = last};
    }
    return part;
}

static struct part parse_sequence(struct parser *parser)
{
    struct part whole = single(parser, EMPTY);
    while (!parser->mistake && *parser->at && !strchr("|)", *parser->at)) {
        struct part next = parse_repeated(parser);
        node_at(parser, whole.last)->next = next.first;
        whole.last = next.last;
    }
    return whole;
}

static struct part parse_alternatives(struct parser *parser)
{
    struct part whole = parse_sequence(parser);
    while (!parser->mistake && *parser->at == '|') {
        parser->at++;
        struct part other = parse_sequence(parser);
        uint16_t split = add_node(parser, SPLIT);
        node_at(parser, split)->second = other.first;
        node_at(parser, split)->next = whole.first;
        node_at(parser, other.last)->next = whole.last;
        whole.first = split;
    }
    return whole;
}

int pattern_compile(struct pattern *pattern, const char *text)
{
    struct parser parser = {.pattern = pattern, .at = text};
    pattern->text = text;
    pattern->count = 0;
    if (strlen(text) > UINT16_MAX - 1)
        parser.mistake = "too long";
    if (!parser.mistake) {
        struct part whole = parse_alternatives(&parser);
        uint16_t match = add_node(&parser, MATCH);
        pattern->start = whole.first;
        node_at(&parser, whole.last)->next = match;
    }
    if (!parser.mistake && *parser.at == ')')
        parser.mistake = ") without (";
    return parser.mistake ? fail_usage("'%s' is no regular expression: %s", text, parser.mistake)
                          : 0;
}

/* The states that one is in. */
struct states {
    bool in[PATTERN_NODES];
    uint16_t list[PATTERN_NODES];
    size_t count;
};

/* Be in that state, and in those that it leads to without a character. Each is looked at once, from
 * a list: an expression may be long. */
static void enter(const struct pattern *pattern, struct states *states, uint16_t number, bool first,
                  bool last)
{
    size_t next = states->count;
    if (number == NOWHERE || states->in[number])
        return;
    states->in[number] = true;
    states->list[states->count++] = number;
    for (; next < states->count; next++) {
        const struct pattern_node *node = &pattern->nodes[states->list[next]];
        bool passes = node->kind == SPLIT || node->kind == EMPTY ||
                      (node->kind == BEGIN && first) || (node->kind == END && last);
        const uint16_t leads[] = {node->next, node->second};
        for (size_t i = 0; passes && i < 2; i++) {
            if (leads[i] == NOWHERE || states->in[leads[i]])
                continue;
            states->in[leads[i]] = true;
            states->list[states->count++] = leads[i];
        }
    }
}

static bool takes(const struct pattern *pattern, const struct pattern_node *node, char character)
{
    switch (node->kind) {
    case LITERAL:
        return node->character == character;
    case ANY:
        return true;
    case CLASS:
        return class_has(pattern->text + node->first, character);
    default:
        return false;
    }
}

bool pattern_matches(const struct pattern *pattern, const char *name)
{
    struct states now = {.count = 0};
    for (const char *at = name;; at++) {
        struct states next = {.count = 0};
        /* It may begin anywhere. */
        enter(pattern, &now, pattern->start, at == name, !*at);
        for (size_t i = 0; i < now.count; i++) {
            const struct pattern_node *node = &pattern->nodes[now.list[i]];
            if (node->kind == MATCH)
                return true;
            if (*at && takes(pattern, node, *at))
                enter(pattern, &next, node->next, false, !at[1]);
        }
        if (!*at)
            return false;
        now = next;
    }
}
