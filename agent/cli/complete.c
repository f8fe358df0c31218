#include <ctype.h>
#include <string.h>

#include "arguments.h"
#include "cli.h"
#include "document.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "prompt.h"
#include "screen.h"

static bool is_there(struct json_object *object, const char *name)
{
    return json_object_object_get_ex(object, name, NULL);
}

static bool is_member(struct json_object *array, const char *word)
{
    for (size_t i = 0; array != NULL && i < json_object_array_length(array); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(array, i)), word) == 0)
            return true;
    return false;
}

/* Needed by itself, or as what one object needs when not many are named. */
static bool is_needed(const struct cli *cli, const struct command *command,
                      const struct option *option, struct json_object *params)
{
    if (option->required)
        return true;
    if (command->many == NULL || is_there(params, command->many))
        return false;

    struct json_object *items = json_get(command_option(command, command->many)->schema, "items");
    return is_member(json_get(document_resolve(cli->document, items), "required"), option->name);
}

static bool missing(const struct command *command, const char *what, struct error *err)
{
    error_set(err, ERROR_INVALID, "%s is missing", what);
    return error_hint(err, "dbguestctl %s %s --help", command->noun, command->verb);
}

/* Whether the method makes the secret when it is given none: then the result has it. */
static bool is_made(const struct cli *cli, const struct command *command,
                    const struct option *option)
{
    autoptr(json_object) fields = document_fields(cli->document, command);

    return is_there(fields, option->name);
}

static bool ask_secret(const struct command *command, const struct option *option, bool optional,
                       struct json_object *params, struct error *err)
{
    const char *name = json_get_string(params, "name");
    autofree char *whose = screen_safe(name != NULL ? name : command->noun);
    autofree char *question =
        xasprintf("%c%s for %s%s: ", toupper((unsigned char)option->name[0]), option->name + 1,
                  whose, optional ? " (empty: one is made)" : "");
    char *secret = prompt_secret(question, optional, err);

    if (secret == NULL)
        return false;
    if (secret[0] != '\0')
        json_add_string(params, option->name, secret);
    prompt_wipe(secret);
    return true;
}

static bool complete_secret(const struct cli *cli, const struct command *command,
                            const struct option *option, struct json_object *params,
                            struct error *err)
{
    bool needed = is_needed(cli, command, option, params);
    bool asks = cli->in_terminal && cli->err_terminal;

    if (!needed && (!asks || !is_made(cli, command, option)))
        return true;
    if (asks)
        return ask_secret(command, option, !needed, params, err);

    autofree char *what = xasprintf("--%s-stdin", option->dashed);
    return missing(command, what, err);
}

static bool complete_option(const struct cli *cli, const struct command *command,
                            const struct option *option, struct json_object *params,
                            struct error *err)
{
    if (is_there(params, option->name))
        return true;
    if (option->secret)
        return complete_secret(cli, command, option, params, err);
    if (!is_needed(cli, command, option, params))
        return true;

    autofree char *dashed = xasprintf("--%s", option->dashed);
    return missing(command, option->argument ? option->capitals : dashed, err);
}

static bool complete_confirm(const struct cli *cli, const struct command *command,
                             struct json_object *params, struct error *err)
{
    const char *name = json_get_string(params, command->confirm);

    if (name == NULL || is_there(params, "confirm"))
        return true;

    autofree char *safe = screen_safe(name);
    if (!cli->in_terminal || !cli->err_terminal) {
        error_set(err, ERROR_INVALID, "%s %s cannot be taken back: --confirm is missing",
                  command->noun, command->verb);
        return error_hint(err, "--confirm %s", safe);
    }
    autofree char *question =
        xasprintf("%s %s '%s' cannot be taken back. Its name once more: ", command->noun,
                  command->verb, safe);
    autofree char *typed = prompt_line(question);
    if (typed == NULL || strcmp(typed, name) != 0)
        return error_set(err, ERROR_INVALID, "that is not '%s'; nothing was done", safe);
    json_add_string(params, "confirm", typed);
    return true;
}

bool arguments_complete(const struct cli *cli, const struct command *command,
                        struct json_object *params, struct error *err)
{
    /* Nothing is asked for when something else is missing anyhow. */
    for (size_t i = 0; i < command->count; i++)
        if (!command->options[i].secret &&
            !complete_option(cli, command, &command->options[i], params, err))
            return false;
    if (command->confirm != NULL && !complete_confirm(cli, command, params, err))
        return false;
    for (size_t i = 0; i < command->count; i++)
        if (command->options[i].secret &&
            !complete_option(cli, command, &command->options[i], params, err))
            return false;
    return true;
}
