/*
 * instance.recover: once more what an earlier job could not bring to its end.
 */
#include "command.h"

#include <string.h>

#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "journal.h"
#include "json.h"
#include "memory.h"
#include "operation.h"
#include "place.h"
#include "site.h"
#include "state.h"

/* Whether the job in this folder is a change of that instance which has begun and not ended. */
static bool is_unfinished(const char *folder, const char *instance)
{
    struct error ignored = { 0 };
    autofree char *request_path = xasprintf("%s/request.json", folder);
    autofree char *journal_path = xasprintf("%s/journal", folder);
    autoptr(json_object) request = json_read_file(request_path, &ignored);
    autoptr(json_object) records = journal_read(journal_path, &ignored);
    const char *of = json_get_string(json_get(request, "params"), "instance");

    error_clear(&ignored);
    return of != NULL && strcmp(of, instance) == 0 && records != NULL &&
           journal_end(records) == NULL;
}

/* The oldest unfinished job of the instance but our own; NULL when there is none. */
static char *find_unfinished(struct task *task, struct error *err)
{
    autofree char *open = xasprintf("%s/jobs/open", task->site->state_dir);
    char **names = file_names(open, err);
    char *found = NULL;

    for (size_t i = 0; names != NULL && names[i] != NULL && found == NULL; i++) {
        autofree char *folder = xasprintf("%s/%s", open, names[i]);

        if (strcmp(names[i], task->job) != 0 &&
            is_unfinished(folder, json_get_string(task->params, "instance")))
            found = steal(folder);
    }
    file_free_names(names);
    return found;
}

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

    for (;;) {
        autofree char *job = find_unfinished(task, err);

        if (job == NULL)
            break;
        if (!recover_job(task, job, err))
            return false;
    }
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
