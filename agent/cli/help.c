#include "help.h"

#include <string.h>

#include "cli.h"
#include "client.h"
#include "document.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "screen.h"
#include "text.h"
#include "units.h"

#define HELP_COLUMNS 100
#define SECOND_NOUN 47
#define NOUN_WIDTH 11
#define NAME_WIDTH 20
#define VERB_WIDTH 17

/* --- one command --- */

static const char *placeholder(const struct option *option)
{
    if (option->kind == OPTION_INT)
        return "N";
    if (option->kind == OPTION_OBJECT)
        return "NAME=VALUE";
    if (json_get(option->schema, "enum") != NULL)
        return "WORD";
    if (option->named != NULL)
        return "NAME";
    return option->kind == OPTION_OBJECTS ? "NAME" : "TEXT";
}

void help_option_name(const struct command *command, size_t index, struct text *out)
{
    const struct option *option = &command->options[index];

    if (option->argument)
        text_add(out, option->capitals);
    else if (option->secret)
        text_printf(out, "--%s-stdin", option->dashed);
    else if (option->kind == OPTION_BOOL)
        text_printf(out, "--%s", option->dashed);
    else
        text_printf(out, "--%s %s", option->dashed, placeholder(option));
}

void help_usage(const struct command *command, struct text *out)
{
    text_printf(out, "%s %s", command->noun, command->verb);
    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        if (option->argument)
            text_printf(out, option->required || command->many != NULL ? " %s" : " [%s]",
                        option->capitals);
    }
    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        if (option->argument || strcmp(option->name, "idempotency_key") == 0)
            continue;
        text_add(out, option->required ? " " : " [");
        help_option_name(command, i, out);
        text_add(out, option->required ? "" : "]");
    }
}

static void add_words(struct json_object *words, const char *fallback, struct text *out)
{
    for (size_t i = 0; i < json_object_array_length(words); i++) {
        const char *word = json_object_get_string(json_object_array_get_idx(words, i));
        bool is_fallback = fallback != NULL && strcmp(word, fallback) == 0;
        text_printf(out, "%s%s%s", i > 0 ? ", " : "", word, is_fallback ? " (default)" : "");
    }
}

static const char *kind_word(const struct option *option)
{
    static const char *const words[] = {
        [OPTION_TEXT] = "text",
        [OPTION_INT] = "number",
        [OPTION_BOOL] = "",
        [OPTION_OBJECT] = "repeated, or JSON, @FILE, -",
        [OPTION_TEXTS] = "repeated, or JSON, @FILE, -",
        [OPTION_OBJECTS] = "repeated, or JSON, @FILE, -",
    };

    return words[option->kind];
}

static void add_limits(const struct option *option, struct text *out)
{
    struct json_object *schema = option->schema;

    if (option->kind == OPTION_INT && json_get(schema, "maximum") != NULL)
        text_printf(out, ", %lld to %lld", (long long)json_get_int(schema, "minimum"),
                    (long long)json_get_int(schema, "maximum"));
    if (option->kind == OPTION_TEXT && json_get(schema, "maxLength") != NULL)
        text_printf(out, ", %lld to %lld bytes", (long long)json_get_int(schema, "minLength"),
                    (long long)json_get_int(schema, "maxLength"));
}

static void add_members(const struct document *document, const struct option *option,
                        struct text *out)
{
    struct json_object *items = document_resolve(document, json_get(option->schema, "items"));
    struct json_object *properties = json_get(items, "properties");
    struct json_object_iter member;
    bool first = true;

    if (option->kind != OPTION_OBJECTS || properties == NULL)
        return;
    text_add(out, "; each {");
    json_object_object_foreachC (properties, member) {
        text_printf(out, "%s%s", first ? "" : ", ", member.key);
        first = false;
    }
    text_add(out, "}");
}

void help_option(const struct document *document, const struct command *command, size_t index,
                 struct text *out)
{
    const struct option *option = &command->options[index];
    struct json_object *fallback = json_get(option->schema, "default");
    struct json_object *words = json_get(option->schema, "enum");

    if (option->secret)
        text_add(out, "else asked for at the terminal, without echo");
    else if (words != NULL)
        add_words(words, fallback != NULL ? json_object_get_string(fallback) : NULL, out);
    else if (option->named != NULL && json_get(option->schema, "description") != NULL &&
             option->kind == OPTION_TEXT)
        text_add(out, json_get_string(option->schema, "description"));
    else
        text_add(out, kind_word(option));
    add_limits(option, out);
    add_members(document, option, out);
    if (fallback != NULL && words == NULL && option->kind != OPTION_BOOL)
        text_printf(out, ", default %s", json_object_to_json_string(fallback));
    if (option->help != NULL)
        text_printf(out, "%s%s", option->kind == OPTION_BOOL ? "" : ": ", option->help);
}

/* Where a noun's names can be looked up. */
static bool is_listed(const struct option *option)
{
    return option->named != NULL && !option->new_name &&
           (strcmp(option->named, "instance") == 0 || strcmp(option->named, "version") == 0 ||
            strcmp(option->named, "backup") == 0 || strcmp(option->named, "job") == 0);
}

/* "  INSTANCE VERSION    names: dbguestctl instance list, dbguestctl version list" */
static void add_listed(const struct command *command, struct text *out)
{
    autotext struct text names = { 0 };
    autotext struct text lists = { 0 };

    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        if (!option->argument || !is_listed(option))
            continue;
        text_printf(&names, "%s%s", names.length > 0 ? " " : "", option->capitals);
        text_printf(&lists, "%sdbguestctl %s list", lists.length > 0 ? ", " : "", option->named);
    }
    if (names.length > 0)
        text_printf(out, "  %-*s names: %s\n", NAME_WIDTH - 1, names.bytes, lists.bytes);
}

static void add_options(const struct document *document, const struct command *command,
                        struct text *out)
{
    add_listed(command, out);
    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        autotext struct text name = { 0 };
        autotext struct text line = { 0 };

        if ((option->argument && is_listed(option)) || option->common)
            continue;
        help_option_name(command, i, &name);
        help_option(document, command, i, &line);
        text_printf(out, "  %-*s ", NAME_WIDTH - 1, name.bytes);
        screen_wrap(out, line.bytes, HELP_COLUMNS - NAME_WIDTH - 2, NAME_WIDTH + 2);
        text_add(out, "\n");
    }
}

static void add_locks(struct json_object *locks, struct text *out)
{
    for (size_t i = 0; i < json_object_array_length(locks); i++) {
        const char *lock = json_object_get_string(json_object_array_get_idx(locks, i));
        bool exclusive = text_ends(lock, "!");
        text_printf(out, "%s%.*s%s", i > 0 ? ", " : " Locks ",
                    (int)strlen(lock) - (exclusive ? 1 : 0), lock, exclusive ? "" : " (shared)");
    }
    if (json_object_array_length(locks) > 0)
        text_add(out, ".");
}

void help_reasons(const struct command *command, struct text *out)
{
    struct json_object *errors = json_get(command->method, "errors");

    text_add(out, " Reasons:");
    for (size_t i = 0; errors != NULL && i < json_object_array_length(errors); i++) {
        const char *path = json_get_string(json_object_array_get_idx(errors, i), "$ref");
        const char *slash = path != NULL ? strrchr(path, '/') : NULL;
        if (slash != NULL)
            text_printf(out, " %s", slash + 1);
    }
}

void help_command(const struct cli *cli, const struct command *command, struct text *out)
{
    struct json_object *examples = json_get(command->method, "x-examples");
    struct json_object *locks = json_get(command->method, "x-locks");
    const char *role = json_get_string(command->method, "x-role");
    autotext struct text usage = { 0 };
    autotext struct text facts = { 0 };

    help_usage(command, &usage);
    autofree char *whole = xasprintf("Usage: dbguestctl %s", usage.bytes);
    screen_wrap(out, whole, HELP_COLUMNS, 7);
    text_printf(out, "\n%s\n", json_get_string(command->method, "summary"));
    add_options(cli->document, command, out);

    text_printf(&facts, "Role %s.", role != NULL ? role : "operator");
    if (json_object_is_type(locks, json_type_array))
        add_locks(locks, &facts);
    help_reasons(command, &facts);
    screen_wrap(out, facts.bytes, HELP_COLUMNS, 0);
    text_add(out, "\n");
    for (size_t i = 0; examples != NULL && i < json_object_array_length(examples); i++)
        text_printf(out, "  dbguestctl %s\n",
                    json_object_get_string(json_object_array_get_idx(examples, i)));
}

/* --- nouns --- */

bool help_noun(const struct cli *cli, const char *noun, struct text *out)
{
    struct command *command = NULL;
    bool any = false;

    for (size_t i = 0; (command = document_command(cli->document, i)) != NULL; i++) {
        if (strcmp(command->noun, noun) == 0 && command_is_shown(command)) {
            if (!any)
                text_printf(out, "Usage: dbguestctl %s VERB [ARGUMENT…] [--option …]\n", noun);
            text_printf(out, "  %-14s ", command->verb);
            screen_wrap(out, json_get_string(command->method, "summary"), HELP_COLUMNS - VERB_WIDTH,
                        VERB_WIDTH);
            text_add(out, "\n");
            any = true;
        }
        command_free(command);
    }
    if (any)
        text_printf(out, "Details: dbguestctl %s VERB --help\n", noun);
    return any;
}

/* Verbs of each noun, in the document's order: {"instance": "list show …"}. */
static struct json_object *verbs_by_noun(const struct document *document)
{
    struct json_object *nouns = json_object_new_object();
    struct command *command = NULL;

    for (size_t i = 0; (command = document_command(document, i)) != NULL; i++) {
        const char *verbs = json_get_string(nouns, command->noun);
        if (command_is_shown(command)) {
            autofree char *longer =
                verbs != NULL ? xasprintf("%s %s", verbs, command->verb) : xstrdup(command->verb);
            json_add_string(nouns, command->noun, longer);
        }
        command_free(command);
    }
    return nouns;
}

/* Two nouns share a line where they fit. */
static void add_nouns(const struct document *document, struct text *out)
{
    autoptr(json_object) nouns = verbs_by_noun(document);
    struct json_object_iter noun;
    size_t used = 0;

    json_object_object_foreachC (nouns, noun) {
        const char *verbs = json_object_get_string(noun.val);
        size_t width = NOUN_WIDTH + strlen(verbs);
        bool second = used > 0 && used < SECOND_NOUN && SECOND_NOUN + width <= HELP_COLUMNS;
        if (used > 0 && !second)
            text_add(out, "\n");
        if (second)
            text_printf(out, "%*s", (int)(SECOND_NOUN - used), "");
        text_printf(out, "%s%-*s%s", second ? "" : "  ", NOUN_WIDTH, noun.key, verbs);
        used = second ? HELP_COLUMNS : 2 + width;
    }
    text_add(out, "\n");
}

/* "dbguestd 0.1.0 answers: 3 instances, 1 job" */
static char *who_answers(const struct cli *cli)
{
    struct error err = { 0 };
    autoptr(client) client = client_open(cli->socket, &err);
    autoptr(json_object) info =
        client != NULL ? client_call(client, "agent.info", NULL, &err) : NULL;
    struct json_object *jobs = json_get(info, "jobs");
    autofree char *instances = units_count(json_get_int(info, "instances"), "instance");
    autofree char *open =
        units_count(json_get_int(jobs, "running") + json_get_int(jobs, "queued"), "job");
    const char *version = json_get_string(info, "version");

    error_clear(&err);
    if (version == NULL)
        return xasprintf("no dbguestd answers at %s", cli->socket);
    return xasprintf("dbguestd %s answers: %s, %s", version, instances, open);
}

void help_all(const struct cli *cli, struct text *out)
{
    static const char title[] = "dbguestctl: run the databases of this VM";
    autofree char *answer = who_answers(cli);
    autofree char *safe = screen_safe(answer);
    size_t width = screen_width(safe);
    size_t gap =
        sizeof(title) + width < HELP_COLUMNS ? HELP_COLUMNS - sizeof(title) + 1 - width : 2;

    text_printf(out, "%s%*s%s\n", title, (int)gap, "", safe);
    text_add(out, "Usage: dbguestctl NOUN VERB [ARGUMENT…] [--option …]     details: dbguestctl "
                  "NOUN VERB --help\n");
    add_nouns(cli->document, out);
    text_add(out, "  also       watch (events as they come)    call METHOD JSON (any method)    "
                  "completion bash\n"
                  "  --json --wide --quiet --detach --no-queue --deadline-s N --progress WORD "
                  "--socket PATH\n"
                  "  --no-color --version       environment: DBGUEST_SOCKET, NO_COLOR\n");
}

bool help_other(const char *word, struct text *out)
{
    if (strcmp(word, "watch") == 0)
        text_add(out, "Usage: dbguestctl watch [--instance NAME] [--kinds WORD]… [--json]\n"
                      "Prints events as they come, until Ctrl-C.\n"
                      "  --kinds WORD         status, job, backup, heartbeat; repeated\n"
                      "  dbguestctl watch --instance main\n");
    else if (strcmp(word, "call") == 0)
        text_add(out, "Usage: dbguestctl call METHOD [JSON]\n"
                      "Calls any method of the protocol and prints its result.\n"
                      "  JSON                 the params, as text, @FILE or - (standard input)\n"
                      "  dbguestctl call job.list '{\"state\":\"running\"}'\n");
    else if (strcmp(word, "completion") == 0)
        text_add(out, "Usage: dbguestctl completion bash\n"
                      "Prints a script that completes nouns, verbs, options and names.\n"
                      "  source <(dbguestctl completion bash)\n");
    else
        return false;
    return true;
}
