/*
 * The OpenRPC document as the command line reads it: nouns, verbs, arguments and options. The one
 * that is linked in comes first, so that help needs no daemon; where that knows no such verb and
 * the daemon has another table, the daemon's is fetched and remembered by its digest.
 */
#ifndef DBGUEST_CLI_DOCUMENT_H
#define DBGUEST_CLI_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

struct cli;
struct json_object;

struct document {
    struct json_object *root;
    struct json_object *methods; /* borrowed from root, an array */
};

enum option_kind {
    OPTION_TEXT,
    OPTION_INT,
    OPTION_BOOL,
    OPTION_OBJECT,  /* name=value, JSON, @FILE or - */
    OPTION_TEXTS,   /* repeated */
    OPTION_OBJECTS, /* repeated */
};

struct option {
    const char *name;
    char *dashed;   /* "deadline-s"; of what is true unless told otherwise "no-queue" */
    char *capitals; /* "DEADLINE-S" */
    const char *help;
    const char *named;          /* what it is a name of: "instance", "version", ...; or NULL */
    struct json_object *schema; /* borrowed, what it refers to when it refers */
    enum option_kind kind;
    bool required, argument, secret, new_name, common, negative;
};

#define OPTIONS_MAX 40

struct command {
    const char *name;           /* "instance.check_upgrade" */
    char *noun, *verb;          /* "instance", "check-upgrade" */
    struct json_object *method; /* borrowed */
    struct option options[OPTIONS_MAX];
    size_t count;
    bool job, steps;
    const char *rows, *many, *confirm; /* NULL where there are none */
};

struct document *document_new(struct json_object *root);
void document_free(struct document *document);
/* What was linked in. */
struct document *document_linked(void);

/* The i-th method; NULL after the last. */
struct command *document_command(const struct document *document, size_t index);
struct command *document_find(const struct document *document, const char *noun, const char *verb);
struct command *document_find_method(const struct document *document, const char *name);
void command_free(struct command *command);
DEFINE_AUTOPTR(command, command_free)
DEFINE_AUTOPTR(document, document_free)

/* An option by the name of its parameter, or NULL. */
const struct option *command_option(const struct command *command, const char *name);
/* What a schema refers to, or itself. */
struct json_object *document_resolve(const struct document *document, struct json_object *schema);
/* The schemas of a result's fields, of a list those of a row: an object that the caller frees. */
struct json_object *document_fields(const struct document *document, const struct command *command);
/* Whether help speaks of it: not of those that have another way in. */
bool command_is_shown(const struct command *command);

/* The daemon's document, from the daemon or from what was remembered; NULL when it is that which
 * was linked in, or there is none. */
struct document *document_of_daemon(const struct cli *cli);

#endif
