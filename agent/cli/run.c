#include "run.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "cli.h"
#include "document.h"
#include "error.h"
#include "json.h"
#include "list.h"
#include "memory.h"
#include "report.h"
#include "screen.h"
#include "show.h"
#include "success.h"
#include "text.h"

static void print_json(const struct cli *cli, struct json_object *result)
{
    int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

    flags |= cli->out_terminal ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
                               : JSON_C_TO_STRING_PLAIN;
    (void)printf("%s\n", json_object_to_json_string_ext(result, flags));
}

/* "instance.upgrade main 15.20+deb12u1": the method and the arguments that stand without names. */
static char *title_of(const struct command *command, struct json_object *params)
{
    struct text title = { 0 };

    text_add(&title, command->name);
    for (size_t i = 0; i < command->count; i++) {
        const char *value = json_get_string(params, command->options[i].name);
        if (command->options[i].argument && value != NULL)
            text_printf(&title, " %s", value);
    }
    return title.bytes;
}

/* The exit code of what did not come to a result. */
static int failed(const struct cli *cli, enum call_end end, struct json_object *answer,
                  const struct error *err)
{
    if (end == CALL_ERROR)
        return report_answer(cli, answer);
    return end == CALL_INTERRUPTED ? (int)EXIT_INTERRUPTED : report_no_daemon(cli, err);
}

/* --- changes --- */

/* What was made here and is told only now. */
static void print_made_secrets(const struct command *command, struct json_object *result)
{
    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        const char *made = option->secret ? json_get_string(result, option->name) : NULL;
        if (made == NULL)
            continue;
        autofree char *safe = screen_safe(made);
        (void)printf("%s, shown only now: %s\n", option->name, safe);
    }
}

static void print_results(const struct command *command, struct json_object *params,
                          struct json_object *results)
{
    autofree char *instance = show_member(params, "instance");
    size_t count = json_object_array_length(results);

    (void)printf("%s %s of %s: %zu done\n", command->noun, command->verb, instance, count);
}

static void print_change(const struct cli *cli, const struct command *command,
                         const struct call *call)
{
    const char *form = json_get_string(command->method, "x-success");
    struct json_object *results = json_get(call->answer, "results");
    autotext struct text line = { 0 };

    print_made_secrets(command, call->answer);
    if (cli->quiet)
        return;
    if (json_get_bool(call->params, "detach")) {
        autofree char *job = show_member(call->answer, "job");
        autofree char *state = show_member(call->answer, "state");
        (void)printf("%s is %s; next: dbguestctl job wait %s\n", job, state, job);
        return;
    }
    if (command->many != NULL && json_get(call->params, command->many) != NULL &&
        json_object_is_type(results, json_type_array)) {
        print_results(command, call->params, results);
        return;
    }
    if (form == NULL)
        form = "done";
    success_sentence(form, call->params, call->answer, call->took_s, &line);
    (void)printf("%s\n", line.bytes);
}

/* --- what a result says about success --- */

/* A check that found blockers is a failure. */
static int judge_check(const struct cli *cli, struct json_object *params,
                       struct json_object *result)
{
    struct json_object *findings = json_get(result, "findings");
    struct error err = { 0 };
    size_t blockers = 0;

    if (json_get(result, "ok") == NULL || json_get_bool(result, "ok"))
        return 0;
    for (size_t i = 0; findings != NULL && i < json_object_array_length(findings); i++) {
        const char *severity = json_get_string(json_object_array_get_idx(findings, i), "severity");
        blockers += severity != NULL && strcmp(severity, "blocker") == 0;
    }
    if (!cli->json) {
        const char *version = json_get_string(result, "version");
        const char *instance = json_get_string(params, "instance");
        error_set(&err, ERROR_BLOCKED, "%zu blocker%s '%s' from %s", blockers,
                  blockers == 1 ? " keeps" : "s keep", instance != NULL ? instance : "it",
                  version != NULL ? version : "it");
        report_error(cli, &err);
        error_clear(&err);
    }
    return ERROR_BLOCKED;
}

/* Who waited for a job fares as it did. */
static int judge_job(const struct cli *cli, struct json_object *job)
{
    const char *outcome = json_get_string(job, "outcome");
    struct json_object *error = json_get(job, "error");

    if (outcome == NULL || strcmp(outcome, "ok") == 0)
        return 0;

    enum error_reason reason = error_from_word(outcome);
    if (!cli->json && json_get(error, "data") != NULL) {
        report_answer(cli, error);
    } else if (!cli->json && error != NULL) {
        struct error err = { 0 };
        error_from_json(&err, error);
        report_error(cli, &err);
        error_clear(&err);
    }
    return reason != ERROR_NONE ? (int)reason : (int)ERROR_INTERNAL;
}

static int judge(const struct cli *cli, const struct command *command, struct json_object *params,
                 struct json_object *result)
{
    if (strcmp(command->name, "instance.check_upgrade") == 0)
        return judge_check(cli, params, result);
    if (strcmp(command->name, "job.wait") == 0)
        return judge_job(cli, result);
    return 0;
}

/* --- the whole --- */

static int print_result(const struct cli *cli, const struct command *command,
                        const struct call *call)
{
    autotext struct text out = { 0 };

    if (cli->json) {
        print_json(cli, call->answer);
    } else if (command->job) {
        print_change(cli, command, call);
        return 0;
    } else {
        text_add(&out, "");
        show_result(cli, command, call->params, call->answer, &out);
        (void)fputs(out.bytes, stdout);
    }
    return judge(cli, command, call->params, call->answer);
}

int run_command(const struct cli *cli, const struct command *command, struct json_object *params)
{
    autofree char *title = title_of(command, params);
    struct call call = {
        .cli = cli,
        .method = command->name,
        .title = title,
        .job = command->job,
        .steps = command->steps,
        .params = params,
    };
    struct error err = { 0 };

    enum call_end end =
        command->rows != NULL ? list_fetch(&call, command, &err) : call_run(&call, &err);
    autoptr(json_object) answer = call.answer;
    int code = 0;
    if (end != CALL_RESULT)
        code = failed(cli, end, answer, &err);
    else if (command->rows != NULL && !cli->json)
        list_print(cli, command, params, answer);
    else
        code = print_result(cli, command, &call);
    error_clear(&err);
    return code;
}

int run_call(const struct cli *cli, const char *method, struct json_object *params)
{
    autoptr(command) command = document_find_method(cli->document, method);
    struct call call = {
        .cli = cli,
        .method = method,
        .title = method,
        .job = command != NULL && command->job,
        .steps = command != NULL && command->steps,
        .params = params,
    };
    struct error err = { 0 };
    int code = 0;

    enum call_end end = call_run(&call, &err);
    autoptr(json_object) answer = call.answer;
    if (end == CALL_RESULT)
        print_json(cli, answer);
    else
        code = failed(cli, end, answer, &err);
    error_clear(&err);
    return code;
}
