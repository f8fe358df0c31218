#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "cli.h"
#include "client.h"
#include "completion.h"
#include "document.h"
#include "error.h"
#include "help.h"
#include "json.h"
#include "memory.h"
#include "nearest.h"
#include "report.h"
#include "run.h"
#include "screen.h"
#include "text.h"
#include "value.h"
#include "watch.h"

#define DEFAULT_SOCKET "/run/dbguest/dbguest.sock"
#define WORDS_MAX 256

static int print_text(const struct text *text)
{
    (void)fputs(text->bytes != NULL ? text->bytes : "", stdout);
    return 0;
}

static int fail(const struct cli *cli, struct error *err)
{
    int code = report_error(cli, err);

    error_clear(err);
    return code;
}

/* --- unknown words --- */

static void remember_word(const char **words, size_t *count, struct command *command,
                          const char *noun)
{
    const char *word = noun == NULL ? command->noun : command->verb;

    if (command_is_shown(command) && *count < WORDS_MAX &&
        (noun == NULL || strcmp(noun, command->noun) == 0))
        words[(*count)++] = strdup(word);
}

/* The nearest noun, or verb of a noun; the caller frees it. */
static char *nearest_known(const struct document *document, const char *word, const char *noun)
{
    static const char *const others[] = { "watch", "call", "completion" };
    const char *words[WORDS_MAX + ARRAY_SIZE(others)];
    struct command *command = NULL;
    size_t made = 0;

    for (size_t i = 0; (command = document_command(document, i)) != NULL; i++) {
        remember_word(words, &made, command, noun);
        command_free(command);
    }
    size_t count = made;
    for (size_t i = 0; noun == NULL && i < ARRAY_SIZE(others); i++)
        words[count++] = others[i];

    char *nearest = xstrdup(nearest_word(word, words, count));
    for (size_t i = 0; i < made; i++)
        cleanup_free(&words[i]);
    return nearest;
}

static int unknown_word(const struct cli *cli, const char *word, const char *noun)
{
    struct error err = { 0 };
    autofree char *nearest = nearest_known(cli->document, word, noun);
    autofree char *before = noun != NULL ? xasprintf("%s ", noun) : xstrdup("");

    if (noun != NULL)
        error_set(&err, ERROR_INVALID, "%s has no verb '%s'", noun, word);
    else
        error_set(&err, ERROR_INVALID, "there is no noun '%s'", word);
    if (nearest != NULL)
        error_hint(&err, "did you mean '%s'?  dbguestctl %s%s --help", nearest, before, nearest);
    else
        error_hint(&err, "dbguestctl %s--help", before);
    return fail(cli, &err);
}

/* --- what has no method of its own --- */

static int other_help(const char *word)
{
    autotext struct text out = { 0 };

    help_other(word, &out);
    return print_text(&out);
}

static int main_watch(struct cli *cli, struct words *words)
{
    autoptr(command) command = document_find_method(cli->document, "agent.subscribe");
    autoptr(json_object) params = json_object_new_object();
    struct error err = { 0 };

    if (!arguments_read(cli, command, words, params, &err))
        return fail(cli, &err);
    return cli->help ? other_help("watch") : watch_run(cli, params);
}

/* The words that are left, without options; false when one of those is unknown. */
static bool plain_words(struct cli *cli, struct words *words, const char **out, size_t room,
                        struct error *err)
{
    size_t count = 0;

    while (words->next < words->count) {
        enum arguments_state state = arguments_take_global(cli, words, err);
        if (state == ARGUMENTS_WRONG)
            return false;
        if (state == ARGUMENTS_TAKEN)
            continue;
        const char *word = words->at[words->next++];
        if (count == room || (text_starts(word, "--") && word[2] != '\0'))
            return error_set(err, ERROR_INVALID, "'%s' is one word too many", word);
        out[count++] = word;
    }
    return true;
}

static bool read_call(const struct cli *cli, const char *method, const char *text,
                      struct json_object **out, struct error *err)
{
    autoptr(command) command = document_find_method(cli->document, method);
    bool in_line = false;

    *out = value_json(text, &in_line, err);
    if (*out == NULL)
        return false;
    if (!json_object_is_type(*out, json_type_object))
        return error_set(err, ERROR_INVALID, "the params of %s must be an object", method);
    for (size_t i = 0; in_line && command != NULL && i < command->count; i++) {
        const struct option *option = &command->options[i];
        struct json_object *value = json_get(*out, option->name);
        if (value != NULL &&
            (option->secret || value_holds_secret(cli->document, option->schema, value))) {
            error_set(err, ERROR_INVALID,
                      "'%s' holds a secret, and a command line is seen by others", option->name);
            return error_hint(err, "dbguestctl call %s @FILE, or - for standard input", method);
        }
    }
    return true;
}

static int main_call(struct cli *cli, struct words *words)
{
    const char *said[2] = { NULL, "{}" };
    autoptr(json_object) params = NULL;
    struct error err = { 0 };

    if (!plain_words(cli, words, said, ARRAY_SIZE(said), &err))
        return fail(cli, &err);
    if (cli->help)
        return other_help("call");
    if (said[0] == NULL) {
        error_set(&err, ERROR_INVALID, "METHOD is missing");
        error_hint(&err, "dbguestctl call --help");
        return fail(cli, &err);
    }
    if (!read_call(cli, said[0], said[1], &params, &err))
        return fail(cli, &err);
    return run_call(cli, said[0], params);
}

static int main_completion(struct cli *cli, struct words *words)
{
    const char *said[1] = { NULL };
    autotext struct text out = { 0 };
    struct error err = { 0 };

    if (!plain_words(cli, words, said, ARRAY_SIZE(said), &err))
        return fail(cli, &err);
    if (cli->help)
        return other_help("completion");
    if (said[0] == NULL || strcmp(said[0], "bash") != 0) {
        error_set(&err, ERROR_INVALID, "there is completion for bash alone");
        error_hint(&err, "dbguestctl completion bash");
        return fail(cli, &err);
    }
    completion_bash(cli->document, &out);
    return print_text(&out);
}

/* --- nouns and verbs --- */

static int main_noun(struct cli *cli, const char *noun, bool asked)
{
    autotext struct text out = { 0 };

    if (!help_noun(cli, noun, &out))
        return unknown_word(cli, noun, NULL);
    if (!asked)
        (void)fputs(out.bytes, stderr);
    return asked ? print_text(&out) : ERROR_INVALID;
}

/* The command, from the daemon's own table where ours does not know it. */
static struct command *find_command(struct cli *cli, const char *noun, const char *verb)
{
    struct command *command = document_find(cli->document, noun, verb);

    if (command != NULL && strcmp(noun, "rpc") != 0)
        return command;
    command_free(command);

    struct document *other = document_of_daemon(cli);
    if (other == NULL)
        return NULL;
    document_free(cli->document);
    cli->document = other;
    return document_find(other, noun, verb);
}

static bool has_noun(const struct cli *cli, const char *noun)
{
    autotext struct text out = { 0 };

    return help_noun(cli, noun, &out);
}

static int main_command(struct cli *cli, const char *noun, const char *verb, struct words *words)
{
    autoptr(command) command = find_command(cli, noun, verb);
    autoptr(json_object) params = json_object_new_object();
    struct error err = { 0 };

    if (command == NULL)
        return has_noun(cli, noun) ? unknown_word(cli, verb, noun) : unknown_word(cli, noun, NULL);
    if (!arguments_read(cli, command, words, params, &err))
        return fail(cli, &err);
    if (cli->help) {
        autotext struct text out = { 0 };
        help_command(cli, command, &out);
        return print_text(&out);
    }
    if (!arguments_complete(cli, command, params, &err))
        return client_interrupted() ? (int)EXIT_INTERRUPTED : fail(cli, &err);
    return run_command(cli, command, params);
}

/* --- the beginning --- */

static void look_around(struct cli *cli)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    const char *socket = getenv("DBGUEST_SOCKET");
    bool dumb = term == NULL || strcmp(term, "dumb") == 0;
    bool plain = dumb || (no_color != NULL && no_color[0] != '\0');

    cli->in_terminal = isatty(STDIN_FILENO) == 1;
    cli->out_terminal = isatty(STDOUT_FILENO) == 1;
    cli->err_terminal = isatty(STDERR_FILENO) == 1;
    cli->color_out = cli->out_terminal && !plain;
    cli->color_err = cli->err_terminal && !plain;
    cli->columns = screen_columns(STDOUT_FILENO);
    /* A line cannot be rewritten there. */
    if (dumb)
        cli->progress = PROGRESS_PLAIN;
    cli->socket = socket != NULL && socket[0] != '\0' ? socket : DEFAULT_SOCKET;
}

/* Names are UTF-8 whatever the locale says of letters. */
static void set_locale(void)
{
    if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
}

static int main_all(const struct cli *cli)
{
    autotext struct text out = { 0 };

    help_all(cli, &out);
    if (cli->help)
        return print_text(&out);
    (void)fputs(out.bytes, stderr);
    return ERROR_INVALID;
}

/* The next word that is no option of every command; NULL when there is none, or err is set. */
static const char *next_word(struct cli *cli, struct words *words, struct error *err)
{
    while (words->next < words->count) {
        enum arguments_state state = arguments_take_global(cli, words, err);
        if (state == ARGUMENTS_WRONG)
            return NULL;
        if (state == ARGUMENTS_TAKEN)
            continue;
        const char *word = words->at[words->next++];
        if (word[0] != '-')
            return word;
        error_set(err, ERROR_INVALID, "'%s' stands before a noun and a verb", word);
        error_hint(err, "dbguestctl --help");
        return NULL;
    }
    return NULL;
}

static int main_words(struct cli *cli, struct words *words)
{
    struct error err = { 0 };
    const char *noun = next_word(cli, words, &err);

    if (err.reason != ERROR_NONE)
        return fail(cli, &err);
    if (noun == NULL)
        return main_all(cli);
    if (strcmp(noun, "watch") == 0)
        return main_watch(cli, words);
    if (strcmp(noun, "call") == 0)
        return main_call(cli, words);
    if (strcmp(noun, "completion") == 0)
        return main_completion(cli, words);

    const char *verb = next_word(cli, words, &err);
    if (err.reason != ERROR_NONE)
        return fail(cli, &err);
    return verb != NULL ? main_command(cli, noun, verb, words) : main_noun(cli, noun, cli->help);
}

int main(int count, char **at)
{
    struct words words = { .at = at, .count = (size_t)count, .next = 1 };
    struct cli cli = { 0 };

    if (count == 2 && strcmp(at[1], "--version") == 0) {
        (void)printf("dbguestctl %s\n", DBGUEST_VERSION);
        return 0;
    }
    set_locale();
    look_around(&cli);
    client_catch_interrupt();
    cli.document = document_linked();
    int code = main_words(&cli, &words);
    document_free(cli.document);
    if (fflush(stdout) != 0 && code == 0)
        code = ERROR_INTERNAL;
    return code;
}
