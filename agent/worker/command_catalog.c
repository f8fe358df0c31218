/*
 * database.*, user.*, root.*: changes of the engine's catalogue, one statement or one transaction
 * each. What was there before is in the journal; recovery ends the killed worker's sessions, reads
 * the catalogue and says done or not done (C10, C11).
 */
#include <stddef.h>
#include <string.h>

#include "cleanup.h"
#include "command.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "method.h"
#include "operation.h"
#include "place.h"
#include "process.h"
#include "state.h"

#define MANY ((size_t)1000)

enum object_kind { OBJECT_DATABASE, OBJECT_USER, OBJECT_ROOT };
/* What the catalogue shows once it is done: how recovery can tell. */
enum trace { TRACE_PRESENT, TRACE_ABSENT, TRACE_RENAMED, TRACE_ENABLED, TRACE_DISABLED, TRACE_NONE };

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

/* --- parameters into C; strings point into params, lists are the call's own --- */

static const char *const *words_of(struct json_object *object, const char *name)
{
    struct json_object *array = json_get(object, name);
    size_t count = array == NULL ? 0 : json_object_array_length(array);
    const char **words = xcalloc(count + 1, sizeof(*words));

    for (size_t i = 0; i < count; i++)
        words[i] = json_object_get_string(json_object_array_get_idx(array, i));
    return words;
}

static enum access access_of(struct json_object *object)
{
    const char *word = json_get_string(object, "access");

    if (word != NULL && strcmp(word, "read") == 0)
        return ACCESS_READ;
    return word != NULL && strcmp(word, "all") == 0 ? ACCESS_ALL : ACCESS_WRITE;
}

/* The objects asked for: those of the array, or the parameters themselves. */
static struct json_object *asked_objects(struct json_object *params, const char *array)
{
    struct json_object *many = json_get(params, array);

    if (many != NULL && json_object_is_type(json_object_array_get_idx(many, 0), json_type_object))
        return json_object_get(many);
    many = json_object_new_array();
    if (json_get(params, "name") != NULL)
        json_object_array_add(many, json_object_get(params));
    return many;
}

struct users {
    struct user *each;
    size_t count;
};

static struct users read_users(struct json_object *objects)
{
    struct users users = { .count = json_object_array_length(objects) };

    users.each = xcalloc(users.count + 1, sizeof(*users.each));
    for (size_t i = 0; i < users.count; i++) {
        struct json_object *object = json_object_array_get_idx(objects, i);

        users.each[i] = (struct user){
            .name = json_get_string(object, "name"),
            .password = json_get_string(object, "password"),
            .new_name = json_get_string(object, "new_name"),
            .databases = words_of(object, "databases"),
            .access = access_of(object),
            .keys = words_of(object, "keys"),
            .channels = words_of(object, "channels"),
            .categories = words_of(object, "categories"),
        };
    }
    return users;
}

static void free_words(const char *const *words)
{
    const void *pointer = words;

    free((void *)(uintptr_t)pointer);
}

static void free_users(struct users *users)
{
    for (size_t i = 0; i < users->count; i++) {
        free_words(users->each[i].databases);
        free_words(users->each[i].keys);
        free_words(users->each[i].channels);
        free_words(users->each[i].categories);
    }
    free(users->each);
}

/* --- outcomes --- */

static struct json_object *outcome_row(const char *name, struct error *err)
{
    struct json_object *row = json_object_new_object();

    json_add_string(row, "name", name);
    json_add_string(row, "outcome", err->reason == ERROR_NONE ? "ok" : error_word(err->reason));
    if (err->reason != ERROR_NONE)
        json_add(row, "error", error_to_json(err));
    return row;
}

/* One result for each; some failed: partial, or their own reason when it was the only one. */
static bool tell_outcomes(struct task *task, struct json_object *objects, struct error *each,
                          struct error *err)
{
    size_t count = json_object_array_length(objects);
    struct json_object *results = json_object_new_array();
    size_t failed = 0;
    size_t last = 0;

    for (size_t i = 0; i < count; i++) {
        const char *name = json_get_string(json_object_array_get_idx(objects, i), "name");

        json_object_array_add(results, outcome_row(name, &each[i]));
        if (each[i].reason != ERROR_NONE) {
            failed++;
            last = i;
        }
    }
    if (failed == 0) {
        json_add(task->state->result, "results", results);
        return true;
    }
    if (count == 1) {
        json_object_put(results);
        error_move(err, &each[last]);
        return false;
    }
    error_set(err, ERROR_PARTIAL, "%zu of %zu failed, the last: %s", failed, count,
              each[last].message);
    error_hint(err, "see results for each; what went well stays");
    return error_add(err, "results", results);
}

/* Those among the asked names that are in the catalogue now. */
static bool names_present(struct task *task, const struct verb *verb, struct json_object *objects,
                          struct json_object *present, struct error *err)
{
    size_t count = json_object_array_length(objects);

    for (size_t i = 0; i < count; i++) {
        const char *name = json_get_string(json_object_array_get_idx(objects, i), "name");
        autoptr(json_object) row = json_object_new_object();
        bool found = verb->kind == OBJECT_DATABASE ? task->store->database_show(task, name, row, err)
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
    autoptr(json_object) rows = json_object_new_array();
    autoptr(json_object) names = json_object_new_object();
    struct page all = { .marker = NULL, .limit = 10 * 1000 * 1000 };
    bool good = verb->kind == OBJECT_DATABASE ? task->store->database_list(task, &all, rows, err)
                                              : task->store->user_list(task, &all, rows, err);

    if (!good)
        return false;
    for (size_t i = 0; i < json_object_array_length(rows); i++)
        json_add_bool(names, json_get_string(json_object_array_get_idx(rows, i), "name"), true);
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
    autofree struct database *databases = xcalloc(count + 1, sizeof(*databases));
    bool create = strcmp(task->state->method->name, "database.create") == 0;

    for (size_t i = 0; i < count; i++) {
        struct json_object *object = json_object_array_get_idx(objects, i);

        databases[i] = (struct database){ .name = json_get_string(object, "name"),
                                          .encoding = json_get_string(object, "encoding"),
                                          .locale = json_get_string(object, "locale") };
    }
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
        { "user.create", store->user_create },   { "user.drop", store->user_drop },
        { "user.grant", store->user_grant },     { "user.revoke", store->user_revoke },
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
    struct users users = read_users(objects);
    bool good = function != NULL ? function(task, users.each, users.count, each, err)
                                 : task->store->user_rename(task, users.each, err);

    free_users(&users);
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

    good = good && tell_outcomes(task, objects, each, err);
    for (size_t i = 0; i < count; i++)
        error_clear(&each[i]);
    return good;
}

static bool apply(struct task *task, struct error *err)
{
    const struct verb *verb = find_verb(task);
    autoptr(json_object) objects =
        asked_objects(task->params, verb->kind == OBJECT_DATABASE ? "databases" : "users");

    if (!must_run(task, err))
        return false;
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

/* --- recovery --- */

static bool interrupted(struct task *task, struct error *err)
{
    error_set(err, ERROR_INTERRUPTED, "the worker of %s died; %s was not done, or nobody can tell",
              task->job, task->state->method->name);
    return error_hint(err, "ask again; what is there stays");
}

/* Whether the catalogue shows that all of it was done, by this job and not before. */
static bool trace_is_there(struct task *task, const struct verb *verb,
                           struct json_object *objects, struct json_object *now)
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
        asked_objects(task->params, verb->kind == OBJECT_DATABASE ? "databases" : "users");
    struct process process;

    if (task->engine == NULL || !engine_find(task->engine, &process))
        return interrupted(task, err);
    if (!task->store->evict(task, err))
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

/* --- of a new instance --- */

static bool make_databases(struct task *task, struct json_object *objects, struct error *err)
{
    size_t count = json_object_array_length(objects);
    autofree struct database *databases = xcalloc(count + 1, sizeof(*databases));
    autofree struct error *each = xcalloc(count + 1, sizeof(*each));

    if (count > 0 && task->store->database_create == NULL)
        return error_set(err, ERROR_UNSUPPORTED, "%s has no databases by name", task->store->name);
    for (size_t i = 0; i < count; i++) {
        struct json_object *object = json_object_array_get_idx(objects, i);

        databases[i] = (struct database){ .name = json_get_string(object, "name"),
                                          .encoding = json_get_string(object, "encoding"),
                                          .locale = json_get_string(object, "locale") };
    }
    if (count > 0 && !task->store->database_create(task, databases, count, each, err))
        return false;
    return tell_outcomes(task, objects, each, err);
}

static bool make_users(struct task *task, struct json_object *objects, struct error *err)
{
    size_t count = json_object_array_length(objects);
    autofree struct error *each = xcalloc(count + 1, sizeof(*each));
    struct users users = read_users(objects);
    bool good = count == 0 || task->store->user_create(task, users.each, count, each, err);

    free_users(&users);
    return good && tell_outcomes(task, objects, each, err);
}

bool command_make_catalog(struct task *task, struct error *err)
{
    autoptr(json_object) none = json_object_new_array();
    struct json_object *databases = json_get(task->params, "databases");
    struct json_object *users = json_get(task->params, "users");
    bool good = make_databases(task, databases == NULL ? none : databases, err) &&
                make_users(task, users == NULL ? none : users, err);

    json_object_object_del(task->state->result, "results");
    return good;
}

/* --- reads --- */

static bool list(struct task *task, struct json_object *result, const char *member,
                 bool (*function)(struct task *task, const struct page *page,
                                  struct json_object *rows, struct error *err),
                 struct error *err)
{
    size_t limit = (size_t)json_get_int(task->params, "limit");
    struct page page = { .marker = json_get_string(task->params, "marker"), .limit = limit + 1 };
    struct json_object *rows = json_add_array(result, member);

    json_add(result, "next_marker", NULL);
    if (!must_run(task, err) || !function(task, &page, rows, err))
        return false;
    if (json_object_array_length(rows) > limit) {
        json_object_array_del_idx(rows, limit, json_object_array_length(rows) - limit);
        struct json_object *last = json_object_array_get_idx(rows, limit - 1);
        json_add(result, "next_marker", json_object_get(json_get(last, "name")));
    }
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
