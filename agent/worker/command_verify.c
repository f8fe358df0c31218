/*
 * backup.verify: a backup counts once it has been restored. Into a scratch instance that nobody
 * else can reach and that leaves nothing behind, whichever way it ends.
 */
#include "command.h"

#include <string.h>

#include "catalogue.h"
#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "newcomer.h"
#include "operation.h"
#include "process.h"
#include "restored.h"
#include "site.h"
#include "state.h"
#include "stream.h"

struct telling {
    struct task *task;
    uint64_t total_bytes;
};

static void tell(uint64_t bytes, void *context)
{
    struct telling *telling = context;

    task_progress(telling->task, bytes, telling->total_bytes);
}

static bool check_sums(struct task *task, struct error *err)
{
    struct json_object *manifest = restored_manifest(task, err);
    const char *version = manifest == NULL ? NULL : restored_version(task, err);
    char sha256[65];

    if (version == NULL)
        return false;
    struct telling telling = { task, (uint64_t)json_get_int(manifest, "size_bytes") };
    autofree char *path =
        xasprintf("%s/%s/%s", task->site->backups_dir, json_get_string(manifest, "backup"),
                  json_get_string(manifest, "file"));
    const char *noted = json_get_string(manifest, "sha256");
    if (!stream_sum(path, sha256, tell, &telling, err))
        return false;
    if (noted == NULL || strcmp(noted, sha256) != 0) {
        error_set(err, ERROR_CORRUPT, "the file of backup '%s' is not what was written",
                  json_get_string(manifest, "backup"));
        return error_hint(err, "take a new one: dbguestctl backup create %s",
                          json_get_string(manifest, "instance"));
    }
    return newcomer_check_scratch(task, version, err);
}

static double restore_began;

static bool fill(struct task *task, struct error *err)
{
    restore_began = process_clock_s();
    return restored_fill(task, err);
}

static bool start(struct task *task, struct error *err)
{
    if (!newcomer_start(task, err))
        return false;
    return task_keep_fact(task, "restore_s",
                          json_object_new_double(process_clock_s() - restore_began), err);
}

static bool note_verified(struct task *task, struct error *err)
{
    const char *name = json_get_string(task->params, "backup");
    autofree char *path = xasprintf("%s/%s/manifest.json", task->site->backups_dir, name);
    autoptr(json_object) manifest = catalogue_find(task->site, name, err);
    char stamp[32];

    if (manifest == NULL)
        return false;
    process_stamp(stamp);
    json_add_string(manifest, "verified_at", stamp);
    json_add_double(manifest, "restore_s", json_get_double(task->state->facts, "restore_s"));
    json_add_string(task->state->result, "backup", name);
    json_add_string(task->state->result, "verified_at", stamp);
    json_add_double(task->state->result, "restore_s",
                    json_get_double(task->state->facts, "restore_s"));
    json_add(task->state->result, "compared", json_copy(task_fact(task, "compared")));
    return json_write_file(path, manifest, 0600, err) && newcomer_drop(task, err);
}

static const struct step verify_steps[] = {
    { "sums", check_sums, NULL },
    { "folder", newcomer_make, newcomer_drop },
    { "configure", newcomer_configure, NULL },
    { "restore", fill, NULL },
    { "start", start, newcomer_stop },
    { "compare", restored_compare, NULL },
    { 0 },
};

const struct operation backup_verify_operation = {
    .steps = verify_steps,
    .set = newcomer_set,
    .finish = note_verified,
};
