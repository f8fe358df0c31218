/*
 * instance.delete: one rename takes the instance out of sight; removing what it held is repeated
 * until it is done.
 */
#include "command.h"

#include "catalogue.h"
#include "cleanup.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "operation.h"
#include "place.h"
#include "site.h"
#include "state.h"
#include "unfinished.h"

static const char *name_of(struct task *task)
{
    return json_get_string(task->params, "instance");
}

static bool close_instance(struct task *task, struct error *err)
{
    autofree char *folder = place_folder(task->site, name_of(task));
    struct json_object *facts = json_object_new_object();

    json_add_bool(facts, "wanted", place_wanted(folder));
    json_add_bool(facts, "was_closed", place_is_closed(folder));
    /* Nothing may start it again, not even a boot. */
    return task_keep_facts(task, facts, err) && place_close(folder, err) &&
           (task->engine == NULL || engine_enable(task->engine, false, err));
}

static bool open_again(struct task *task, struct error *err)
{
    autofree char *folder = place_folder(task->site, name_of(task));

    /* Without facts it has not been closed here; what was closed before waits for its recovery. */
    if (task->engine == NULL || task_fact(task, "was_closed") == NULL ||
        json_get_bool(task->state->facts, "was_closed"))
        return true;
    if (json_get_bool(task->state->facts, "wanted") &&
        (!engine_enable(task->engine, true, err) || !command_start_engine(task, err)))
        return false;
    return place_reopen(folder, err);
}

static bool stop_engine(struct task *task, struct error *err)
{
    return task->engine == NULL || command_stop_engine(task, STOP_IMMEDIATE, err);
}

static bool remove_all(struct task *task, struct error *err)
{
    autofree char *folder = place_folder(task->site, name_of(task));
    autofree char *hidden = xasprintf("%s/instances/.deleted-%s", task->site->state_dir, task->job);
    autofree char *sockets = xasprintf("%s/%s", task->site->run_dir, name_of(task));

    unfinished_end(task); /* or a recovery would meet the next instance of that name */
    if (file_exists(folder) && !file_move(folder, hidden, err))
        return false;
    json_add_string(task->state->result, "instance", name_of(task));
    if (json_get(task->state->result, "freed_bytes") == NULL)
        json_add_int(task->state->result, "freed_bytes", (int64_t)file_tree_bytes(hidden));
    json_add_int(task->state->result, "backups",
                 (int64_t)catalogue_count(task->site, name_of(task)));
    return file_remove_tree(hidden, err) && file_remove_tree(sockets, err);
}

static const struct step delete_steps[] = {
    { "close", close_instance, open_again },
    { "stop", stop_engine, NULL },
    { 0 },
};

const struct operation delete_operation = { .steps = delete_steps, .finish = remove_all };
