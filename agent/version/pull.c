#include "pull.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "datastore.h"
#include "engine.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "process.h"
#include "site.h"
#include "sum.h"
#include "task.h"
#include "text.h"
#include "units.h"

#define PACKAGES_MAX 101
#define FULL_WEIGHT 100 /* what an engine has */
#define NICE_STEP 1.25  /* sched(7): of two neighbours */
#define NICE_MAX 19
#define DROP_TRIES 40
#define DROP_PAUSE_MS 50
#define SPACE_MARGIN_BYTES ((uint64_t)32 * 1024 * 1024)

static const struct version_backend *const backends[] = {
    [VERSION_SOURCE_APT] = &version_apt,
    [VERSION_SOURCE_OCI] = &version_oci,
    [VERSION_SOURCE_DIR] = &version_dir,
    [VERSION_SOURCE_BUNDLE] = &version_bundle,
};

/* They become arguments and apt's patterns: nothing but plain names, "name=version" at most. */
static bool is_package(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-:=~_") ==
               strlen(text) &&
           strchr("+.-:=~_", text[0]) == NULL;
}

static bool take_packages(struct version_pull *pull, struct error *err)
{
    const char *asked[PACKAGES_MAX + 1] = { 0 };
    const char *const *names = asked;
    size_t count = 0;

    if (!json_strings(pull->task->params, "packages", asked, ARRAY_SIZE(asked), err))
        return false;
    if (names[0] == NULL && pull->task->store->packages != NULL)
        names = pull->task->store->packages;

    pull->packages = xcalloc(PACKAGES_MAX + 1, sizeof(char *));
    for (; names[count] != NULL && count < PACKAGES_MAX; count++) {
        if (!is_package(names[count]))
            return error_set(err, ERROR_INVALID, "'%s' is not the name of a package", names[count]);
        pull->packages[count] = xstrdup(names[count]);
    }
    return true;
}

/* A name for a source that can be one of a folder. */
static char *kept_folder(const char *folder, const char *source)
{
    autofree char *sum = sum_of(source, strlen(source));

    return xasprintf("%s/" VERSION_KEPT "%.16s", folder, sum);
}

/*
 * Engines come first: whatever it runs inherits both. Each step of niceness is a quarter less; what
 * is idle for the disk waits for all others. (Under systemd the job's unit has weights besides.)
 */
static void give_way(int weight)
{
    int niceness = 0;

    if (weight <= 0 || weight >= FULL_WEIGHT)
        return;
    for (double share = FULL_WEIGHT; share > weight && niceness < NICE_MAX; niceness++)
        share /= NICE_STEP;
    setpriority(PRIO_PROCESS, 0, niceness);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
}

static bool take_params(struct version_pull *pull, struct error *err)
{
    const char *digest = json_get_string(pull->task->params, "digest");
    const char *source = NULL;

    pull->digest = xstrdup(digest);
    return json_string(pull->task->params, "source", &source, err) &&
           version_source_parse(source, &pull->source, err) && take_packages(pull, err);
}

struct version_pull *version_pull_new(struct task *task, struct error *err)
{
    autoptr(version_pull) pull = xcalloc(1, sizeof(*pull));

    pull->task = task;
    if (!take_params(pull, err))
        return NULL;
    pull->folder = xasprintf("%s/%s", task->site->versions_dir, task->store->name);
    /* Reads are no jobs: several may be at it. */
    pull->work = strcmp(task->job, "read") == 0
                     ? xasprintf("%s/" VERSION_PULL VERSION_READ "%d", pull->folder, (int)getpid())
                     : xasprintf("%s/" VERSION_PULL "%s", pull->folder, task->job);
    pull->part = xasprintf("%s/tree.part", pull->work);
    pull->tree = xasprintf("%s/version/tree", pull->work);
    pull->kept = kept_folder(pull->folder, pull->source.text);
    /* Until it is known why this try ends: whoever takes over from one that died knows nothing. */
    pull->goes_on = true;
    give_way(task->site->pull_weight);
    return steal(pull);
}

void version_pull_free(struct version_pull *pull)
{
    if (pull == NULL)
        return;
    version_source_done(&pull->source);
    for (char **package = pull->packages; package != NULL && *package != NULL; package++)
        free(*package);
    free(pull->packages);
    free(pull->digest);
    free(pull->listing);
    free(pull->contents);
    free(pull->tree_digest);
    free(pull->folder);
    free(pull->work);
    free(pull->part);
    free(pull->tree);
    free(pull->kept);
    json_object_put(pull->manifest);
    free(pull);
}

static void add_hint(struct json_object *version, struct error *err)
{
    autofree char *size = units_size(json_get_double(version, "size_bytes"));

    error_hint(err, "dbguestctl version remove %s %s frees %s",
               json_get_string(version, "datastore"), json_get_string(version, "version"), size);
}

/* The largest version that nobody needs, as the way out. */
static void hint_removable(const struct version_pull *pull, struct error *err)
{
    const struct site *site = pull->task->site;
    autoptr(json_object) rows = json_object_new_array();
    struct error ignored = { 0 };
    struct json_object *best = NULL;

    if (version_list(site, NULL, rows, &ignored))
        for (size_t i = 0; i < json_object_array_length(rows); i++) {
            struct json_object *row = json_object_array_get_idx(rows, i);
            if (json_get_string(row, "used_by") == NULL &&
                (best == NULL ||
                 json_get_int(row, "size_bytes") > json_get_int(best, "size_bytes")))
                best = row;
        }
    error_clear(&ignored);
    if (best != NULL)
        add_hint(best, err);
}

/* A full disk is told in the same way whoever met it. What came is kept for a source that may
 * answer later. */
static bool explain(struct version_pull *pull, struct error *err)
{
    pull->goes_on = err->reason == ERROR_INTERNAL || err->reason == ERROR_DEADLINE;
    if (err->reason != ERROR_NO_SPACE)
        return false;
    if (err->data == NULL) {
        uint64_t left = file_free_bytes(pull->folder);
        error_add(err, "path", json_object_new_string(pull->folder));
        error_add(err, "free_bytes", json_object_new_int64((int64_t)left));
    }
    hint_removable(pull, err);
    return false;
}

static bool same_text(const char *one, const char *other)
{
    return one != NULL && other != NULL && strcmp(one, other) == 0;
}

bool pull_find_present(struct version_pull *pull)
{
    struct error ignored = { 0 };
    char **names = file_names(pull->folder, &ignored);

    for (char **name = names; name != NULL && *name != NULL && !pull->present_before; name++) {
        autoptr(json_object) manifest =
            version_find(pull->task->site, pull->task->store->name, *name, &ignored);

        error_clear(&ignored);
        if (!same_text(json_get_string(manifest, "contents"), pull->contents) &&
            !same_text(json_get_string(manifest, "digest"), pull->tree_digest))
            continue;
        pull->present_before = true;
        json_object_put(pull->manifest);
        pull->manifest = steal(manifest);
        task_what(pull->task, "%s is present, of the same contents", *name);
    }
    error_clear(&ignored);
    file_free_names(names);
    return pull->present_before;
}

bool version_pull_look(struct version_pull *pull, struct error *err)
{
    pull->goes_on = false;
    if (!file_make_folder(pull->folder, 0755, err) || !file_make_folder(pull->work, 0700, err) ||
        !backends[pull->source.kind]->look(pull, err))
        return explain(pull, err);
    pull_find_present(pull);
    return true;
}

bool version_pull_space(struct version_pull *pull, struct error *err)
{
    autofree char *what = xasprintf("%s from %s", pull->task->store->name, pull->source.text);
    uint64_t needed =
        pull->download_bytes + pull->unpacked_bytes + pull->passing_bytes + SPACE_MARGIN_BYTES;

    if (pull->present_before)
        return true;
    if (!file_exists(pull->tree) && !file_need_space(pull->folder, needed, what, err))
        return explain(pull, err);
    autofree char *size = units_size((double)needed);
    autofree char *left = units_size((double)file_free_bytes(pull->folder));
    task_what(pull->task, "%s needed (download, tree), %s free", size, left);
    return true;
}

bool version_pull_fetch(struct version_pull *pull, struct error *err)
{
    return pull->present_before || file_exists(pull->tree) ||
           backends[pull->source.kind]->fetch(pull, err) || explain(pull, err);
}

static bool unpack(struct version_pull *pull, struct error *err)
{
    autofree char *version = pull_folder(pull, "version", err);

    return version != NULL && file_remove_tree(pull->part, err) &&
           backends[pull->source.kind]->unpack(pull, err) && tree_furnish(pull->part, err) &&
           file_move(pull->part, pull->tree, err);
}

bool version_pull_unpack(struct version_pull *pull, struct error *err)
{
    if (pull->present_before)
        return true;
    if (!file_exists(pull->tree) && !unpack(pull, err))
        return explain(pull, err);
    autofree char *size = units_size((double)file_tree_bytes(pull->tree));
    task_what(pull->task, "%s", size);
    return true;
}

bool pull_describe(struct version_pull *pull, struct json_object *manifest, struct error *err)
{
    const struct version_backend *backend = backends[pull->source.kind];

    return backend->describe == NULL || backend->describe(pull, manifest, err);
}

bool version_pull_drop(struct version_pull *pull, struct error *err)
{
    /* What was stopped with its namespace may write for another moment. */
    for (int i = 0; i < DROP_TRIES; i++) {
        error_clear(err);
        if (file_remove_tree(pull->work, err))
            return pull->goes_on || file_remove_tree(pull->kept, err);
        task_sleep_ms(pull->task, DROP_PAUSE_MS);
    }
    return false;
}

bool version_pull_end(struct version_pull *pull, struct error *err)
{
    pull->goes_on = false;
    return version_pull_drop(pull, err);
}
