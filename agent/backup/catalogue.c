#include "catalogue.h"

#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "page.h"
#include "process.h"
#include "site.h"

char *catalogue_folder(const struct site *site, const char *backup)
{
    return xasprintf("%s/%s", site->backups_dir, backup);
}

struct json_object *catalogue_find(const struct site *site, const char *backup, struct error *err)
{
    autofree char *path = xasprintf("%s/%s/manifest.json", site->backups_dir, backup);

    if (!file_exists(path)) {
        error_set(err, ERROR_NOT_FOUND, "backup '%s' does not exist", backup);
        error_hint(err, "dbguestctl backup list");
        return NULL;
    }
    return json_read_file(path, err);
}

static void copy_member(struct json_object *row, struct json_object *manifest, const char *name)
{
    json_add(row, name, json_copy(json_get(manifest, name)));
}

struct json_object *catalogue_row(const struct site *site, struct json_object *manifest, bool all)
{
    static const char *const listed[] = { "backup",     "instance",    "datastore", "version",
                                          "size_bytes", "verified_at", "restore_s" };
    static const char *const shown[] = { "raw_bytes",  "took_s",         "note",
                                         "created_at", "position_start", "position_end",
                                         "sha256",     "asked_by",       "job" };
    struct json_object *row = json_object_new_object();
    const char *name = json_get_string(manifest, "backup");
    double age_s = process_time_s() - json_get_double(manifest, "created_time");

    for (size_t i = 0; i < ARRAY_SIZE(listed); i++)
        copy_member(row, manifest, listed[i]);
    json_add_double(row, "age_s", age_s < 0 ? 0 : age_s);
    if (!all)
        return row;

    autofree char *file =
        xasprintf("%s/%s/%s", site->backups_dir, name, json_get_string(manifest, "file"));
    for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
        copy_member(row, manifest, shown[i]);
    json_add_string(row, "file", file);
    copy_member(row, manifest, "by_hand");
    return row;
}

/* Calls each with every manifest, in order of names, until it returns false. */
static bool each_manifest(const struct site *site,
                          bool (*each)(struct json_object *manifest, void *context), void *context,
                          struct error *err)
{
    char **names = file_names(site->backups_dir, err);
    bool go_on = names != NULL;

    if (names == NULL)
        return false;
    for (size_t i = 0; go_on && names[i] != NULL; i++) {
        struct error ignored = { 0 };
        autoptr(json_object) manifest = catalogue_find(site, names[i], &ignored);

        error_clear(&ignored);
        if (manifest != NULL)
            go_on = each(manifest, context);
    }
    file_free_names(names);
    return true;
}

struct listing {
    const struct site *site;
    const char *instance;
    const char *marker;
    size_t limit;
    struct json_object *rows;
};

static bool is_of(struct json_object *manifest, const char *instance)
{
    const char *of = json_get_string(manifest, "instance");

    return instance == NULL || (of != NULL && strcmp(of, instance) == 0);
}

static bool add_row(struct json_object *manifest, void *context)
{
    struct listing *listing = context;
    const char *name = json_get_string(manifest, "backup");

    if (name == NULL || !is_of(manifest, listing->instance) ||
        (listing->marker != NULL && strcmp(name, listing->marker) <= 0))
        return true;
    json_object_array_add(listing->rows, catalogue_row(listing->site, manifest, false));
    return json_object_array_length(listing->rows) <= listing->limit;
}

bool catalogue_list(const struct site *site, const char *instance, const struct page *page,
                    struct json_object *rows, struct error *err)
{
    struct listing listing = { site, instance, page->marker, page->limit, rows };

    return each_manifest(site, add_row, &listing, err);
}

struct search {
    const char *instance;
    struct json_object *newest;
    size_t count;
};

static bool look_for_newest(struct json_object *manifest, void *context)
{
    struct search *search = context;

    if (!is_of(manifest, search->instance))
        return true;
    search->count++;
    if (search->newest == NULL || json_get_double(manifest, "created_time") >
                                      json_get_double(search->newest, "created_time")) {
        json_object_put(search->newest);
        search->newest = json_object_get(manifest);
    }
    return true;
}

struct json_object *catalogue_newest(const struct site *site, const char *instance)
{
    struct search search = { .instance = instance };
    struct error ignored = { 0 };

    if (!each_manifest(site, look_for_newest, &search, &ignored))
        error_clear(&ignored);
    return search.newest;
}

size_t catalogue_count(const struct site *site, const char *instance)
{
    struct search search = { .instance = instance };
    struct error ignored = { 0 };

    if (!each_manifest(site, look_for_newest, &search, &ignored))
        error_clear(&ignored);
    json_object_put(search.newest);
    return search.count;
}
