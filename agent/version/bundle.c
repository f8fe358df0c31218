#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bundle_file.h"
#include "datastore.h"
#include "json.h"
#include "memory.h"
#include "pull.h"
#include "site.h"
#include "task.h"
#include "text.h"

/*
 * A bundle on a disk of this machine. Its signature is checked before anything is made of it, and
 * each block of it before that is unpacked; so it may lie where others can write.
 */

static bool check_fits(const struct version_pull *pull, const struct bundle *bundle,
                       struct error *err)
{
    struct json_object *version = json_get(bundle->manifest, "version");
    const char *datastore = json_get_string(version, "datastore");
    const char *architecture = json_get_string(version, "architecture");
    struct utsname name;

    uname(&name);
    if (datastore == NULL || architecture == NULL || json_get_string(version, "digest") == NULL)
        return error_set(err, ERROR_CORRUPT, "the manifest of '%s' is incomplete",
                         pull->source.place);
    if (strcmp(datastore, pull->task->store->name) != 0)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s' holds %s, not %s", pull->source.place,
                         datastore, pull->task->store->name);
    if (strcmp(architecture, name.machine) != 0)
        return error_set(err, ERROR_INCOMPATIBLE, "'%s' is for %s, this machine is %s",
                         pull->source.place, architecture, name.machine);
    return true;
}

static bool look(struct version_pull *pull, struct error *err)
{
    autobundle struct bundle bundle = { 0 };

    if (!bundle_open(pull->source.place, pull->task->site->keys_dir, &bundle, err) ||
        !check_fits(pull, &bundle, err))
        return false;

    struct json_object *version = json_get(bundle.manifest, "version");
    free(pull->tree_digest);
    pull->tree_digest = xstrdup(json_get_string(version, "digest"));
    pull->unpacked_bytes = (uint64_t)json_get_int(version, "size_bytes");
    task_what(pull->task, "signed by %s", bundle.signed_by);
    return true;
}

static bool fetch(struct version_pull *pull, struct error *err)
{
    (void)pull;
    (void)err;
    return true;
}

static bool unpack(struct version_pull *pull, struct error *err)
{
    autobundle struct bundle bundle = { 0 };
    autoptr(json_object) layers = json_object_new_array();

    if (!bundle_open(pull->source.place, pull->task->site->keys_dir, &bundle, err))
        return false;
    json_object_array_add(layers, bundle_layer(&bundle, pull->source.place));
    return pull_unpack_layers(pull, false, layers, err);
}

/* Where the version came from before it was in a bundle, and how it wants to be run. */
static bool describe(struct version_pull *pull, struct json_object *manifest, struct error *err)
{
    static const char *const origins[] = { "source", "asked_for", "suites", "packages" };
    autobundle struct bundle bundle = { 0 };

    if (!bundle_open(pull->source.place, pull->task->site->keys_dir, &bundle, err))
        return false;
    struct json_object *version = json_get(bundle.manifest, "version");
    struct json_object *origin = json_add_object(manifest, "bundle");
    json_add_string(origin, "signed_by", bundle.signed_by);
    json_add_string(origin, "packed_at", json_get_string(bundle.manifest, "packed_at"));
    for (size_t i = 0; i < ARRAY_SIZE(origins); i++)
        if (json_get(version, origins[i]) != NULL)
            json_add(origin, origins[i], json_copy(json_get(version, origins[i])));
    if (json_get(version, "image") != NULL)
        json_add(manifest, "image", json_copy(json_get(version, "image")));
    return true;
}

const struct version_backend version_bundle = { look, fetch, unpack, describe };
