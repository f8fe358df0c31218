#include "read.h"

#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "config.h"
#include "daemon.h"
#include "error.h"
#include "instance.h"
#include "jobs.h"
#include "json.h"
#include "memory.h"
#include "method.h"
#include "overlay.h"
#include "program.h"
#include "request.h"
#include "route.h"
#include "text.h"

#define MERGED_MAX 16

/* A request and the workers that answer it: one, or with METHOD_MERGED one of each program. */
struct read {
    struct request *request;
    struct capture *workers[MERGED_MAX];
    struct worker {
        struct read *read;
        size_t number;
    } contexts[MERGED_MAX];
    size_t count, answered;
    struct json_object *rows; /* of a merged list */
};

static void read_free(struct read *read)
{
    for (size_t i = 0; i < read->count; i++)
        if (read->workers[i] != NULL)
            capture_kill(read->workers[i]);
    json_object_put(read->rows);
    free(read);
}

/* The asker has gone: nobody needs the answer. */
static void read_on_gone(struct request *request)
{
    read_free(request->context);
    request_drop(request);
}

static void read_fail(struct read *read, struct error *err)
{
    struct request *request = read->request;

    read_free(read);
    request_error(request, err, NULL);
}

static void read_answer(struct read *read, struct json_object *result)
{
    struct request *request = read->request;

    read_free(read);
    overlay_result(request, result);
    request_result(request, result);
}

/* The last line that the worker wrote, as JSON. */
static struct json_object *parse_answer(const struct request *request,
                                        const struct captured *captured, struct error *err)
{
    const char *line = text_last_lines(captured->output, 1);
    struct error parsing = { 0 };
    struct json_object *answer = NULL;

    if (captured->timed_out) {
        error_set(err, ERROR_DEADLINE, "%s took too long and was ended", request->method->name);
        return NULL;
    }
    if (*line != '\0')
        answer = json_parse(line, strlen(line), &parsing);
    if (answer == NULL)
        error_set(err, ERROR_INTERNAL, "the worker of %s ended without an answer (status %d)",
                  request->method->name, captured->status);
    error_clear(&parsing);
    return answer;
}

static int compare_rows(const void *one, const void *other)
{
    const char *a = json_get_string(*(struct json_object *const *)one, "instance");
    const char *b = json_get_string(*(struct json_object *const *)other, "instance");

    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

/* All programs have answered: their rows in one list, as long as asked for. */
static struct json_object *merge(struct read *read)
{
    const struct request *request = read->request;
    size_t limit = (size_t)json_get_int(request->params, "limit");
    struct json_object *result = json_object_new_object();
    struct json_object *rows = json_add_array(result, request->method->rows);
    const char *last = NULL;

    overlay_new_rows(request, read->rows);
    json_object_array_sort(read->rows, compare_rows);
    size_t count = json_object_array_length(read->rows);
    for (size_t i = 0; i < count && i < limit; i++) {
        struct json_object *row = json_object_array_get_idx(read->rows, i);
        json_object_array_add(rows, json_object_get(row));
        last = json_get_string(row, "instance");
    }
    json_add_string(result, "next_marker", count > limit ? last : NULL);
    return result;
}

static void keep_rows(struct read *read, struct json_object *result)
{
    struct json_object *rows = json_get(result, read->request->method->rows);
    size_t count = json_object_is_type(rows, json_type_array) ? json_object_array_length(rows) : 0;

    for (size_t i = 0; i < count; i++)
        json_object_array_add(read->rows, json_object_get(json_object_array_get_idx(rows, i)));
}

/*
 * The result as the worker has printed it, or NULL: a list of a thousand rows goes through as it
 * came, without being taken apart and printed once more. A line without its end is one of a worker
 * that died.
 */
static char *plain_result(const struct read *read, const struct captured *captured)
{
    static const char head[] = "{\"result\":";
    static const char tail[] = "}\n";
    size_t around = strlen(head) + strlen(tail);

    if (captured->timed_out || read->rows != NULL || overlay_changes(read->request) ||
        captured->length <= around || !text_starts(captured->output, head) ||
        strchr(captured->output, '\n') != captured->output + captured->length - 1 ||
        !text_ends(captured->output, tail))
        return NULL;
    return xstrndup(captured->output + strlen(head), captured->length - around);
}

static void read_on_answer(void *context, const struct captured *captured)
{
    const struct worker *worker = context;
    struct read *read = worker->read;
    struct error err = { 0 };
    autofree char *plain = plain_result(read, captured);

    if (plain != NULL) {
        struct request *request = read->request;

        read->workers[worker->number] = NULL;
        read_free(read);
        request_result_text(request, plain);
        return;
    }
    autoptr(json_object) answer = parse_answer(read->request, captured, &err);
    struct json_object *result = json_get(answer, "result");

    read->workers[worker->number] = NULL;
    if (answer != NULL && result == NULL)
        error_from_json(&err, json_get(answer, "error"));
    if (err.reason != ERROR_NONE) {
        read_fail(read, &err);
        return;
    }
    if (read->rows == NULL) {
        read_answer(read, json_object_get(result));
        return;
    }
    keep_rows(read, result);
    if (++read->answered == read->count)
        read_answer(read, merge(read));
}

static char *request_line(const struct request *request)
{
    autoptr(json_object) object = json_object_new_object();

    json_add_string(object, "job", "read");
    json_add_string(object, "method", request->method->name);
    json_add(object, "params", json_object_get(request->params));
    json_add(object, "site", site_to_json(&request->daemon->config->site));
    json_add_int(object, "uid", request->uid);
    return xasprintf("%s\n", json_line(object));
}

static double timeout_of(const struct request *request)
{
    double deadline_s = json_get_double(request->params, "deadline_s");
    double most_s = request->method->timeout_s;

    return deadline_s > 0 && deadline_s < most_s ? deadline_s : most_s;
}

static bool start_worker(struct read *read, const char *program, const char *line,
                         struct error *err)
{
    const char *const argv[] = { program, "read", NULL };
    size_t number = read->count;

    read->workers[number] =
        capture_start(read->request->daemon, argv, line, timeout_of(read->request), err);
    if (read->workers[number] == NULL)
        return false;
    read->contexts[number] = (struct worker){ read, number };
    read->count++;
    capture_then(read->workers[number], false, read_on_answer, &read->contexts[number]);
    return true;
}

static struct read *read_new(struct request *request)
{
    struct read *read = xcalloc(1, sizeof(*read));

    read->request = request;
    request->context = read;
    request->gone = read_on_gone;
    return read;
}

static void read_on_route(struct request *request, struct route *route)
{
    struct error err = { 0 };
    autofree char *line = request_line(request);

    if (route->err.reason != ERROR_NONE) {
        request_error(request, &route->err, NULL);
        return;
    }
    if (request->client == NULL) {
        request_drop(request);
        return;
    }
    struct read *read = read_new(request);
    if (!start_worker(read, route->program, line, &err))
        read_fail(read, &err);
}

static bool is_among(const char *const *programs, size_t count, const char *program)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(programs[i], program) == 0)
            return true;
    return false;
}

/* One worker for each program that has instances (of the datastore asked for). */
static void read_on_programs(void *context)
{
    struct request *request = context;
    const char *wanted = json_get_string(request->params, "datastore");
    const char *programs[MERGED_MAX];
    size_t count = 0;
    struct error err = { 0 };

    if (request->client == NULL) {
        request_drop(request);
        return;
    }
    for (struct instance *instance = instances_first(request->daemon);
         instance != NULL && count < MERGED_MAX; instance = instances_next(instance)) {
        const char *datastore = instance_datastore(instance);
        const char *program = programs_path(request->daemon, datastore);

        if (program == NULL || (wanted != NULL && strcmp(wanted, datastore) != 0) ||
            is_among(programs, count, program))
            continue;
        programs[count++] = program;
    }

    struct read *read = read_new(request);
    autofree char *line = request_line(request);
    read->rows = json_object_new_array();
    for (size_t i = 0; i < count; i++) {
        if (!start_worker(read, programs[i], line, &err)) {
            read_fail(read, &err);
            return;
        }
    }
    if (count == 0)
        read_answer(read, merge(read));
}

void read_start(struct request *request)
{
    if ((request->method->flags & METHOD_MERGED) != 0)
        programs_need(request->daemon, read_on_programs, request);
    else if (!overlay_answers(request))
        route_find(request, read_on_route);
}
