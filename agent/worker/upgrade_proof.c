#include "upgrade_proof.h"

#include <string.h>

#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "facts.h"
#include "json.h"
#include "memory.h"
#include "process.h"
#include "state.h"
#include "text.h"
#include "version.h"

/* What stood right before the stop, and the process that was proved. */
static autoptr_json_object facts_before;
static int64_t strangers_before;
static struct process proved;

static bool count_strangers(struct task *task, int64_t before, int64_t *count, struct error *err)
{
    *count = 0;
    return task->store->strangers == NULL || task->store->strangers(task, before, count, err);
}

bool upgrade_proof_begin(struct task *task, struct error *err)
{
    json_release(facts_before);
    facts_before = json_object_new_object();
    return task->store->facts(task, facts_before, err) &&
           count_strangers(task, 0, &strangers_before, err);
}

const char *upgrade_proof_position(void)
{
    return json_get_string(facts_before, "position");
}

/* It stays the same from here to the opening. */
bool upgrade_proof_process(struct task *task, struct error *err)
{
    const struct engine *engine = task->engine;

    if (!engine_find(engine, &proved))
        return error_set(err, ERROR_ENGINE, "%s died after its start", engine->version);
    if (!engine_executes_tree(engine, &proved))
        return error_set(err, ERROR_CORRUPT, "the process %d does not execute %s's tree",
                         (int)proved.pid, engine->version);
    return true;
}

static bool prove_still(struct task *task, struct error *err)
{
    struct process now;

    return (engine_find(task->engine, &now) && now.pid == proved.pid &&
            now.start_time == proved.start_time) ||
           error_set(err, ERROR_ENGINE, "%s died while it was being proved", task->engine->version);
}

static bool fail_closed(struct task *task, const char *what, int64_t count, struct error *err)
{
    error_set(err, ERROR_NEEDS_ATTENTION,
              "somebody was in while it was closed (%lld more %s than ours)", (long long)count,
              what);
    error_hint(err,
               "see who that was (dbguestctl instance log %s); what they wrote is in the data. To "
               "go back to %s with it",
               task->engine->instance, task_fact_text(task, "from_version"));
    return false;
}

/*
 * Looked at again right before commit: whoever is in now came in while it was shut, and the
 * engine's own count tells of those who have left. What is committed then, or undone, might be
 * what they did: neither (C18).
 */
static bool prove_closed(struct task *task, struct error *err)
{
    /* Migrated data counts anew. */
    int64_t before = json_get_bool(task->state->facts, "migrates") ? 0 : strangers_before;
    int ended = 0;
    int64_t came = 0;

    if (!task->store->gate(task, GATE_CLOSED, &ended, err) ||
        !count_strangers(task, before, &came, err))
        return false;
    if (ended > 0)
        return fail_closed(task, "sessions", ended, err);
    return came == 0 || fail_closed(task, "sessions or statements", came, err);
}

/* Whether it is that one: "15.18 (Debian ...)" is 15.18, and 15.180 is not. */
static bool is_version(const char *said, const char *version)
{
    size_t length = strlen(version);

    return text_starts(said, version) &&
           (said[length] == '\0' || strchr("0123456789.", said[length]) == NULL);
}

/* The tree may have been changed after its pull. */
static bool prove_version(struct task *task, struct json_object *after, struct error *err)
{
    const struct engine *engine = task->engine;
    autoptr(json_object) pulled = version_find(task->site, engine->datastore, engine->version, err);
    const char *expected = json_get_string(pulled, "engine_version");
    const char *said = json_get_string(after, "version");

    if (pulled == NULL)
        return false;
    if (said != NULL && expected != NULL && is_version(said, expected))
        return true;
    error_set(err, ERROR_CORRUPT, "%s was pulled as %s, and its engine says that it is %s",
              engine->version, expected == NULL ? "nothing" : expected,
              said == NULL ? "nothing" : said);
    return error_hint(err, "its tree was changed since: remove the version and pull it again");
}

/* What waited for a restart was to change, to what is stored: it waits no more. The other settings
 * must be as they were. */
static bool prove_settings(struct task *task, struct json_object *after, struct error *err)
{
    struct json_object *pending = task_fact(task, "settings_pending");
    autoptr(json_object) status = json_object_new_object();
    size_t count = pending == NULL ? 0 : json_object_array_length(pending);

    if (count > 0 && !task->store->status(task, status, err))
        return false;
    struct json_object *waiting = json_get(status, "restart_needed");
    for (size_t i = 0; i < count; i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(pending, i));

        json_object_object_del(json_get(facts_before, "settings"), name);
        json_object_object_del(json_get(after, "settings"), name);
        for (size_t k = 0; waiting != NULL && k < json_object_array_length(waiting); k++)
            if (strcmp(json_object_get_string(json_object_array_get_idx(waiting, k)), name) == 0)
                return error_set(err, ERROR_ENGINE, "'%s' is still not what was asked for", name);
    }
    return true;
}

static bool keep_proof(struct task *task, struct json_object *counts, struct json_object *after,
                       struct error *err)
{
    struct json_object *facts = json_object_new_object();

    json_add(facts, "proved", json_copy(counts));
    json_add(facts, "process", process_to_json(&proved));
    json_add_string(facts, "position_before", upgrade_proof_position());
    json_add_string(facts, "position_after", json_get_string(after, "position"));
    return task_keep_facts(task, facts, err);
}

static bool compare(struct task *task, struct json_object *after, struct json_object *counts,
                    struct error *err)
{
    return upgrade_proof_process(task, err) && task->store->facts(task, after, err) &&
           prove_version(task, after, err) && prove_settings(task, after, err) &&
           facts_follow(task, facts_before, after, counts, err);
}

bool upgrade_proof_end(struct task *task, struct error *err)
{
    autoptr(json_object) after = json_object_new_object();
    autoptr(json_object) counts = json_object_new_object();
    struct error failure = { 0 };
    bool same = compare(task, after, counts, err);

    /* A difference may be somebody's doing: that comes first, for it must not be undone. */
    bool closed = prove_closed(task, &failure);
    if (!closed && (same || failure.reason == ERROR_NEEDS_ATTENTION))
        error_move(err, &failure);
    error_clear(&failure);
    if (!same || !closed || !prove_still(task, err))
        return false;

    autofree char *summary = facts_summary(counts);
    task_what(task, "executable, position, %s as before", summary);
    return keep_proof(task, counts, after, err);
}
