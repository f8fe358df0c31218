#include "list.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "document.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "screen.h"
#include "table.h"
#include "text.h"

#define PAGE_ROWS 1000

/* Moves the rows of a page to those that were there before. */
static void append_rows(struct json_object *all, struct json_object *page, const char *rows)
{
    struct json_object *target = json_get(all, rows);
    struct json_object *source = json_get(page, rows);

    if (!json_object_is_type(target, json_type_array) ||
        !json_object_is_type(source, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(source); i++)
        json_object_array_add(target, json_object_get(json_object_array_get_idx(source, i)));
}

enum call_end list_fetch(struct call *call, const struct command *command, struct error *err)
{
    bool limited = json_get(call->params, "limit") != NULL;
    autoptr(json_object) all = NULL;

    if (!limited && command_option(command, "limit") != NULL)
        json_add_int(call->params, "limit", PAGE_ROWS);
    for (;;) {
        enum call_end end = call_run(call, err);
        if (end != CALL_RESULT)
            return end;
        if (all == NULL)
            all = json_object_get(call->answer);
        else
            append_rows(all, call->answer, command->rows);

        autofree char *next = xstrdup(json_get_string(call->answer, "next_marker"));
        json_object_put(call->answer);
        call->answer = NULL;
        if (next == NULL || limited)
            break;
        json_add_string(call->params, "marker", next);
    }
    if (!limited)
        json_add(all, "next_marker", NULL);
    call->answer = steal(all);
    return CALL_RESULT;
}

/* A job that ended is in the state that it ended with; one that waits says for what. */
static void tell_job(struct json_object *row)
{
    const char *outcome = json_get_string(row, "outcome");
    struct json_object *others = json_get(row, "waiting_for");
    autotext struct text note = { 0 };

    if (outcome != NULL) {
        autofree char *copy = xstrdup(outcome);
        json_add_string(row, "state", copy);
        return;
    }
    if (json_get(row, "position") == NULL)
        return;
    text_printf(&note, "place %lld", (long long)json_get_int(row, "position"));
    for (size_t i = 0;
         json_object_is_type(others, json_type_array) && i < json_object_array_length(others); i++)
        text_printf(&note, "%s%s", i == 0 ? ", waits for " : ", ",
                    json_object_get_string(json_object_array_get_idx(others, i)));
    json_add_string(row, "note", note.bytes);
}

static void tell_jobs(const struct command *command, struct json_object *rows)
{
    for (size_t i = 0; strcmp(command->name, "job.list") == 0 && i < json_object_array_length(rows);
         i++)
        tell_job(json_object_array_get_idx(rows, i));
}

/* "no users of main: dbguestctl user create --help", for people only. */
static bool print_none(const struct cli *cli, const struct command *command,
                       struct json_object *params, struct json_object *rows)
{
    static const char *const makers[] = { "create", "pull" };
    const char *instance = json_get_string(params, "instance");
    autotext struct text line = { 0 };

    if (!cli->out_terminal || json_object_array_length(rows) > 0)
        return false;
    text_printf(&line, "no %s", command->rows);
    if (instance != NULL)
        text_printf(&line, " of %s", instance);
    for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
        autoptr(command) maker = document_find(cli->document, command->noun, makers[i]);
        if (maker != NULL)
            text_printf(&line, "; to have one: dbguestctl %s %s --help", command->noun, makers[i]);
    }
    autofree char *safe = screen_safe(line.bytes);
    (void)fprintf(stderr, "%s\n", safe);
    return true;
}

void list_print(const struct cli *cli, const struct command *command, struct json_object *params,
                struct json_object *answer)
{
    struct json_object *rows = json_get(answer, command->rows);
    autoptr(json_object) fields = document_fields(cli->document, command);
    autotext struct text out = { 0 };
    autotext struct text remarks = { 0 };
    const char *next = json_get_string(answer, "next_marker");

    if (!json_object_is_type(rows, json_type_array) || print_none(cli, command, params, rows))
        return;
    tell_jobs(command, rows);

    struct table table = {
        .columns = json_get(command->method, "x-columns"),
        .sparse = json_get(command->method, "x-sparse"),
        .leaves = json_get(command->method, "x-leaves"),
        .fields = fields,
        .rows = rows,
    };
    text_add(&out, "");
    text_add(&remarks, "");
    table_print(cli, &table, &out, &remarks);
    (void)fputs(out.bytes, stdout);
    (void)fflush(stdout);
    (void)fputs(remarks.bytes, stderr);
    if (next != NULL && !cli->quiet) {
        autofree char *safe = screen_safe(next);
        (void)fprintf(stderr, "there are more: --marker %s\n", safe);
    }
}
