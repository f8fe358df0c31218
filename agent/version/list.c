#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "datastore.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "process.h"
#include "site.h"
#include "task.h"
#include "text.h"
#include "use.h"
#include "version.h"

static void release_names(char ***names)
{
    file_free_names(*names);
}
#define autonames __attribute__((cleanup(release_names)))

char *version_tree_path(const struct site *site, const char *datastore, const char *version)
{
    return xasprintf("%s/%s/%s/tree", site->versions_dir, datastore, version);
}

/* Names become parts of paths: none may lead elsewhere. */
static bool is_plain(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

static bool tells_truth(struct json_object *manifest, const char *datastore, const char *version)
{
    const char *its_datastore = json_get_string(manifest, "datastore");
    const char *its_version = json_get_string(manifest, "version");

    return its_datastore != NULL && strcmp(its_datastore, datastore) == 0 && its_version != NULL &&
           strcmp(its_version, version) == 0 && json_get_string(manifest, "engine_version") != NULL;
}

struct json_object *version_find(const struct site *site, const char *datastore,
                                 const char *version, struct error *err)
{
    autofree char *path =
        xasprintf("%s/%s/%s/manifest.json", site->versions_dir, datastore, version);
    autofree char *tree = version_tree_path(site, datastore, version);

    if (!is_plain(datastore) || !is_plain(version) || !file_exists(path) || !file_exists(tree)) {
        error_set(err, ERROR_NOT_FOUND, "version '%s' of %s is not present", version, datastore);
        error_hint(err, "version.pull it first");
        return NULL;
    }

    autoptr(json_object) manifest = json_read_file(path, err);
    if (manifest == NULL) {
        error_prefix(err, "cannot read version '%s' of %s", version, datastore);
        return NULL;
    }
    if (!tells_truth(manifest, datastore, version)) {
        error_set(err, ERROR_CORRUPT, "'%s' does not hold version '%s' of %s", path, version,
                  datastore);
        error_hint(err, "dbguestctl version remove %s %s, and pull it again", datastore, version);
        return NULL;
    }
    return steal(manifest);
}

/* Seconds since "2026-11-21T03:42:58.104Z"; never negative. */
static double age_s(const char *stamp)
{
    struct tm when = { 0 };

    if (stamp == NULL || strptime(stamp, "%Y-%m-%dT%H:%M:%S", &when) == NULL)
        return 0;
    double age = process_time_s() - (double)timegm(&when);
    return age > 0 ? age : 0;
}

static void add_row_facts(const struct site *site, struct json_object *manifest,
                          struct json_object *row)
{
    const char *datastore = json_get_string(manifest, "datastore");
    const char *version = json_get_string(manifest, "version");
    autofree char *used_by = version_used_by(site, datastore, version);

    json_add_double(row, "age_s", age_s(json_get_string(manifest, "pulled_at")));
    json_add_string(row, "used_by", used_by);
}

static struct json_object *make_row(const struct site *site, struct json_object *manifest)
{
    static const char *const words[] = { "datastore",      "version", "source",
                                         "engine_version", "digest",  "libc" };
    struct json_object *row = json_object_new_object();

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        json_add_string(row, words[i], json_get_string(manifest, words[i]));
    json_add_int(row, "size_bytes", json_get_int(manifest, "size_bytes"));
    add_row_facts(site, manifest, row);
    return row;
}

/* One that cannot be read is shown all the same, so that it can be removed. */
static struct json_object *make_broken_row(const char *datastore, const char *version,
                                           const struct error *err)
{
    struct json_object *row = json_object_new_object();

    json_add_string(row, "datastore", datastore);
    json_add_string(row, "version", version);
    json_add_string(row, "problem", err->message);
    return row;
}

static int compare_names(const void *one, const void *other)
{
    return text_compare_versions(*(char *const *)one, *(char *const *)other);
}

static bool list_one(const struct site *site, const char *datastore, struct json_object *rows,
                     struct error *err)
{
    autofree char *folder = xasprintf("%s/%s", site->versions_dir, datastore);
    autonames char **names = file_names(folder, err);
    size_t count = 0;

    if (names == NULL)
        return false;
    while (names[count] != NULL)
        count++;
    qsort(names, count, sizeof(char *), compare_names);

    for (char **name = names; *name != NULL; name++) {
        struct error broken = { 0 };
        autoptr(json_object) manifest = version_find(site, datastore, *name, &broken);
        if (manifest != NULL)
            json_object_array_add(rows, make_row(site, manifest));
        else if (broken.reason != ERROR_NOT_FOUND)
            json_object_array_add(rows, make_broken_row(datastore, *name, &broken));
        error_clear(&broken);
    }
    return true;
}

bool version_list(const struct site *site, const char *datastore, struct json_object *rows,
                  struct error *err)
{
    autonames char **names = file_names(site->versions_dir, err);

    if (names == NULL)
        return false;
    for (char **name = names; *name != NULL; name++)
        if ((datastore == NULL || strcmp(datastore, *name) == 0) &&
            !list_one(site, *name, rows, err))
            return false;
    return true;
}

static void add_unused(const struct site *site, struct json_object *row, const char *job,
                       struct json_object *rows)
{
    const char *datastore = json_get_string(row, "datastore");
    const char *version = json_get_string(row, "version");
    struct error needed = { 0 };

    if (version_check_unused(site, datastore, version, job, &needed)) {
        autofree char *folder = xasprintf("%s/%s/%s", site->versions_dir, datastore, version);
        struct json_object *unused = json_object_new_object();
        json_add_string(unused, "datastore", datastore);
        json_add_string(unused, "version", version);
        json_add_int(unused, "size_bytes", (int64_t)file_tree_bytes(folder));
        json_object_array_add(rows, unused);
    }
    error_clear(&needed);
}

bool version_list_unused(const struct site *site, const char *datastore, const char *job,
                         struct json_object *rows, struct error *err)
{
    autoptr(json_object) all = json_object_new_array();

    if (!version_list(site, datastore, all, err))
        return false;
    for (size_t i = 0; i < json_object_array_length(all); i++)
        add_unused(site, json_object_array_get_idx(all, i), job, rows);
    return true;
}

static void add_edge(struct task *task, const char *from, struct json_object *other,
                     struct json_object *edges)
{
    static const char *const words[] = {
        [EDGE_SAME_FORMAT] = "same_format",
        [EDGE_MIGRATE] = "migrate",
        [EDGE_DOWNGRADE] = "downgrade",
        [EDGE_NONE] = "none",
    };
    const char *to = json_get_string(other, "engine_version");
    const char *reason = NULL;

    if (to == NULL)
        return;
    enum edge edge = task->store->edge(from, to, &reason);
    struct json_object *row = json_object_new_object();
    json_add_string(row, "version", json_get_string(other, "version"));
    json_add_string(row, "edge", words[edge]);
    json_add_string(row, "reason", reason);
    json_object_array_add(edges, row);
}

static bool add_edges(struct task *task, struct json_object *manifest, struct json_object *row,
                      struct error *err)
{
    autoptr(json_object) others = json_object_new_array();
    struct json_object *edges = json_add_array(row, "edges");
    const char *version = json_get_string(manifest, "version");

    if (!version_list(task->site, json_get_string(manifest, "datastore"), others, err))
        return false;
    for (size_t i = 0; i < json_object_array_length(others); i++) {
        struct json_object *other = json_object_array_get_idx(others, i);
        if (strcmp(json_get_string(other, "version"), version) != 0)
            add_edge(task, json_get_string(manifest, "engine_version"), other, edges);
    }
    return true;
}

bool version_show(struct task *task, const char *datastore, const char *version,
                  struct json_object *row, struct error *err)
{
    autoptr(json_object) manifest = version_find(task->site, datastore, version, err);

    if (manifest == NULL)
        return false;
    struct json_object_iter member;
    json_object_object_foreachC (manifest, member) {
        json_object_object_add(row, member.key, json_object_get(member.val));
    }
    add_row_facts(task->site, manifest, row);
    return task->store == NULL || task->store->edge == NULL || add_edges(task, manifest, row, err);
}
