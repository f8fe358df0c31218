#include "systemd.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "layout.h"
#include "memory.h"
#include "process.h"
#include "site.h"

#define SYSTEMCTL_TIMEOUT_S 30
#define START_TIMEOUT_S 30.0
#define NATIVE_LINES 20
#define BETWEEN_LOOKS_NS 10000000L

/* What dbguest-launch ends with; launch.c. */
#define EXIT_BUSY 75
#define EXIT_CLOSED 77

static char *unit_of(const struct engine *engine)
{
    return xasprintf("%s@%s.service", engine->site->name, engine->instance);
}

static bool systemctl(const char *verb, const char *option, const char *unit, struct error *err)
{
    const char *const argv[] = { "systemctl", verb, unit, option, NULL };
    const struct process_options options = { .timeout_s = SYSTEMCTL_TIMEOUT_S };
    autoresult struct process_result result = { 0 };

    return process_check(argv, &options, &result, err);
}

/* A property of the unit; the caller frees it, NULL when systemd does not answer. */
static char *ask(const char *unit, const char *property)
{
    const char *const argv[] = { "systemctl", "show", "--value", "-p", property, unit, NULL };
    const struct process_options options = { .timeout_s = SYSTEMCTL_TIMEOUT_S };
    autoresult struct process_result result = { 0 };
    struct error err = { 0 };

    if (!process_check(argv, &options, &result, &err) || result.output.bytes == NULL) {
        error_clear(&err);
        return NULL;
    }
    return xstrndup(result.output.bytes, strcspn(result.output.bytes, "\n"));
}

/* The permit names who gave it, and counts as long as that process lives (C17). */
static bool give_permit(const struct engine *engine, struct error *err)
{
    struct process self;
    autofree char *path = layout_permit_path(engine);
    autofree char *folder = xasprintf("%s/permits", engine->site->run_dir);

    if (!file_make_folder(folder, 0700, err))
        return false;
    if (!file_is_tmpfs(folder))
        return error_set(err, ERROR_UNSUPPORTED, "'%s' is not on a tmpfs", folder);
    if (!process_find(getpid(), &self))
        return error_set(err, ERROR_INTERNAL, "process %d does not find itself", getpid());
    autoptr(json_object) permit = process_to_json(&self);
    return json_write_file(path, permit, 0600, err);
}

/* Whether the unit is neither up nor on its way: also while it waits to be tried again. */
static bool has_ended(const char *unit)
{
    autofree char *job = ask(unit, "Job");
    autofree char *state = ask(unit, "SubState");

    if (state == NULL || (job != NULL && job[0] != '\0' && strcmp(job, "0") != 0))
        return false;
    return strcmp(state, "dead") == 0 || strcmp(state, "failed") == 0 ||
           strcmp(state, "auto-restart") == 0;
}

static bool explain_end(const struct engine *engine, const char *unit, struct error *err)
{
    autofree char *status = ask(unit, "ExecMainStatus");
    autofree char *tail = engine_log_tail(engine, NATIVE_LINES);
    long code = status != NULL ? strtol(status, NULL, 10) : 0;

    if (code == EXIT_BUSY)
        return error_set(err, ERROR_BUSY, "something runs on the data in '%s'", engine->data);
    if (code == EXIT_CLOSED)
        return error_set(err, ERROR_NEEDS_ATTENTION, "'%s' is closed and must not start by itself",
                         engine->instance);
    error_set(err, ERROR_ENGINE, "unit '%s' has ended at once with status %ld", unit, code);
    error_hint(err, "journalctl -u %s", unit);
    return error_native(err, tail);
}

/* systemctl succeeds when a condition failed and nothing runs: the process itself is looked for. */
static bool await_process(const struct engine *engine, const char *unit, struct process *out,
                          struct error *err)
{
    const struct timespec between = { .tv_nsec = BETWEEN_LOOKS_NS };
    double until_s = process_clock_s() + START_TIMEOUT_S;

    for (int i = 1; process_clock_s() < until_s; i++) {
        struct process found;
        if (engine_find(engine, &found) && engine_executes_tree(engine, &found)) {
            *out = found;
            return true;
        }
        if (i % 10 == 0 && has_ended(unit))
            return explain_end(engine, unit, err);
        nanosleep(&between, NULL);
    }
    return error_set(err, ERROR_ENGINE, "unit '%s' has brought up no process from '%s'", unit,
                     engine->tree);
}

bool systemd_start(const struct engine *engine, bool permit, struct process *out, struct error *err)
{
    struct process found;
    struct error tidying = { 0 };
    autofree char *unit = unit_of(engine);
    autofree char *path = layout_permit_path(engine);

    if (engine_find(engine, &found))
        return error_set(err, ERROR_BUSY, "the engine of '%s' runs already as process %d",
                         engine->instance, found.pid);
    if (!permit && layout_closed(engine))
        return error_set(err, ERROR_NEEDS_ATTENTION, "'%s' is closed and must not start by itself",
                         engine->instance);
    if (permit && !give_permit(engine, err))
        return false;

    bool started =
        systemctl("start", "--no-block", unit, err) && await_process(engine, unit, out, err);
    if (permit && !file_remove(path, &tidying)) {
        /* What may be started by anybody is not closed any more. */
        error_move(err, &tidying);
        started = false;
    }
    /* It would try again each second, when nobody expects it any more. */
    if (!started && !systemd_stop(engine, &tidying))
        error_clear(&tidying);
    return started;
}

bool systemd_stop(const struct engine *engine, struct error *err)
{
    autofree char *unit = unit_of(engine);

    return systemctl("stop", "--no-block", unit, err);
}

bool systemd_enable(const struct engine *engine, bool enable, struct error *err)
{
    autofree char *unit = unit_of(engine);

    return systemctl(enable ? "enable" : "disable", "--quiet", unit, err);
}
