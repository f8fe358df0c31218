/*
 * instance.create.
 */
#include "command.h"

#include "catalog.h"
#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "newcomer.h"
#include "operation.h"
#include "state.h"

static bool check(struct task *task, struct error *err)
{
    return newcomer_check(task, json_get_string(task->params, "instance"),
                          json_get_string(task->params, "version"), err);
}

static bool initialize(struct task *task, struct error *err)
{
    return task->store->initialize(task, err);
}

static bool make_databases(struct task *task, struct json_object *objects, struct error *err)
{
    size_t count = json_object_array_length(objects);
    autofree struct database *databases = catalog_read_databases(objects);
    autofree struct error *each = xcalloc(count + 1, sizeof(*each));

    if (count > 0 && task->store->database_create == NULL)
        return error_set(err, ERROR_UNSUPPORTED, "%s has no databases by name", task->store->name);
    if (count > 0 && !task->store->database_create(task, databases, count, each, err))
        return false;
    return catalog_tell_outcomes(task, objects, each, err);
}

static bool make_users(struct task *task, struct json_object *objects, struct error *err)
{
    size_t count = json_object_array_length(objects);
    autofree struct error *each = xcalloc(count + 1, sizeof(*each));
    struct catalog_users users = catalog_read_users(objects);
    bool good = count == 0 || task->store->user_create(task, users.each, count, each, err);

    catalog_free_users(&users);
    return good && catalog_tell_outcomes(task, objects, each, err);
}

static bool make_catalog(struct task *task, struct error *err)
{
    autoptr(json_object) none = json_object_new_array();
    struct json_object *databases = json_get(task->params, "databases");
    struct json_object *users = json_get(task->params, "users");
    bool good = make_databases(task, databases == NULL ? none : databases, err) &&
                make_users(task, users == NULL ? none : users, err);

    json_object_object_del(task->state->result, "results");
    return good;
}

static const struct step create_steps[] = {
    { "check", check, NULL },
    { "folder", newcomer_make, newcomer_drop },
    { "configure", newcomer_configure, NULL },
    { "initialize", initialize, NULL },
    { "start", newcomer_start, newcomer_stop },
    { "catalog", make_catalog, NULL },
    { 0 },
};

const struct operation create_operation = {
    .steps = create_steps,
    .set = newcomer_set,
    .ready = newcomer_ready,
    .finish = newcomer_finish,
};
