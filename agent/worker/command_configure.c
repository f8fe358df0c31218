/*
 * instance.configure: tried by the engine's own parser beside the configuration in use, then
 * written into it and loaded.
 */
#include "command.h"

#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "operation.h"
#include "place.h"
#include "state.h"
#include "text.h"

/* Merges the parameters into what is set; null takes a setting away. */
static struct json_object *merge_settings(struct json_object *old, struct json_object *change)
{
    struct json_object *merged = json_copy(old);
    struct json_object_iter setting;

    json_object_object_foreachC (change, setting) {
        if (setting.val == NULL)
            json_object_object_del(merged, setting.key);
        else
            json_add(merged, setting.key, json_copy(setting.val));
    }
    return merged;
}

/* A generation nobody uses, only for the engine's parser to look at. */
static int trial_number(struct task *task)
{
    return task->engine->number + 1000000;
}

static bool drop_trial(struct task *task, struct error *err)
{
    return place_drop_generation(task->engine->folder, trial_number(task), err);
}

static bool try_settings(struct task *task, struct error *err)
{
    struct engine *own = task->engine;
    autoptr(json_object) old = place_settings(own);
    autoptr(json_object) merged = merge_settings(old, json_get(task->params, "settings"));
    const struct place_wanted_generation wanted = {
        .version = own->version,
        .number = trial_number(task),
        .data_number = place_data_number(own),
        .settings = merged,
    };

    if (!task_keep_fact(task, "old", json_object_get(old), err) ||
        !task_keep_fact(task, "new", json_object_get(merged), err) ||
        !place_make_generation(task->site, own->folder, own->datastore, &wanted, err))
        return false;
    autoptr(engine) trial =
        place_engine(task->site, task->store, own->folder, trial_number(task), err);
    if (trial == NULL)
        return false;

    task->engine = trial;
    bool good = task->store->configure(task, merged, GATE_OPEN, err) &&
                (task->store->check_settings == NULL || task->store->check_settings(task, err));
    task->engine = own;
    if (!good)
        error_prefix(err, "cannot configure '%s'; nothing was changed", own->instance);
    return good;
}

static bool write_settings(struct task *task, struct json_object *settings, struct error *err)
{
    return place_write_settings(task->engine, settings, err) &&
           task->store->configure(task, settings, GATE_OPEN, err);
}

static bool load(struct task *task, struct json_object *restart_needed, struct error *err)
{
    struct process process;

    return !engine_find(task->engine, &process) || task->store->reload(task, restart_needed, err);
}

/* By their names, as many as fit a line. */
static void tell_waiting(struct task *task, struct json_object *names)
{
    autotext struct text text = { 0 };

    for (size_t i = 0; i < json_object_array_length(names); i++)
        text_printf(&text, "%s%s", i == 0 ? "" : ", ",
                    json_object_get_string(json_object_array_get_idx(names, i)));
    if (text.length > 0)
        task_what(task, "in force after a restart: %s", text.bytes);
}

static bool write_and_load(struct task *task, struct error *err)
{
    struct json_object *restart_needed = json_add_array(task->state->result, "restart_needed");

    if (!write_settings(task, task_fact(task, "new"), err) || !load(task, restart_needed, err))
        return false;
    json_add_string(task->state->result, "instance", task->engine->instance);
    json_add(task->state->result, "settings", json_copy(task_fact(task, "new")));
    tell_waiting(task, restart_needed);
    return true;
}

static bool write_old(struct task *task, struct error *err)
{
    autoptr(json_object) ignored = json_object_new_array();

    return write_settings(task, task_fact(task, "old"), err) && load(task, ignored, err);
}

static const struct step configure_steps[] = {
    { "try", try_settings, drop_trial },
    { "write", write_and_load, write_old },
    { 0 },
};

const struct operation configure_operation = { .steps = configure_steps, .finish = drop_trial };
