#include "report.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "screen.h"
#include "text.h"
#include "units.h"

/* Lines of text, each behind the label; those after the first behind as many spaces. */
static void add_lines(struct text *out, const char *label, const char *text)
{
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, "\n");
        autofree char *line = xstrndup(text, length);
        autofree char *safe = screen_safe(line);
        text_printf(out, "%8s %s\n", label, safe);
        label = "";
        text += length + (text[length] == '\n');
    }
}

static void add_cause(struct text *out, struct json_object *data)
{
    struct json_object *cause = json_get(data, "cause");
    const char *step = json_get_string(cause, "step");
    const char *message = json_get_string(cause, "message");
    const char *reason = json_get_string(cause, "reason");

    if (json_object_is_type(cause, json_type_string))
        message = json_object_get_string(cause);
    if (message == NULL)
        return;

    autotext struct text line = { 0 };
    if (step != NULL)
        text_printf(&line, "%s: ", step);
    text_add(&line, message);
    if (reason != NULL)
        text_printf(&line, " [%s]", reason);
    if (json_get(data, "outage_s") != NULL) {
        autofree char *outage = units_duration(json_get_double(data, "outage_s"));
        text_printf(&line, "; outage %s, nothing acknowledged is lost", outage);
    }
    add_lines(out, "cause:", line.bytes);
}

/* Of many in one call, those that failed. */
static void add_results(struct text *out, struct json_object *data)
{
    struct json_object *results = json_get(data, "results");

    if (!json_object_is_type(results, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(results); i++) {
        struct json_object *result = json_object_array_get_idx(results, i);
        struct json_object *error = json_get(result, "error");
        const char *name = json_get_string(result, "name");
        const char *message = json_get_string(error, "message");
        const char *reason = json_get_string(error, "reason");
        if (error == NULL)
            continue;
        autofree char *line =
            xasprintf("%s: %s [%s]", name != NULL ? name : "?",
                      message != NULL ? message : "failed", reason != NULL ? reason : "internal");
        add_lines(out, "", line);
    }
}

static void add_error(struct text *out, const struct cli *cli, const struct error *err)
{
    autofree char *message = screen_safe(err->message);
    const char *native = err->native;
    struct json_object *cause = json_get(err->data, "cause");

    if (native[0] == '\0' && json_get_string(cause, "native") != NULL)
        native = json_get_string(cause, "native");
    screen_paint(out, cli->color_err, PAINT_RED, "error:");
    text_printf(out, " %s [%s]\n", message, error_word(err->reason));
    add_cause(out, err->data);
    add_lines(out, "engine:", native);
    add_results(out, err->data);
    add_lines(out, "hint:", err->hint);
}

static void print(const struct text *text)
{
    (void)fflush(stdout);
    (void)fputs(text->bytes, stderr);
}

static void print_json(struct json_object *error)
{
    autoptr(json_object) object = json_object_new_object();

    json_add(object, "error", json_object_get(error));
    (void)fprintf(stderr, "%s\n", json_line(object));
}

int report_error(const struct cli *cli, const struct error *err)
{
    autotext struct text text = { 0 };

    if (cli->json) {
        autoptr(json_object) object = json_object_new_object();
        struct json_object *data = error_to_json(err);
        json_object_object_del(data, "message");
        json_add_int(object, "code", err->reason);
        json_add_string(object, "message", err->message);
        json_add(object, "data", data);
        print_json(object);
        return (int)err->reason;
    }
    add_error(&text, cli, err);
    print(&text);
    return (int)err->reason;
}

int report_answer(const struct cli *cli, struct json_object *error)
{
    struct error err = { 0 };

    client_read_error(error, &err);
    int code = (int)err.reason;
    if (cli->json)
        print_json(error);
    else
        report_error(cli, &err);
    error_clear(&err);
    return code;
}

int report_no_daemon(const struct cli *cli, const struct error *err)
{
    autotext struct text text = { 0 };
    autofree char *message = screen_safe(err->message);

    if (cli->json) {
        report_error(cli, err);
        return EXIT_NO_DAEMON;
    }
    screen_paint(&text, cli->color_err, PAINT_RED, "error:");
    text_printf(&text, " %s\n", message);
    add_lines(&text, "hint:",
              "systemctl start dbguestd (the instances go on without it); log: journalctl -eu "
              "dbguestd");
    add_lines(&text, "", err->hint);
    print(&text);
    return EXIT_NO_DAEMON;
}
