#include "show.h"

#include <string.h>

#include "cell.h"
#include "cli.h"
#include "json.h"
#include "memory.h"
#include "screen.h"
#include "steps.h"
#include "text.h"
#include "units.h"

#define STEPS_MAX 128

/* "ok, outage 0.19 s (0.2 s expected), 2.3 s in all" */
static void add_outcome(struct json_object *job, struct text *out)
{
    struct json_object *result = json_get(job, "result");
    struct json_object *data = json_get(json_get(job, "error"), "data");

    /* What was undone was away, too. */
    if (!show_has(result, "outage_s"))
        result = show_has(data, "outage_s") ? data : json_get(job, "error");
    autofree char *outage = show_member(result, "outage_s");
    autofree char *expected = show_member(result, "expected_outage_s");
    autofree char *took = show_member(job, "took_s");

    if (show_has(result, "outage_s"))
        text_printf(out, ", outage %s", outage);
    if (show_has(result, "expected_outage_s"))
        text_printf(out, " (%s expected)", expected);
    if (show_has(job, "took_s"))
        text_printf(out, ", %s in all", took);
}

static void add_waiting(struct json_object *job, struct text *out)
{
    autofree char *others = show_member(job, "waiting_for");

    if (show_has(job, "position"))
        text_printf(out, ", place %lld", (long long)json_get_int(job, "position"));
    if (show_has(job, "waiting_for"))
        text_printf(out, ", waits for %s", others);
}

static void add_asked(struct json_object *job, struct text *out)
{
    const char *at = json_get_string(job, "asked_at");
    autofree char *stamp = at != NULL ? units_stamp(at, true) : NULL;
    autofree char *by = show_member(job, "asked_by");
    autofree char *key = show_member(job, "idempotency_key");
    autotext struct text line = { 0 };

    if (stamp == NULL)
        return;
    text_add(&line, stamp);
    if (show_has(job, "asked_by"))
        text_printf(&line, " by %s", by);
    if (show_has(job, "idempotency_key"))
        text_printf(&line, ", key %s", key);
    show_line(out, "asked", line.bytes);
}

static void add_recovered(struct json_object *job, struct text *out)
{
    const char *at = json_get_string(job, "recovered_at");
    autofree char *stamp = at != NULL ? units_stamp(at, true) : NULL;
    autofree char *line =
        stamp != NULL ? xasprintf("%s: the daemon was restarted, the job went on", stamp) : NULL;

    if (line != NULL)
        show_line(out, "recovered", line);
}

struct step_cells {
    char *name, *started, *took, *what;
};

static void cells_done(struct step_cells *cells)
{
    free(cells->name);
    free(cells->started);
    free(cells->took);
    free(cells->what);
}

static void add_steps(struct json_object *steps, struct text *out)
{
    struct step_cells rows[STEPS_MAX + 1] = { { xstrdup("STEP"), xstrdup("STARTED"),
                                                xstrdup("TOOK"), xstrdup("WHAT") } };
    size_t widths[3] = { 0 };
    size_t count = 1;

    for (size_t i = 0; i < json_object_array_length(steps) && count <= STEPS_MAX; i++, count++) {
        struct json_object *step = json_object_array_get_idx(steps, i);
        const char *started = json_get_string(step, "started");
        rows[count].name = steps_name(step);
        rows[count].started = units_clock(started != NULL ? started : "-");
        rows[count].took = steps_took(step);
        rows[count].what = steps_what(step);
    }
    for (size_t i = 0; i < count; i++) {
        const char *const cells[] = { rows[i].name, rows[i].started, rows[i].took };
        for (size_t column = 0; column < ARRAY_SIZE(cells); column++) {
            size_t width = screen_width(cells[column]);
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
    for (size_t i = 0; i < count; i++) {
        text_add(out, "  ");
        screen_pad(out, rows[i].name, widths[0], false);
        text_add(out, "  ");
        screen_pad(out, rows[i].started, widths[1], false);
        text_add(out, "  ");
        screen_pad(out, rows[i].took, widths[2], true);
        text_printf(out, "%s%s\n", rows[i].what[0] != '\0' ? "  " : "", rows[i].what);
        cells_done(&rows[i]);
    }
}

static void add_error(struct json_object *error, struct text *out)
{
    /* A job keeps its error as the protocol's, with what is more in data, or as ours. */
    struct json_object *data = json_get(error, "data");
    autofree char *message = show_member(error, "message");
    autofree char *reason = show_member(data != NULL ? data : error, "reason");
    autofree char *line = xasprintf("%s [%s]", message, reason);

    if (error != NULL)
        show_line(out, "error", line);
}

void show_job(const struct cli *cli, struct json_object *params, struct json_object *result,
              struct text *out)
{
    const char *state = json_get_string(result, "outcome");
    autofree char *name = show_member(result, "job");
    autofree char *method = show_member(result, "method");
    autofree char *object = show_member(result, "object");
    autofree char *note = show_member(result, "note");

    (void)params;
    if (state == NULL)
        state = json_get_string(result, "state");
    autofree char *safe = screen_safe(state != NULL ? state : "-");
    screen_paint(out, cli->color_out, PAINT_BOLD, name);
    text_printf(out, " %s", method);
    if (show_has(result, "object"))
        text_printf(out, " %s", object);
    text_add(out, ": ");
    screen_paint(out, cli->color_out, screen_paint_of(safe), safe);
    add_outcome(result, out);
    add_waiting(result, out);
    text_add(out, "\n");
    if (show_has(result, "note") && !show_has(result, "error"))
        show_line(out, "note", note);
    add_asked(result, out);
    add_recovered(result, out);
    add_error(json_get(result, "error"), out);
    if (show_has(result, "steps"))
        add_steps(json_get(result, "steps"), out);
}
