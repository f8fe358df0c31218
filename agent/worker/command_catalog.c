/*
 * database.*, user.*, root.*: changes of the engine's catalogue, one statement or one transaction
 * each. What was there before is in the journal; recovery ends the killed worker's sessions, reads
 * the catalogue and says done or not done (C10, C11).
 */
#include "command.h"

#include <stddef.h>
#include <string.h>

#include "catalog.h"
#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "method.h"
#include "operation.h"
#include "page.h"
#include "place.h"
#include "process.h"
#include "state.h"

#define EVERYTHING ((size_t)10000000)

enum object_kind { OBJECT_DATABASE, OBJECT_USER, OBJECT_ROOT };
/* What the catalogue shows once it is done: how recovery can tell. */
enum trace {
    TRACE_PRESENT,
    TRACE_ABSENT,
    TRACE_RENAMED,
    TRACE_ENABLED,
    TRACE_DISABLED,
    TRACE_NONE
};

struct verb {
    const char *method;
    enum object_kind kind;
    enum trace trace;
};

static const struct verb verbs[] = {
    { "database.create", OBJECT_DATABASE, TRACE_PRESENT },
    { "database.drop", OBJECT_DATABASE, TRACE_ABSENT },
    { "user.create", OBJECT_USER, TRACE_PRESENT },
    { "user.drop", OBJECT_USER, TRACE_ABSENT },
    { "user.grant", OBJECT_USER, TRACE_NONE },
    { "user.revoke", OBJECT_USER, TRACE_NONE },
    { "user.set_password", OBJECT_USER, TRACE_NONE },
    { "user.rename", OBJECT_USER, TRACE_RENAMED },
    { "root.enable", OBJECT_ROOT, TRACE_NONE },
    { "root.disable", OBJECT_ROOT, TRACE_DISABLED },
};

static const struct verb *find_verb(struct task *task)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].method, task->state->method->name) == 0)
            return &verbs[i];
    return NULL;
}

/* Those among the asked names that are in the catalogue now. */
static bool names_present(struct task *task, const struct verb *verb, struct json_object *objects,
                          struct json_object *present, struct error *err)
{
    size_t count = json_object_array_length(objects);

    for (size_t i = 0; i < count; i++) {
        const char *name = json_get_string(json_object_array_get_idx(objects, i), "name");
        autoptr(json_object) row = json_object_new_object();
        bool found = verb->kind == OBJECT_DATABASE
                         ? task->store->database_show(task, name, row, err)
                         : task->store->user_show(task, name, row, err);

        if (!found && err->reason != ERROR_NOT_FOUND)
            return false;
        error_clear(err);
        if (found)
            json_object_array_add(present, json_object_new_string(name));
    }
    return true;
}

/* For a few names that is cheap; of many the table of all names is read once. */
static bool add_listed(struct task *task, const struct verb *verb, struct json_object *objects,
                       struct json_object *present, struct error *err)
{
    autoptr(json_object) names = json_object_new_object();
    autopage struct page all = { .limit = EVERYTHING, .names = names };
    bool good = verb->kind == OBJECT_DATABASE ? task->store->database_list(task, &all, err)
                                              : task->store->user_list(task, &all, err);

    if (!good)
        return false;
    for (size_t i = 0; i < json_object_array_length(objects); i++) {
        const char *name = json_get_string(json_object_array_get_idx(objects, i), "name");

        if (json_get(names, name) != NULL)
            json_object_array_add(present, json_object_new_string(name));
    }
    return true;
}

static struct json_object *find_present(struct task *task, const struct verb *verb,
                                        struct json_object *objects, struct error *err)
{
    autoptr(json_object) present = json_object_new_array();
    bool few = json_object_array_length(objects) <= 4;

    if (verb->kind == OBJECT_ROOT)
        return steal(present);
    if (!(few ? names_present : add_listed)(task, verb, objects, present, err))
        return NULL;
    return steal(present);
}

/* --- the calls --- */

static bool call_databases(struct task *task, struct json_object *objects, struct error *each,
                           struct error *err)
{
    size_t count = json_object_array_length(objects);
    autofree struct database *databases = catalog_read_databases(objects);
    bool create = strcmp(task->state->method->name, "database.create") == 0;

    return create ? task->store->database_create(task, databases, count, each, err)
                  : task->store->database_drop(task, databases, count, each, err);
}

typedef bool user_function(struct task *task, const struct user *users, size_t count,
                           struct error *each, struct error *err);

static user_function *user_function_of(struct task *task)
{
    const struct datastore *store = task->store;
    const struct {
        const char *method;
        user_function *function;
    } functions[] = {
        { "user.create", store->user_create },
        { "user.drop", store->user_drop },
        { "user.grant", store->user_grant },
        { "user.revoke", store->user_revoke },
        { "user.set_password", store->user_set_password },
    };

    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (strcmp(functions[i].method, task->state->method->name) == 0)
            return functions[i].function;
    return NULL;
}

static bool call_users(struct task *task, struct json_object *objects, struct error *each,
                       struct error *err)
{
    user_function *function = user_function_of(task);
    struct catalog_users users = catalog_read_users(objects);
    bool good = function != NULL ? function(task, users.each, users.count, each, err)
                                 : task->store->user_rename(task, users.each, err);

    catalog_free_users(&users);
    return good;
}

static bool call_root(struct task *task, struct error *err)
{
    struct json_object *result = task->state->result;
    bool enable = strcmp(task->state->method->name, "root.enable") == 0;

    if (enable) {
        char stamp[32];

        process_stamp(stamp);
        if (!task->store->root_enable(task, json_get_string(task->params, "password"), err) ||
            !place_set(task->engine->folder, "root_since", json_object_new_string(stamp), err))
            return false;
    } else if (!task->store->root_disable(task, json_add_array(result, "left_behind"), err)) {
        return false;
    }
    json_add_string(result, "name", "root");
    return task->store->root_status(task, result, err);
}

/* The row of the one object, as `show` gives it. */
static void fill_row(struct task *task, const struct verb *verb)
{
    const char *name = json_get_string(task->params, "name");
    const char *new_name = json_get_string(task->params, "new_name");
    struct error ignored = { 0 };

    if (new_name != NULL)
        name = new_name;
    json_add_string(task->state->result, "instance", task->engine->instance);
    if (name == NULL)
        return;
    json_add_string(task->state->result, "name", name);
    if (verb->trace == TRACE_ABSENT)
        return;
    if (verb->kind == OBJECT_DATABASE)
        task->store->database_show(task, name, task->state->result, &ignored);
    else
        task->store->user_show(task, name, task->state->result, &ignored);
    error_clear(&ignored);
}

static bool must_run(struct task *task, struct error *err)
{
    struct process process;

    if (engine_find(task->engine, &process))
        return true;
    error_set(err, ERROR_ENGINE, "'%s' does not run", task->engine->instance);
    return error_hint(err, "dbguestctl instance start %s", task->engine->instance);
}

static bool apply_to(struct task *task, const struct verb *verb, struct json_object *objects,
                     struct error *err)
{
    size_t count = json_object_array_length(objects);
    autofree struct error *each = xcalloc(count + 1, sizeof(*each));
    bool good = verb->kind == OBJECT_DATABASE ? call_databases(task, objects, each, err)
                                              : call_users(task, objects, each, err);

    good = good && catalog_tell_outcomes(task, objects, each, err);
    for (size_t i = 0; i < count; i++)
        error_clear(&each[i]);
    return good;
}

static bool try_apply(struct task *task, struct error *err)
{
    const struct verb *verb = find_verb(task);
    autoptr(json_object) objects =
        catalog_objects(task->params, verb->kind == OBJECT_DATABASE ? "databases" : "users");
    autoptr(json_object) present = find_present(task, verb, objects, err);
    if (present == NULL || !task_keep_fact(task, "present", json_object_get(present), err))
        return false;
    if (verb->kind == OBJECT_ROOT)
        json_add_string(task->state->result, "instance", task->engine->instance);
    if (!(verb->kind == OBJECT_ROOT ? call_root(task, err) : apply_to(task, verb, objects, err)))
        return false;
    if (verb->kind != OBJECT_ROOT)
        fill_row(task, verb);
    return true;
}

static bool interrupted(struct task *task, struct error *err)
{
    error_set(err, ERROR_INTERRUPTED, "%s was interrupted; it was not done, or nobody can tell",
              task->state->method->name);
    return error_hint(err, "ask again; what is there stays");
}

/* An engine that dies over it may have done it and not said so. */
static bool apply(struct task *task, struct error *err)
{
    struct process process = { 0 };

    if (!must_run(task, err))
        return false;
    if (engine_find(task->engine, &process) && try_apply(task, err))
        return true;
    if (process_lives(&process))
        return false;
    error_clear(err);
    return interrupted(task, err);
}

/* --- recovery --- */

/* Only a running engine shows its catalogue; one that should run is started for it. */
static bool bring_up(struct task *task, struct error *err)
{
    struct process process;

    if (task->engine == NULL || place_is_closed(task->engine->folder))
        return interrupted(task, err);
    if (engine_find(task->engine, &process))
        return true;
    return place_wanted(task->engine->folder) ? command_start_engine(task, err)
                                              : interrupted(task, err);
}

/* Whether the catalogue shows that all of it was done, by this job and not before. */
static bool trace_is_there(struct task *task, const struct verb *verb, struct json_object *objects,
                           struct json_object *now)
{
    struct json_object *before = task_fact(task, "present");
    size_t asked = json_object_array_length(objects);
    size_t had = before == NULL ? 0 : json_object_array_length(before);
    size_t have = json_object_array_length(now);

    if (before == NULL || asked == 0)
        return false;
    if (verb->trace == TRACE_PRESENT)
        return had == 0 && have == asked;
    return (verb->trace == TRACE_ABSENT || verb->trace == TRACE_RENAMED) && had == asked &&
           have == 0;
}

static bool resolve(struct task *task, struct error *err)
{
    const struct verb *verb = find_verb(task);
    autoptr(json_object) objects =
        catalog_objects(task->params, verb->kind == OBJECT_DATABASE ? "databases" : "users");

    if (!bring_up(task, err) || !task->store->evict(task, err))
        return false;
    if (verb->trace == TRACE_DISABLED)
        return call_root(task, err); /* repeating it is harmless, and leaves no door open */
    if (verb->trace == TRACE_NONE)
        return interrupted(task, err);

    autoptr(json_object) now = find_present(task, verb, objects, err);
    if (now == NULL)
        return false;
    if (!trace_is_there(task, verb, objects, now))
        return interrupted(task, err);
    fill_row(task, verb);
    return true;
}

static const struct step catalog_steps[] = {
    { "apply", apply, NULL },
    { 0 },
};

const struct operation catalog_operation = { .steps = catalog_steps, .resolve = resolve };

/* --- reads --- */

static bool list(struct task *task, struct json_object *result, const char *member,
                 bool (*function)(struct task *task, struct page *page, struct error *err),
                 struct error *err)
{
    autopage struct page page = { .marker = json_get_string(task->params, "marker"),
                                  .limit = (size_t)json_get_int(task->params, "limit") };

    if (!must_run(task, err) || !function(task, &page, err))
        return false;
    page_add_to(&page, result, member);
    json_add_string(result, "next_marker", page.more ? page.last : NULL);
    return true;
}

bool command_database_list(struct task *task, struct json_object *result, struct error *err)
{
    return list(task, result, "databases", task->store->database_list, err);
}

bool command_user_list(struct task *task, struct json_object *result, struct error *err)
{
    return list(task, result, "users", task->store->user_list, err);
}

bool command_database_show(struct task *task, struct json_object *result, struct error *err)
{
    return must_run(task, err) &&
           task->store->database_show(task, json_get_string(task->params, "name"), result, err);
}

bool command_user_show(struct task *task, struct json_object *result, struct error *err)
{
    return must_run(task, err) &&
           task->store->user_show(task, json_get_string(task->params, "name"), result, err);
}

bool command_root_status(struct task *task, struct json_object *result, struct error *err)
{
    autoptr(json_object) facts = NULL;

    json_add_string(result, "name", "root");
    if (!must_run(task, err) || !task->store->root_status(task, result, err))
        return false;
    facts = place_read(task->site, task->engine->instance, err);
    if (facts != NULL && json_get_bool(result, "enabled"))
        json_add_string(result, "since", json_get_string(facts, "root_since"));
    return facts != NULL;
}
