/*
 * version.*: the steps of a pull as agent/version has them, and lists.
 */
#include "command.h"

#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "json.h"
#include "operation.h"
#include "state.h"
#include "text.h"
#include "version.h"

/* The pull of this worker: its steps share what they found out. */
static struct version_pull *pull;

static bool set_pull(struct task *task, struct error *err)
{
    if (pull == NULL)
        pull = version_pull_new(task, err);
    return pull != NULL;
}

static bool look(struct task *task, struct error *err)
{
    version_sweep(task->site, task->job);
    return version_pull_look(pull, err);
}

static bool need_space(struct task *task, struct error *err)
{
    (void)task;
    return version_pull_space(pull, err);
}

static bool fetch(struct task *task, struct error *err)
{
    (void)task;
    return version_pull_fetch(pull, err);
}

static bool unpack(struct task *task, struct error *err)
{
    (void)task;
    return version_pull_unpack(pull, err);
}

static bool verify(struct task *task, struct error *err)
{
    (void)task;
    return version_pull_verify(pull, err);
}

static bool publish(struct task *task, struct error *err)
{
    autoptr(json_object) result = json_object_new_object();

    if (!version_pull_publish(pull, err))
        return false;
    version_pull_result(pull, result);
    return task_keep_fact(task, "result", steal(result), err);
}

static bool unpublish(struct task *task, struct error *err)
{
    (void)task;
    return version_pull_unpublish(pull, err);
}

static bool drop(struct task *task, struct error *err)
{
    (void)task;
    return version_pull_drop(pull, err);
}

/* What the last step has kept, for a recovery cannot find it out any more. */
static void take_result(struct task *task)
{
    struct json_object_iter member;

    json_object_object_foreachC (task_fact(task, "result"), member) {
        json_add(task->state->result, member.key, json_copy(member.val));
    }
}

static bool finish_pull(struct task *task, struct error *err)
{
    take_result(task);
    return version_pull_end(pull, err);
}

/* Whatever a step leaves lies in the working folder, which one undo removes. */
static const struct step pull_steps[] = {
    { "look", look, drop },
    { "space", need_space, NULL },
    { "fetch", fetch, NULL },
    { "unpack", unpack, NULL },
    { "verify", verify, NULL },
    { "publish", publish, unpublish },
    { 0 },
};

const struct operation pull_operation = {
    .steps = pull_steps,
    .set = set_pull,
    .finish = finish_pull,
};

static bool publish_bundle(struct task *task, struct error *err)
{
    autoptr(json_object) result = json_object_new_object();

    return version_bundle_publish(task, result, err) &&
           task_keep_fact(task, "result", steal(result), err);
}

static bool finish_bundle(struct task *task, struct error *err)
{
    take_result(task);
    return version_bundle_drop(task, err);
}

static const struct step bundle_steps[] = {
    { "check", version_bundle_check, NULL },
    { "pack", version_bundle_pack, version_bundle_drop },
    { "sign", version_bundle_seal, NULL },
    { "publish", publish_bundle, version_bundle_unpublish },
    { 0 },
};

const struct operation bundle_operation = { .steps = bundle_steps, .finish = finish_bundle };

/* Removing begins with a rename; whoever comes later only has less to do. */
static bool remove_version(struct task *task, struct error *err)
{
    const char *datastore = json_get_string(task->params, "datastore");
    const char *version = json_get_string(task->params, "version");
    uint64_t freed_bytes = 0;

    if (!version_remove(task, datastore, version, &freed_bytes, err))
        return false;
    json_add_string(task->state->result, "datastore", datastore);
    json_add_string(task->state->result, "version", version);
    json_add_int(task->state->result, "freed_bytes", (int64_t)freed_bytes);
    return true;
}

static bool check_version(struct task *task, struct error *err)
{
    const char *datastore = json_get_string(task->params, "datastore");
    const char *version = json_get_string(task->params, "version");
    autoptr(json_object) manifest = version_find(task->site, datastore, version, err);

    return manifest != NULL && version_check_unused(task->site, datastore, version, task->job, err);
}

static const struct step remove_steps[] = {
    { "check", check_version, NULL },
    { "remove", remove_version, NULL },
    { 0 },
};

const struct operation remove_operation = { .steps = remove_steps, .resolve = remove_version };

/* What goes is decided once: a recovery removes and tells of the same. */
static bool choose_unused(struct task *task, struct error *err)
{
    const char *datastore = json_get_string(task->params, "datastore");
    autoptr(json_object) unused = json_object_new_array();

    if (!version_list_unused(task->site, datastore, task->job, unused, err))
        return false;
    task_what(task, "%zu of them", json_object_array_length(unused));
    return task_keep_fact(task, "unused", steal(unused), err);
}

/* Adds it to what has gone; one that somebody has begun to need since it was chosen stays. */
static bool prune_one(struct task *task, struct json_object *unused, struct json_object *gone,
                      struct error *err)
{
    const char *datastore = json_get_string(unused, "datastore");
    const char *version = json_get_string(unused, "version");
    uint64_t freed_bytes = 0;

    if (!version_remove(task, datastore, version, &freed_bytes, err)) {
        bool needed = err->reason == ERROR_BUSY;
        if (needed)
            error_clear(err);
        return needed;
    }
    json_object_array_add(gone, json_object_get(unused));
    return true;
}

static int64_t tell_gone(struct task *task, struct json_object *gone)
{
    autotext struct text names = { 0 };
    int64_t freed_bytes = 0;

    for (size_t i = 0; i < json_object_array_length(gone); i++) {
        struct json_object *one = json_object_array_get_idx(gone, i);
        freed_bytes += json_get_int(one, "size_bytes");
        text_printf(&names, "%s%s %s", i > 0 ? ", " : "", json_get_string(one, "datastore"),
                    json_get_string(one, "version"));
    }
    task_what(task, "%s", names.length > 0 ? names.bytes : "nothing to remove");
    return freed_bytes;
}

static bool prune(struct task *task, struct error *err)
{
    struct json_object *unused = task_fact(task, "unused");
    autoptr(json_object) gone = json_object_new_array();

    if (unused == NULL)
        return error_set(err, ERROR_INTERRUPTED, "it ended before anything was removed");
    for (size_t i = 0; i < json_object_array_length(unused); i++)
        if (!task_goes_on(task, err) ||
            !prune_one(task, json_object_array_get_idx(unused, i), gone, err))
            return false;
    int64_t freed_bytes =
        tell_gone(task, gone) +
        (int64_t)version_sweep_kept(task->site, json_get_string(task->params, "datastore"));
    json_add_int(task->state->result, "freed_bytes", freed_bytes);
    json_add_int(task->state->result, "count", (int64_t)json_object_array_length(gone));
    json_add(task->state->result, "versions", steal(gone));
    return true;
}

static const struct step prune_steps[] = {
    { "choose", choose_unused, NULL },
    { "remove", prune, NULL },
    { 0 },
};

const struct operation prune_operation = { .steps = prune_steps, .resolve = prune };

bool command_version_list(struct task *task, struct json_object *result, struct error *err)
{
    const char *source = json_get_string(task->params, "available");
    const char *marker = json_get_string(task->params, "marker");
    size_t limit = (size_t)json_get_int(task->params, "limit");
    autoptr(json_object) all = json_object_new_array();
    struct json_object *rows = json_add_array(result, "versions");
    const char *last = NULL;
    bool passed = marker == NULL;

    /* All at once: a source is not asked twice. */
    if (source != NULL) {
        json_add(result, "next_marker", NULL);
        return version_available(task, source, rows, err);
    }
    if (!version_list(task->site, json_get_string(task->params, "datastore"), all, err))
        return false;
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *row = json_object_array_get_idx(all, i);
        const char *version = json_get_string(row, "version");

        if (!passed) {
            passed = strcmp(version, marker) == 0;
            continue;
        }
        if (limit > 0 && json_object_array_length(rows) == limit) {
            json_add_string(result, "next_marker", last);
            return true;
        }
        json_object_array_add(rows, json_object_get(row));
        last = version;
    }
    json_add(result, "next_marker", NULL);
    return true;
}

bool command_version_show(struct task *task, struct json_object *result, struct error *err)
{
    return version_show(task, json_get_string(task->params, "datastore"),
                        json_get_string(task->params, "version"), result, err);
}
