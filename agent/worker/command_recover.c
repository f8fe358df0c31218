/*
 * instance.recover: once more what an earlier job could not bring to its end.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

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
#include "unfinished.h"

static bool recover_job(struct task *task, const char *folder, struct error *err)
{
    if (!worker_recover_folder(folder, err))
        return false;
    json_add_string(task->state->result, "recovered_job", strrchr(folder, '/') + 1);
    error_clear(err);
    return true;
}

/* No job stands in the way any more: closed has lost its reason. */
static bool reopen(struct task *task, struct error *err)
{
    if (task->engine == NULL || !place_is_closed(task->engine->folder))
        return true;
    if (place_wanted(task->engine->folder))
        return command_start_engine(task, err) && task->store->gate(task, GATE_OPEN, NULL, err) &&
               place_reopen(task->engine->folder, err);
    return task->store->gate(task, GATE_OPEN, NULL, err) && place_reopen(task->engine->folder, err);
}

static bool recover(struct task *task, struct error *err)
{
    const char *instance = json_get_string(task->params, "instance");
    struct json_object *result = task->state->result;
    autofree char *folder = place_folder(task->site, instance);

    autofree char *last = NULL;

    for (;;) {
        autofree char *job = unfinished_find(task, err);

        if (job == NULL)
            break;
        if (last != NULL && strcmp(job, last) == 0)
            return error_set(err, ERROR_NEEDS_ATTENTION, "the end of %s cannot be written down",
                             strrchr(job, '/') + 1);
        if (!recover_job(task, job, err))
            return false;
        free(last);
        last = steal(job);
    }
    if (err->reason != ERROR_NONE)
        return false;
    json_add_string(result, "instance", instance);
    if (!file_exists(folder)) {
        json_add_string(result, "status", "SHUTDOWN");
        return true; /* its making was undone */
    }
    /* Which generation is current may have changed. */
    if (task->engine != NULL)
        engine_free(task->engine);
    task->engine = place_engine(task->site, task->store, folder, 0, err);
    if (task->engine == NULL || !reopen(task, err))
        return false;
    command_fill_instance(task, result, false);
    return true;
}

static const struct step recover_steps[] = {
    { "recover", recover, NULL },
    { 0 },
};

const struct operation recover_operation = { .steps = recover_steps, .resolve = recover };
