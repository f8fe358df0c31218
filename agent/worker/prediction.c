#include "prediction.h"

#include <string.h>

#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "place.h"
#include "process.h"
#include "site.h"
#include "state.h"

#define START_GUESS_S 0.5 /* of an engine that never was started here */
#define STOP_GUESS_S 0.1
#define FENCE_GUESS_S 0.03
#define COPY_GUESS_BYTES_S 4e8
/* One upgrade beside a busy neighbour must not spoil the next prediction. */
#define FACTOR_LEAST 0.2
#define FACTOR_MOST 5.0

static char *figures_path(struct task *task)
{
    return xasprintf("%s/figures.json", task->site->state_dir);
}

static struct json_object *read_figures(struct task *task)
{
    autofree char *path = figures_path(task);
    struct error ignored = { 0 };
    struct json_object *figures = json_read_file(path, &ignored);

    error_clear(&ignored);
    return figures == NULL ? json_object_new_object() : figures;
}

/* How much longer than the datastore thinks it takes here. */
static double factor_of(struct json_object *figures, const char *datastore)
{
    double factor = json_get_double(json_get(figures, "migration_factor"), datastore);

    return factor > 0 ? factor : 1;
}

static double migration_guess_s(struct task *task, enum safepoint safepoint, double objects)
{
    const struct migration_cost *cost = &task->store->migration_cost;
    double bytes = safepoint == SAFEPOINT_COPY ? (double)file_tree_bytes(task->engine->files) : 0;

    return cost->fixed_s + cost->object_s * objects + bytes / COPY_GUESS_BYTES_S;
}

static double member_count(struct json_object *facts, const char *name)
{
    struct json_object *member = json_get(facts, name);

    return member == NULL ? 0 : json_object_object_length(member);
}

double prediction_outage_s(struct task *task, bool migrates, enum safepoint safepoint)
{
    struct error ignored = { 0 };
    autoptr(json_object) known = place_read(task->site, task->engine->instance, &ignored);
    autoptr(json_object) figures = read_figures(task);
    autoptr(json_object) facts = json_object_new_object();
    double start_s = json_get_double(known, "start_s");
    double stop_s = json_get_double(known, "stop_s");
    struct process process;
    double began = process_clock_s();

    error_clear(&ignored);
    if (engine_find(task->engine, &process) && !task->store->facts(task, facts, &ignored))
        error_clear(&ignored);
    /* What the proof reads twice while clients wait, read once while they do not. */
    double proof_s = 2 * (process_clock_s() - began);
    double migration_s = migrates
                             ? migration_guess_s(task, safepoint, member_count(facts, "objects")) *
                                   factor_of(figures, task->store->name)
                             : 0;

    return (start_s > 0 ? start_s : START_GUESS_S) + (stop_s > 0 ? stop_s : STOP_GUESS_S) +
           proof_s + FENCE_GUESS_S + migration_s;
}

/* What the steps that only a migration has took together. */
static double migration_took_s(struct task *task)
{
    static const char *const names[] = { "safepoint", "migrate", "adapt" };
    double took_s = 0;

    for (size_t i = 0; i < json_object_array_length(task->state->steps); i++) {
        struct json_object *row = json_object_array_get_idx(task->state->steps, i);
        const char *step = json_get_string(row, "step");

        for (size_t k = 0; step != NULL && k < ARRAY_SIZE(names); k++)
            if (strcmp(step, names[k]) == 0 && !json_get_bool(row, "undone"))
                took_s += json_get_double(row, "took_s");
    }
    return took_s;
}

void prediction_learn(struct task *task, enum safepoint safepoint, double objects)
{
    autofree char *path = figures_path(task);
    autoptr(json_object) figures = read_figures(task);
    double guess_s = migration_guess_s(task, safepoint, objects);
    double took_s = migration_took_s(task);
    struct error ignored = { 0 };

    if (guess_s <= 0 || took_s <= 0)
        return;
    double factor = took_s / guess_s;
    factor = factor < FACTOR_LEAST ? FACTOR_LEAST : factor > FACTOR_MOST ? FACTOR_MOST : factor;
    struct json_object *factors = json_get(figures, "migration_factor");
    if (factors == NULL)
        factors = json_add_object(figures, "migration_factor");
    json_add_double(factors, task->store->name, factor);
    if (!json_write_file(path, figures, 0600, &ignored))
        error_clear(&ignored);
}
