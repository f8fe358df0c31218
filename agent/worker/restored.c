#include "restored.h"

#include <string.h>
#include <unistd.h>

#include "catalogue.h"
#include "cleanup.h"
#include "datastore.h"
#include "engine.h"
#include "error.h"
#include "facts.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "site.h"
#include "state.h"
#include "stream.h"
#include "units.h"
#include "version.h"

struct json_object *restored_manifest(struct task *task, struct error *err)
{
    static struct json_object *manifest;

    if (manifest == NULL)
        manifest = catalogue_find(task->site, json_get_string(task->params, "backup"), err);
    return manifest;
}

/* Another version than the backup's is an upgrade without a way back: only of the same format. */
static bool check_step(struct task *task, struct json_object *manifest, const char *to,
                       struct error *err)
{
    const char *from = json_get_string(manifest, "version");
    autoptr(json_object) target = version_find(task->site, task->store->name, to, err);
    const char *reason = NULL;

    if (target == NULL)
        return false;
    if (strcmp(from, to) == 0)
        return true;
    enum edge edge = task->store->edge(json_get_string(manifest, "engine_version"),
                                       json_get_string(target, "engine_version"), &reason);
    if (edge == EDGE_SAME_FORMAT)
        return true;
    return error_set(err, edge == EDGE_DOWNGRADE ? ERROR_DOWNGRADE : ERROR_INCOMPATIBLE,
                     "a backup of %s %s cannot be restored with %s%s%s", task->store->name, from,
                     to, reason == NULL ? "" : ": ", reason == NULL ? "" : reason);
}

const char *restored_version(struct task *task, struct error *err)
{
    struct json_object *manifest = restored_manifest(task, err);
    const char *asked = json_get_string(task->params, "version");

    if (manifest == NULL)
        return NULL;
    if (asked == NULL)
        asked = json_get_string(manifest, "version");
    return check_step(task, manifest, asked, err) ? asked : NULL;
}

static bool check_sum(struct json_object *manifest, const struct stream_result *result,
                      struct error *err)
{
    const char *sum = json_get_string(manifest, "sha256");

    return (sum != NULL && strcmp(sum, result->sha256) == 0) ||
           error_set(err, ERROR_CORRUPT, "the file of backup '%s' is not what was written",
                     json_get_string(manifest, "backup"));
}

/* A tool that fails on damaged bytes gives up before the stream sees its end: the sum tells. */
static bool blame_file(struct json_object *manifest, const char *path, struct error *err)
{
    struct error failure = { 0 };
    struct stream_result whole = { 0 };

    if (stream_sum(path, whole.sha256, NULL, NULL, &failure) &&
        !check_sum(manifest, &whole, &failure))
        error_move(err, &failure);
    error_clear(&failure);
    return false;
}

bool restored_fill(struct task *task, struct error *err)
{
    struct json_object *manifest = restored_manifest(task, err);
    struct stream_result result = { 0 };
    struct error failure = { 0 };
    int output = -1;

    if (manifest == NULL ||
        !file_need_space(task->site->state_dir, (uint64_t)json_get_int(manifest, "raw_bytes"),
                         "the restored data", err))
        return false;
    autofree char *path =
        xasprintf("%s/%s/%s", task->site->backups_dir, json_get_string(manifest, "backup"),
                  json_get_string(manifest, "file"));
    autoptr(stream) stream = stream_from_file(path, &output, err);
    if (stream == NULL)
        return false;

    bool good = task->store->restore(task, output, manifest, err);
    close(output);
    /* A damaged file ends the stream early: that is the cause, whatever the tool made of it. */
    bool whole = stream_finish(stream, &result, &failure);
    if (!whole && (failure.reason == ERROR_CORRUPT || good)) {
        error_move(err, &failure);
        return false;
    }
    error_clear(&failure);
    if (!good)
        return blame_file(manifest, path, err);
    autofree char *size = units_size((double)result.raw_bytes);
    task_what(task, "%s", size);
    return check_sum(manifest, &result, err) && file_sync_tree(task->engine->files, err);
}

bool restored_compare(struct task *task, struct error *err)
{
    struct json_object *noted = json_get(restored_manifest(task, err), "facts");
    autoptr(json_object) found = json_object_new_object();
    autoptr(json_object) compared = json_object_new_object();

    if (!task->store->facts(task, found, err))
        return false;
    /* Settings follow the new place and its memory, not the backup. */
    autoptr(json_object) wanted = json_copy(noted);
    json_object_object_del(wanted, "settings");
    if (!facts_contain(found, wanted, compared, err))
        return error_prefix(err, "the restored data is not what was backed up");
    autofree char *summary = facts_summary(compared);
    task_what(task, "%s as noted", summary);
    return task_keep_fact(task, "compared", steal(compared), err);
}
