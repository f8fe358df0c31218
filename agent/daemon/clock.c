#include "clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "daemon.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "process.h"
#include "site.h"

#define JUMP_S 3600.0
#define KEEP_EVERY_S 60.0

static struct {
    double before_s; /* seen running less CLOCK_BOOTTIME */
    double offset_s; /* CLOCK_REALTIME less CLOCK_BOOTTIME at the start */
    double kept_at_s;
    bool jumped;
} state;

struct keeping {
    char *path;
    struct json_object *sum;
};

static char *sum_path(const struct site *site)
{
    return xasprintf("%s/jobs/clock", site->state_dir);
}

void clock_begin(const struct site *site)
{
    autofree char *path = sum_path(site);
    struct error err = { 0 };
    autoptr(json_object) sum = file_exists(path) ? json_read_file(path, &err) : NULL;
    const char *boot_id = json_get_string(sum, "boot_id");

    if (err.reason != ERROR_NONE)
        log_error("%s: all that ended counts as new", err.message);
    error_clear(&err);
    state.offset_s = process_time_s() - process_clock_s();
    state.before_s = json_get_double(sum, "running_s");
    /* In the same boot the clock has gone on, with us or without. */
    if (boot_id != NULL && strcmp(boot_id, process_boot_id()) == 0)
        state.before_s -= json_get_double(sum, "clock_s");
}

double clock_running_s(void)
{
    return state.before_s + process_clock_s();
}

static double jumped_s(void)
{
    return process_time_s() - process_clock_s() - state.offset_s;
}

bool clock_is_sound(void)
{
    double jump_s = jumped_s();
    bool jumped = fabs(jump_s) >= JUMP_S;

    if (jumped && !state.jumped)
        log_error("the clock jumped by %.0f s: no job is removed by its age until the clock is "
                  "back, or dbguestd is restarted",
                  jump_s);
    if (!jumped && state.jumped)
        log_info("the clock is back: jobs are removed by their age again");
    state.jumped = jumped;
    return !jumped;
}

struct json_object *clock_to_json(void)
{
    struct json_object *object = json_object_new_object();
    bool sound = clock_is_sound();

    json_add_double(object, "running_s", clock_running_s());
    json_add_double(object, "jumped_s", sound ? 0 : jumped_s());
    json_add_string(object, "removal", sound ? "by_age" : "suspended");
    return object;
}

static struct json_object *sum_now(void)
{
    struct json_object *sum = json_object_new_object();

    json_add_string(sum, "boot_id", process_boot_id());
    json_add_double(sum, "clock_s", process_clock_s());
    json_add_double(sum, "running_s", clock_running_s());
    return sum;
}

static void keep_on_pool(void *context)
{
    struct keeping *keeping = context;
    struct error err = { 0 };

    if (!json_write_file(keeping->path, keeping->sum, 0600, &err))
        log_error("%s", err.message);
    error_clear(&err);
    json_object_put(keeping->sum);
    free(keeping->path);
    free(keeping);
}

static struct keeping *keeping_new(const struct site *site)
{
    struct keeping *keeping = xcalloc(1, sizeof(*keeping));

    keeping->path = sum_path(site);
    keeping->sum = sum_now();
    return keeping;
}

void clock_keep(struct daemon *daemon)
{
    double now = process_clock_s();

    if (state.kept_at_s > 0 && now - state.kept_at_s < KEEP_EVERY_S)
        return;
    state.kept_at_s = now;
    work_queue(daemon, keep_on_pool, NULL, keeping_new(&daemon->config->site));
}

void clock_close(const struct site *site)
{
    keep_on_pool(keeping_new(site));
}
