#include "arguments.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "document.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "nearest.h"
#include "prompt.h"
#include "text.h"
#include "value.h"

static const char *const global_words[] = { "json",  "wide",     "quiet",  "help",
                                            "color", "no-color", "socket", "progress" };

/* --- options that every command has --- */

/* The value behind "--name" or in "--name=value"; NULL when there is none. */
static const char *take_value(struct words *words, const char *equals)
{
    if (equals != NULL)
        return equals + 1;
    return words->next < words->count ? words->at[words->next++] : NULL;
}

static bool set_progress(struct cli *cli, const char *word, struct error *err)
{
    static const char *const kinds[] = {
        [PROGRESS_AUTO] = "auto",
        [PROGRESS_PLAIN] = "plain",
        [PROGRESS_JSON] = "json",
        [PROGRESS_NONE] = "none",
    };

    for (size_t i = 0; word != NULL && i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i], word) == 0) {
            cli->progress = (enum progress_kind)i;
            return true;
        }
    }
    return error_set(err, ERROR_INVALID, "--progress wants auto, plain, json or none");
}

static bool set_flag(struct cli *cli, const char *name)
{
    if (strcmp(name, "json") == 0)
        cli->json = true;
    else if (strcmp(name, "wide") == 0)
        cli->wide = true;
    else if (strcmp(name, "quiet") == 0)
        cli->quiet = true;
    else if (strcmp(name, "help") == 0)
        cli->help = true;
    else if (strcmp(name, "no-color") == 0)
        cli->color_out = cli->color_err = false;
    else
        return false;
    return true;
}

enum arguments_state arguments_take_global(struct cli *cli, struct words *words, struct error *err)
{
    const char *word = words->at[words->next];
    const char *equals = strchr(word, '=');

    if (strcmp(word, "-h") == 0)
        word = "--help";
    if (!text_starts(word, "--"))
        return ARGUMENTS_NOT_MINE;

    autofree char *name = xstrndup(word + 2, strcspn(word + 2, "="));
    if (equals == NULL && set_flag(cli, name)) {
        words->next++;
        return ARGUMENTS_TAKEN;
    }
    if (strcmp(name, "socket") != 0 && strcmp(name, "progress") != 0)
        return ARGUMENTS_NOT_MINE;

    words->next++;
    const char *value = take_value(words, equals);
    if (strcmp(name, "progress") == 0)
        return set_progress(cli, value, err) ? ARGUMENTS_TAKEN : ARGUMENTS_WRONG;
    if (value == NULL) {
        error_set(err, ERROR_INVALID, "--socket wants a path");
        return ARGUMENTS_WRONG;
    }
    cli->socket = value;
    return ARGUMENTS_TAKEN;
}

/* --- options of the command --- */

static bool unknown_option(const struct command *command, const char *name, struct error *err)
{
    const char *known[OPTIONS_MAX + ARRAY_SIZE(global_words)];
    size_t count = 0;

    for (size_t i = 0; i < command->count; i++)
        if (!command->options[i].secret)
            known[count++] = command->options[i].dashed;
    for (size_t i = 0; i < ARRAY_SIZE(global_words); i++)
        known[count++] = global_words[i];

    const char *nearest = nearest_word(name, known, count);
    error_set(err, ERROR_INVALID, "%s %s has no option --%s", command->noun, command->verb, name);
    if (nearest != NULL)
        return error_hint(err, "did you mean --%s?  dbguestctl %s %s --help", nearest,
                          command->noun, command->verb);
    return error_hint(err, "dbguestctl %s %s --help", command->noun, command->verb);
}

static bool read_secret(const struct option *option, struct json_object *params, struct error *err)
{
    autofree char *said = xasprintf("%s-stdin", option->dashed);
    char *secret = prompt_read_stdin(said, err);

    if (secret == NULL)
        return false;
    json_add_string(params, option->name, secret);
    prompt_wipe(secret);
    return true;
}

static const struct option *find_option(const struct command *command, const char *name)
{
    for (size_t i = 0; i < command->count; i++)
        if (strcmp(command->options[i].dashed, name) == 0)
            return &command->options[i];
    return NULL;
}

/* "--password-stdin" */
static const struct option *find_secret(const struct command *command, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        if (option->secret && text_ends(name, "-stdin") &&
            strlen(option->dashed) == length - strlen("-stdin") &&
            text_starts(name, option->dashed))
            return option;
    }
    return NULL;
}

static bool refuse_secret(const struct option *option, struct error *err)
{
    error_set(err, ERROR_INVALID, "--%s is no option: a command line is seen by others",
              option->dashed);
    return error_hint(err, "type it at the prompt, or --%s-stdin < FILE", option->dashed);
}

static bool read_option(const struct cli *cli, const struct command *command, struct words *words,
                        struct json_object *params, struct error *err)
{
    const char *word = words->at[words->next++] + 2;
    const char *equals = strchr(word, '=');
    autofree char *name = xstrndup(word, strcspn(word, "="));
    const struct option *option = find_secret(command, name);

    if (option != NULL)
        return read_secret(option, params, err);
    option = find_option(command, name);
    if (option == NULL)
        return unknown_option(command, name, err);
    if (option->secret)
        return refuse_secret(option, err);
    if (option->kind == OPTION_BOOL && equals == NULL) {
        json_add_bool(params, option->name, !option->negative);
        return true;
    }
    const char *value = take_value(words, equals);
    if (value == NULL)
        return error_set(err, ERROR_INVALID, "--%s wants a value", option->dashed);
    return value_add(cli->document, option, value, params, err);
}

/* --- arguments --- */

static bool read_argument(const struct cli *cli, const struct command *command, const char *word,
                          struct json_object *params, struct error *err)
{
    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        if (option->argument && json_get(params, option->name) == NULL)
            return value_add(cli->document, option, word, params, err);
    }
    error_set(err, ERROR_INVALID, "'%s' is one argument too many for %s %s", word, command->noun,
              command->verb);
    return error_hint(err, "dbguestctl %s %s --help", command->noun, command->verb);
}

bool arguments_read(struct cli *cli, const struct command *command, struct words *words,
                    struct json_object *params, struct error *err)
{
    bool options = true;

    while (words->next < words->count) {
        const char *word = words->at[words->next];
        enum arguments_state state = ARGUMENTS_NOT_MINE;

        if (options && strcmp(word, "--") == 0) {
            options = false;
            words->next++;
            continue;
        }
        if (options)
            state = arguments_take_global(cli, words, err);
        if (state == ARGUMENTS_WRONG)
            return false;
        if (state == ARGUMENTS_TAKEN)
            continue;
        if (options && text_starts(word, "--")
                ? !read_option(cli, command, words, params, err)
                : !read_argument(cli, command, words->at[words->next++], params, err))
            return false;
    }
    return true;
}
