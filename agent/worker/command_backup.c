/*
 * backup.create, backup.delete, and the lists. A backup is made in a folder with a dot before its
 * name and appears by one rename, after all of it is synced.
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
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
#include "operation.h"
#include "page.h"
#include "place.h"
#include "process.h"
#include "site.h"
#include "state.h"
#include "stream.h"
#include "units.h"
#include "version.h"

#define LEVEL 1          /* zstd's: FLOORS say that more costs half again for a tenth less */
#define EXPECTED_RATIO 2 /* what is reckoned with before the start */

static struct json_object *manifest; /* grows from step to step */

static char *work_folder(struct task *task)
{
    return xasprintf("%s/.%s", task->site->backups_dir, task->job);
}

/* INSTANCE-YYYYMMDD-HHMMSS in UTC; an instance's name may be 32 bytes, so it always fits. */
static char *make_name(struct task *task)
{
    time_t now = time(NULL);
    struct tm parts;
    char stamp[32];

    gmtime_r(&now, &parts);
    strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &parts);
    return xasprintf("%s-%s", task->engine->instance, stamp);
}

static char *free_name(struct task *task)
{
    autofree char *name = make_name(task);

    for (int i = 2;; i++) {
        autofree char *folder = catalogue_folder(task->site, name);

        if (!file_exists(folder))
            return steal(name);
        autofree char *base = make_name(task);
        free(name);
        name = xasprintf("%s-%d", base, i);
    }
}

static bool check(struct task *task, struct error *err)
{
    const char *asked = json_get_string(task->params, "backup");
    autofree char *name = asked == NULL ? free_name(task) : xstrdup(asked);
    autofree char *folder = catalogue_folder(task->site, name);
    uint64_t bytes = file_tree_bytes(task->engine->files);
    struct process process;

    if (!engine_find(task->engine, &process)) {
        error_set(err, ERROR_ENGINE, "'%s' does not run", task->engine->instance);
        return error_hint(err, "dbguestctl instance start %s", task->engine->instance);
    }
    if (file_exists(folder))
        return error_set(err, ERROR_EXISTS, "backup '%s' exists", name);
    if (!file_make_folder(task->site->backups_dir, 0700, err) ||
        !file_need_space(task->site->backups_dir, bytes / EXPECTED_RATIO, "a backup", err))
        return false;
    autofree char *size = units_size((double)bytes);
    task_what(task, "%s on the disk now", size);
    return task_keep_text(task, "backup", name, err) &&
           task_keep_fact(task, "bytes", json_object_new_int64((int64_t)bytes), err);
}

/* What a restore with another version is judged by, also when this one is gone. */
static void describe_version(struct task *task)
{
    struct error ignored = { 0 };
    autoptr(json_object) version =
        version_find(task->site, task->engine->datastore, task->engine->version, &ignored);

    error_clear(&ignored);
    json_add_string(manifest, "version", task->engine->version);
    json_add_string(manifest, "engine_version", json_get_string(version, "engine_version"));
    json_add_string(manifest, "digest", json_get_string(version, "digest"));
}

static void describe(struct task *task, const struct backup_form *form)
{
    autofree char *folder = catalogue_folder(task->site, task_fact_text(task, "backup"));
    autofree char *file = xasprintf("%s/%s", folder, form->file);
    const char *place = strstr(form->by_hand, "%s");
    autofree char *by_hand =
        xasprintf("%.*s%s%s", (int)(place - form->by_hand), form->by_hand, file, place + 2);
    char stamp[32];

    process_stamp(stamp);
    json_add_string(manifest, "backup", task_fact_text(task, "backup"));
    json_add_string(manifest, "instance", task->engine->instance);
    json_add_string(manifest, "datastore", task->engine->datastore);
    describe_version(task);
    json_add_string(manifest, "file", form->file);
    json_add_string(manifest, "by_hand", by_hand);
    json_add_string(manifest, "created_at", stamp);
    json_add_double(manifest, "created_time", process_time_s());
    json_add_string(manifest, "job", task->job);
    json_add_string(manifest, "asked_by", json_get_string(task->state->request, "asked_by"));
    json_add_string(manifest, "note", json_get_string(task->params, "note"));
    json_add(manifest, "settings", place_settings(task->engine));
    json_add_int(manifest, "port", task->engine->port);
    json_add(manifest, "verified_at", NULL);
}

static bool stream_engine(struct task *task, const struct backup_form *form, const char *path,
                          struct stream_result *result, struct error *err)
{
    int input = -1;
    struct stream *stream = stream_to_file(path, form->packs_itself, LEVEL, &input, err);

    if (stream == NULL)
        return false;
    bool good = task->store->backup(task, input, manifest, err);
    struct error failure = { 0 };

    close(input); /* the stream ends when all writers have let go */
    bool stored = stream_finish(stream, result, &failure);
    stream_free(stream);
    /* A full disk shows in the tool as a broken pipe: the stream knows better. */
    if (!stored)
        error_move(err, &failure);
    return good && stored;
}

static bool take_facts(struct task *task, struct json_object *facts, struct error *err)
{
    return task->store->facts(task, facts, err);
}

static bool stream_backup(struct task *task, struct error *err)
{
    autofree char *folder = work_folder(task);
    struct backup_form form = { 0 };
    struct stream_result result = { 0 };
    autoptr(json_object) before = json_object_new_object();
    autoptr(json_object) after = json_object_new_object();
    double began = process_clock_s();

    manifest = json_object_new_object();
    if (!file_remove_tree(folder, err) || !file_make_folder(folder, 0700, err) ||
        !task->store->backup_form(task, &form, err) || !take_facts(task, before, err))
        return false;
    describe(task, &form);

    autofree char *path = xasprintf("%s/%s", folder, form.file);
    if (!stream_engine(task, &form, path, &result, err) || !take_facts(task, after, err))
        return false;
    json_add(manifest, "facts", facts_common(before, after));
    int64_t raw = result.raw_bytes > 0 ? (int64_t)result.raw_bytes
                                       : json_get_int(task->state->facts, "bytes");
    json_add_int(manifest, "raw_bytes", raw);
    json_add_int(manifest, "size_bytes", (int64_t)result.file_bytes);
    json_add_string(manifest, "sha256", result.sha256);
    json_add_double(manifest, "took_s", process_clock_s() - began);
    autofree char *size_before = units_size((double)raw);
    autofree char *size_after = units_size((double)result.file_bytes);
    task_what(task, "%s -> %s", size_before, size_after);
    return true;
}

static bool drop_stream(struct task *task, struct error *err)
{
    autofree char *folder = work_folder(task);
    struct process process;

    if (task->engine != NULL && engine_find(task->engine, &process)) {
        if (!task->store->evict(task, err) ||
            (task->store->backup_undo != NULL && !task->store->backup_undo(task, err)))
            return false;
    }
    return file_remove_tree(folder, err);
}

static bool publish(struct task *task, struct error *err)
{
    autofree char *work = work_folder(task);
    autofree char *path = xasprintf("%s/manifest.json", work);
    autofree char *folder = catalogue_folder(task->site, task_fact_text(task, "backup"));

    return json_write_file(path, manifest, 0600, err) && file_move(work, folder, err);
}

static bool unpublish(struct task *task, struct error *err)
{
    autofree char *folder = catalogue_folder(task->site, task_fact_text(task, "backup"));
    autofree char *work = work_folder(task);

    /* Another job's backup of that name was refused by check: what is there is ours. */
    if (file_exists(folder) && !file_exists(work) && !file_move(folder, work, err))
        return false;
    return true;
}

static bool fill_result(struct task *task, struct error *err)
{
    autoptr(json_object) stored = catalogue_find(task->site, task_fact_text(task, "backup"), err);

    if (stored == NULL)
        return false;
    autoptr(json_object) row = catalogue_row(task->site, stored, true);
    struct json_object_iter member;
    json_object_object_foreachC (row, member) {
        json_add(task->state->result, member.key, json_copy(member.val));
    }
    return true;
}

static const struct step create_steps[] = {
    { "check", check, NULL },
    { "stream", stream_backup, drop_stream },
    { "publish", publish, unpublish },
    { 0 },
};

const struct operation backup_create_operation = { .steps = create_steps, .finish = fill_result };

/* --- delete --- */

static bool check_there(struct task *task, struct error *err)
{
    autoptr(json_object) found =
        catalogue_find(task->site, json_get_string(task->params, "backup"), err);

    return found != NULL;
}

static bool remove_backup(struct task *task, struct error *err)
{
    const char *name = json_get_string(task->params, "backup");
    autofree char *folder = catalogue_folder(task->site, name);
    autofree char *hidden = xasprintf("%s/.deleted-%s", task->site->backups_dir, task->job);

    if (file_exists(folder) && !file_move(folder, hidden, err))
        return false;
    json_add_string(task->state->result, "backup", name);
    json_add_int(task->state->result, "freed_bytes", (int64_t)file_tree_bytes(hidden));
    return file_remove_tree(hidden, err);
}

static const struct step delete_steps[] = {
    { "check", check_there, NULL },
    { "remove", remove_backup, NULL },
    { 0 },
};

const struct operation backup_delete_operation = { .steps = delete_steps,
                                                   .resolve = remove_backup };

/* --- reads --- */

bool command_backup_list(struct task *task, struct json_object *result, struct error *err)
{
    size_t limit = (size_t)json_get_int(task->params, "limit");
    struct page page = { .marker = json_get_string(task->params, "marker"), .limit = limit };
    struct json_object *rows = json_add_array(result, "backups");

    json_add(result, "next_marker", NULL);
    if (!catalogue_list(task->site, json_get_string(task->params, "instance"), &page, rows, err))
        return false;
    if (json_object_array_length(rows) > limit) {
        json_object_array_del_idx(rows, limit, 1);
        json_add_string(result, "next_marker",
                        json_get_string(json_object_array_get_idx(rows, limit - 1), "backup"));
    }
    return true;
}

bool command_backup_show(struct task *task, struct json_object *result, struct error *err)
{
    autoptr(json_object) found =
        catalogue_find(task->site, json_get_string(task->params, "backup"), err);

    if (found == NULL)
        return false;
    autoptr(json_object) row = catalogue_row(task->site, found, true);
    struct json_object_iter member;
    json_object_object_foreachC (row, member) {
        json_add(result, member.key, json_copy(member.val));
    }
    return true;
}
