#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "memory.h"
#include "process.h"
#include "screen.h"
#include "steps.h"
#include "text.h"
#include "units.h"

#define BAR_WIDTH 20
#define NAME_WIDTH 12 /* "undo prepare" */
#define QUIET_S 1.0   /* a job that ends sooner shows no bar */
#define TELL_EVERY_S 30.0
#define RATE_AFTER_S 0.3
/* Before so much is done, or so long has passed, the time that is left is a guess. */
#define LEFT_AFTER_S 2.0
#define LEFT_AFTER_PART 0.02

void progress_init(struct progress *progress, const struct cli *cli, const char *title, bool keeps)
{
    enum progress_kind kind = cli->progress;

    if (kind == PROGRESS_AUTO && !cli->err_terminal)
        kind = PROGRESS_PLAIN;
    if (cli->quiet && kind != PROGRESS_JSON)
        kind = PROGRESS_NONE;
    *progress = (struct progress){ .cli = cli, .kind = kind, .title = title, .keeps = keeps };
    progress->started = process_clock_s();
    progress->step_started = progress->started;
    progress->told_at = progress->started;
}

void progress_done(struct progress *progress)
{
    progress_clear(progress);
    json_object_put(progress->last);
    progress->last = NULL;
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        (void)fputs("\r\033[K", stderr);
    progress->drawn = false;
}

bool progress_shows_steps(const struct progress *progress)
{
    if (progress->kind == PROGRESS_AUTO)
        return progress->keeps;
    return progress->kind == PROGRESS_PLAIN && progress->steps > 1;
}

/* "j184 instance.upgrade main: postgresql 15.18 -> 15.20, outage 0.2 s expected", or the words that
 * were typed where the job does not say what it is about. */
static void add_title(const struct progress *progress, struct text *out)
{
    struct json_object *about = json_get(progress->last, "about");
    const char *datastore = json_get_string(about, "datastore");
    const char *from = json_get_string(about, "from_version");
    const char *version = json_get_string(about, "version");

    text_printf(out, "%s ", progress->job);
    if (from == NULL || version == NULL) {
        text_add(out, progress->title);
        return;
    }
    /* Method and object; the words after them are said better by what follows. */
    size_t method = strcspn(progress->title, " ");
    const char *object = progress->title + method + strspn(progress->title + method, " ");
    text_printf(out, "%.*s %.*s", (int)method, progress->title, (int)strcspn(object, " "), object);
    text_printf(out, ": %s%s%s -> %s", datastore != NULL ? datastore : "",
                datastore != NULL ? " " : "", from, version);
    if (json_get(about, "expected_outage_s") != NULL) {
        autofree char *outage = units_duration(json_get_double(about, "expected_outage_s"));
        text_printf(out, ", outage %s expected", outage);
    }
}

static void print_title(struct progress *progress)
{
    autotext struct text title = { 0 };

    if (progress->titled || progress->job[0] == '\0' || !progress_shows_steps(progress))
        return;
    add_title(progress, &title);
    autofree char *safe = screen_safe(title.bytes);
    progress_clear(progress);
    (void)fprintf(stderr, "%s\n", safe);
    progress->titled = true;
}

/* --- the line that moves --- */

static void add_bar(struct text *out, double done, double total)
{
    int filled = (int)floor(BAR_WIDTH * done / total);

    text_add(out, "  [");
    for (int i = 0; i < BAR_WIDTH; i++)
        text_add(out, i < filled ? "#" : "-");
    text_add(out, "]");
}

static void add_bytes(const struct progress *progress, bool bar, struct text *out)
{
    double done = json_get_double(progress->last, "done_bytes");
    double total = json_get_double(progress->last, "total_bytes");
    double elapsed = process_clock_s() - progress->step_started;
    double rate = elapsed > RATE_AFTER_S ? (done - progress->step_from_bytes) / elapsed : 0;
    double left = json_get(progress->last, "left_s") != NULL
                      ? json_get_double(progress->last, "left_s")
                      : (rate > 0 ? (total - done) / rate : -1);
    autofree char *bytes = units_of(done, total);
    autofree char *speed = units_rate(rate);
    autofree char *rest = left < 0.95 ? xasprintf("%.1f s", left) : units_age(left + 0.5);

    if (total > 0) {
        double shown = done < total ? done : total;
        if (bar)
            add_bar(out, shown, total);
        text_printf(out, "  %2.0f %%", floor(100 * shown / total));
    }
    text_printf(out, "  %s", bytes);
    if (rate > 0)
        text_printf(out, "  %s", speed);
    if (left >= 0 && (elapsed > LEFT_AFTER_S || done > total * LEFT_AFTER_PART))
        text_printf(out, "  %s left", rest);
}

static void add_line(const struct progress *progress, bool bar, struct text *out)
{
    autofree char *step = screen_safe(progress->step);
    long long count = json_get_int(progress->last, "step_count");

    text_add(out, "  ");
    if (count > 0)
        text_printf(out, "%lld/%lld ", (long long)json_get_int(progress->last, "step_number"),
                    count);
    text_add(out, step);
    if (json_get(progress->last, "done_bytes") != NULL) {
        add_bytes(progress, bar, out);
        return;
    }
    autofree char *elapsed = units_age(process_clock_s() - progress->step_started);
    text_printf(out, "  %s", elapsed);
}

static void draw(struct progress *progress)
{
    autotext struct text line = { 0 };
    autotext struct text narrow = { 0 };
    size_t room = screen_columns(STDERR_FILENO) - 1;

    /* What the job is about may be known only after the first step: the title waits for that. */
    if (progress_shows_steps(progress) && !progress->titled && progress->job[0] != '\0') {
        autofree char *safe = screen_safe(progress->title);
        text_printf(&line, "%s %s:", progress->job, safe);
    }
    add_line(progress, true, &line);
    add_line(progress, false, &narrow);
    bool fits = screen_width(line.bytes) <= room;
    autofree char *cut = screen_cut(fits ? line.bytes : narrow.bytes, room);
    (void)fprintf(stderr, "\r%s\033[K", cut);
    (void)fflush(stderr);
    progress->drawn = true;
}

static void tell(struct progress *progress)
{
    autotext struct text line = { 0 };

    add_line(progress, false, &line);
    print_title(progress);
    (void)fprintf(stderr, "%s\n", line.bytes);
    progress->told_at = process_clock_s();
}

void progress_tick(struct progress *progress)
{
    double now = process_clock_s();
    const char *state = json_get_string(progress->last, "state");

    if (progress->last == NULL || progress->step[0] == '\0' ||
        (state != NULL && strcmp(state, "queued") == 0))
        return;
    if (progress->kind == PROGRESS_AUTO &&
        (progress_shows_steps(progress) || now - progress->started > QUIET_S))
        draw(progress);
    if (progress->kind == PROGRESS_PLAIN && now - progress->told_at >= TELL_EVERY_S)
        tell(progress);
}

/* --- what comes in --- */

const char *progress_waits_for(const struct progress *progress)
{
    struct json_object *others = json_get(progress->last, "waiting_for");
    const char *state = json_get_string(progress->last, "state");

    if (state == NULL || strcmp(state, "queued") != 0 || progress->kind == PROGRESS_NONE ||
        progress->kind == PROGRESS_JSON || !json_object_is_type(others, json_type_array) ||
        json_object_array_length(others) == 0)
        return NULL;
    return json_object_get_string(json_object_array_get_idx(others, 0));
}

/* " (backup.create shop, 5 s left)" */
static void add_other(struct json_object *other, struct text *out)
{
    const char *method = json_get_string(other, "method");
    const char *object = json_get_string(other, "object");
    const char *note = json_get_string(other, "note");

    if (method == NULL)
        return;
    text_printf(out, " (%s%s%s", method, object != NULL ? " " : "", object != NULL ? object : "");
    if (note != NULL && json_get_string(other, "outcome") == NULL)
        text_printf(out, ", %s", note);
    text_add(out, ")");
}

void progress_say_queued(struct progress *progress, struct json_object *other)
{
    struct json_object *others = json_get(progress->last, "waiting_for");
    autotext struct text line = { 0 };

    if (progress_waits_for(progress) == NULL)
        return;
    text_printf(&line, "%s waits for ", progress->job);
    for (size_t i = 0; i < json_object_array_length(others); i++) {
        text_printf(&line, "%s%s", i > 0 ? ", " : "",
                    json_object_get_string(json_object_array_get_idx(others, i)));
        if (i == 0)
            add_other(other, &line);
    }
    if (json_get(progress->last, "position") != NULL)
        text_printf(&line, ", place %lld", (long long)json_get_int(progress->last, "position"));
    if (progress->kind == PROGRESS_AUTO)
        text_add(&line, "; Ctrl-C leaves it waiting");
    autofree char *safe = screen_safe(line.bytes);
    progress_clear(progress);
    (void)fprintf(stderr, "%s\n", safe);
}

bool progress_note(struct progress *progress, struct json_object *params)
{
    const char *job = json_get_string(params, "job");
    const char *step = json_get_string(params, "step");
    bool changed = false;

    json_object_put(progress->last);
    progress->last = json_object_get(params);
    if (job != NULL)
        (void)snprintf(progress->job, sizeof(progress->job), "%s", job);
    if (json_get_int(params, "step_count") > 0)
        progress->steps = (size_t)json_get_int(params, "step_count");
    if (progress->kind == PROGRESS_JSON) {
        (void)fprintf(stderr, "%s\n", json_line(params));
        return false;
    }
    if (step != NULL && strcmp(step, progress->step) != 0) {
        changed = progress->step[0] != '\0';
        (void)snprintf(progress->step, sizeof(progress->step), "%s", step);
        progress->step_started = process_clock_s();
        progress->step_from_bytes = json_get_double(params, "done_bytes");
    }
    return changed && progress_shows_steps(progress);
}

void progress_steps(struct progress *progress, struct json_object *steps)
{
    if (!progress_shows_steps(progress) || !json_object_is_type(steps, json_type_array))
        return;
    for (size_t i = progress->steps_shown; i < json_object_array_length(steps); i++) {
        struct json_object *step = json_object_array_get_idx(steps, i);
        autofree char *name = steps_name(step);
        autofree char *took = steps_took(step);
        /* Why is said by the error, at the end. */
        autofree char *what = json_get_bool(step, "failed") ? xstrdup("failed") : steps_what(step);
        bool ended = json_get(step, "took_s") != NULL || json_get_string(step, "what") != NULL;

        if (!ended)
            break;
        print_title(progress);
        progress_clear(progress);
        (void)fprintf(stderr, "  %-*s %7s%s%s\n", NAME_WIDTH, name, took,
                      what[0] != '\0' ? "  " : "", what);
        progress->steps_shown = i + 1;
        progress->told_at = process_clock_s();
    }
}
