/*
 * The command line after noun and verb becomes the params of a request.
 */
#ifndef DBGUEST_CLI_ARGUMENTS_H
#define DBGUEST_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct command;
struct error;
struct json_object;

struct words {
    char **at;
    size_t count;
    size_t next;
};

enum arguments_state { ARGUMENTS_TAKEN, ARGUMENTS_NOT_MINE, ARGUMENTS_WRONG };

/* Takes the next word, and its value, when it is an option that every command has. */
enum arguments_state arguments_take_global(struct cli *cli, struct words *words, struct error *err);
/* Reads all that is left. Says what is unknown; what is missing, arguments_complete() does. */
bool arguments_read(struct cli *cli, const struct command *command, struct words *words,
                    struct json_object *params, struct error *err);
/* Asks at a terminal for what is to be typed there (secrets, the name once more), and fails when
 * something is missing. */
bool arguments_complete(const struct cli *cli, const struct command *command,
                        struct json_object *params, struct error *err);

#endif
