/*
 * instance.release: gives up the way back that the last upgrade left, and with it the room that it
 * takes. Only forward: what is gone once is gone.
 */
#include "command.h"

#include "cleanup.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "operation.h"
#include "place.h"
#include "state.h"

/* What it frees is known before, and only then. */
static bool measure(struct task *task, struct error *err)
{
    autofree char *data = xasprintf("%s/data", task->engine->folder);
    uint64_t all = file_tree_bytes(data);
    uint64_t own = file_tree_bytes(task->engine->data);

    return task_keep_fact(task, "freed_bytes", json_object_new_int64((int64_t)(all - own)), err);
}

static bool release(struct task *task, struct error *err)
{
    json_add_string(task->state->result, "instance", task->engine->instance);
    json_add(task->state->result, "freed_bytes", json_copy(task_fact(task, "freed_bytes")));
    return place_release(task->engine->folder, err);
}

static const struct step release_steps[] = {
    { "measure", measure, NULL },
    { 0 },
};

const struct operation release_operation = { .steps = release_steps, .finish = release };
