/*
 * --help at each level, from the document.
 */
#ifndef DBGUEST_CLI_HELP_H
#define DBGUEST_CLI_HELP_H

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct command;
struct document;
struct text;

/* The whole: nouns with their verbs; says who answers at the socket. */
void help_all(const struct cli *cli, struct text *out);
/* A noun's verbs with their sentences; false when there is no such noun. */
bool help_noun(const struct cli *cli, const char *noun, struct text *out);
void help_command(const struct cli *cli, const struct command *command, struct text *out);
/* What has no method of its own: watch, call, completion. False when the word is none of them. */
bool help_other(const char *word, struct text *out);

/* "instance upgrade INSTANCE VERSION [--safepoint WORD] …", for help and man pages. */
void help_usage(const struct command *command, struct text *out);
/* What an option may be, in words. */
void help_option(const struct document *document, const struct command *command, size_t index,
                 struct text *out);
/* " Reasons: not_found …": what a command may end with. */
void help_reasons(const struct command *command, struct text *out);
/* "--port N" */
void help_option_name(const struct command *command, size_t index, struct text *out);

#endif
