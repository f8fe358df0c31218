#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle_file.h"
#include "datastore.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "oci_image.h"
#include "pull.h"
#include "site.h"
#include "task.h"
#include "text.h"

/*
 * What a source has, without fetching it. Each kind tells what it can: packages and bundles their
 * version, images their tags, for what is in one nobody knows before its programs are asked.
 */

static struct json_object *add_row(const struct version_pull *pull, struct json_object *rows,
                                   const char *version, const char *source)
{
    struct json_object *row = json_object_new_object();

    json_add_string(row, "datastore", pull->task->store->name);
    json_add_string(row, "version", version);
    json_add_string(row, "source", source);
    json_object_array_add(rows, row);
    return row;
}

/* apt's "'URI' NAME_VERSION_ARCHITECTURE.deb SIZE HASH" as dpkg would tell of what is installed. */
static char *status_of(const char *listing)
{
    struct text status = { 0 };

    text_add(&status, "");
    for (const char *at = listing; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        size_t length = strcspn(at, "\n");
        autofree char *line = xstrndup(at, length);
        char *name = line[0] == '\'' ? strstr(line, "' ") : NULL;
        char *version = name != NULL ? strchr(name, '_') : NULL;
        char *end = version != NULL ? strchr(version + 1, '_') : NULL;
        if (end == NULL)
            continue;
        *version = *end = '\0';
        /* A colon is written as in a URI. */
        const char *colon = strstr(version + 1, "%3a");
        text_printf(&status, "Package: %s\nVersion: %s\nStatus: install ok installed\n\n", name + 2,
                    colon != NULL ? colon + 3 : version + 1);
    }
    return status.bytes;
}

static bool of_packages(struct version_pull *pull, struct json_object *rows, struct error *err)
{
    if (!version_apt.look(pull, err))
        return false;

    autofree char *status = status_of(pull->listing);
    autofree char *version = pull_name(pull, status, NULL, NULL);
    struct json_object *row = add_row(pull, rows, version, pull->source.text);
    json_add_int(row, "size_bytes", (int64_t)pull->unpacked_bytes);
    json_add_bool(row, "present", pull_find_present(pull));
    return true;
}

static int compare_sources(const void *one, const void *other)
{
    return text_compare_versions(json_get_string(*(struct json_object *const *)one, "source"),
                                 json_get_string(*(struct json_object *const *)other, "source"));
}

static bool of_images(struct version_pull *pull, struct json_object *rows, struct error *err)
{
    autoptr(json_object) tags = oci_list_tags(pull, err);
    autofree char *head =
        xstrndup(pull->source.text, (size_t)(strrchr(pull->source.text, ':') - pull->source.text));

    if (tags == NULL)
        return false;
    for (size_t i = 0; i < json_object_array_length(tags); i++) {
        autofree char *source =
            xasprintf("%s:%s", head, json_object_get_string(json_object_array_get_idx(tags, i)));
        add_row(pull, rows, NULL, source);
    }
    json_object_array_sort(rows, compare_sources);
    return true;
}

static bool of_folder(struct version_pull *pull, struct json_object *rows, struct error *err)
{
    autofree char *path = xasprintf("%s/var/lib/dpkg/status", pull->source.place);
    struct error unread = { 0 };
    autofree char *status = file_exists(path) ? file_read(path, NULL, &unread) : NULL;

    error_clear(&unread);
    if (!version_dir.look(pull, err))
        return false;
    autofree char *version = pull_name(pull, status, NULL, NULL);
    struct json_object *row = add_row(pull, rows, version, pull->source.text);
    json_add_int(row, "size_bytes", (int64_t)pull->unpacked_bytes);
    return true;
}

static bool of_bundle(struct version_pull *pull, struct json_object *rows, struct error *err)
{
    autobundle struct bundle bundle = { 0 };

    if (!version_bundle.look(pull, err) ||
        !bundle_open(pull->source.place, pull->task->site->keys_dir, &bundle, err))
        return false;
    struct json_object *version = json_get(bundle.manifest, "version");
    struct json_object *row =
        add_row(pull, rows, json_get_string(version, "version"), pull->source.text);
    json_add_int(row, "size_bytes", json_get_int(version, "size_bytes"));
    json_add_string(row, "engine_version", json_get_string(version, "engine_version"));
    json_add_string(row, "digest", json_get_string(version, "digest"));
    json_add_bool(row, "present", pull_find_present(pull));
    return true;
}

/* An image of no tag in particular: there all of them are asked for. */
static char *whole_source(const char *source)
{
    struct version_source parsed = { 0 };
    struct error unfit = { 0 };
    bool is_whole = !text_starts(source, "oci:") || version_source_parse(source, &parsed, &unfit);

    version_source_done(&parsed);
    error_clear(&unfit);
    return is_whole ? xstrdup(source) : xasprintf("%s:latest", source);
}

bool version_available(struct task *task, const char *source, struct json_object *rows,
                       struct error *err)
{
    static bool (*const kinds[])(struct version_pull * pull, struct json_object * rows,
                                 struct error * err) = {
        [VERSION_SOURCE_APT] = of_packages,
        [VERSION_SOURCE_OCI] = of_images,
        [VERSION_SOURCE_DIR] = of_folder,
        [VERSION_SOURCE_BUNDLE] = of_bundle,
    };
    autofree char *whole = whole_source(source);
    struct error undone = { 0 };

    if (task->store == NULL)
        return error_set(err, ERROR_INVALID, "name the datastore that '%s' shall have", source);
    json_add_string(task->params, "source", whole);
    autoptr(version_pull) pull = version_pull_new(task, err);
    if (pull == NULL)
        return false;
    bool good = file_make_folder(pull->folder, 0755, err) &&
                file_make_folder(pull->work, 0700, err) &&
                kinds[pull->source.kind](pull, rows, err);
    version_pull_drop(pull, &undone);
    error_clear(&undone);
    return good;
}
