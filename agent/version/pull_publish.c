#include "pull.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "datastore.h"
#include "engine.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "process.h"
#include "site.h"
#include "task.h"
#include "text.h"
#include "use.h"

#define MANIFEST "manifest.json"
#define NAMES_MAX 32
#define SHORT_DIGEST (sizeof("sha256:") - 1 + 8)

/* Asks as the last of our uids: no instance that runs may be touched by what a tree holds. */
static bool probe(struct version_pull *pull, struct json_object *manifest, struct error *err)
{
    struct task *task = pull->task;
    struct engine *before = task->engine;
    autofree char *datastore = xstrdup(task->store->name);
    autofree char *user = xstrdup(task->store->user);
    autofree char *instance = xstrdup(task->job);
    struct engine engine = {
        .site = task->site,
        .instance = instance,
        .datastore = datastore,
        .user = user,
        .tree = pull->tree,
        .uid = task->site->uid_first + task->site->uid_count - 1,
        .scratch = true,
    };

    task->engine = &engine;
    bool good = task->store->probe(task, manifest, err);
    task->engine = before;
    if (good && json_get_string(manifest, "engine_version") == NULL)
        return error_set(err, ERROR_INCOMPATIBLE, "the tree does not tell its engine's version");
    return good ||
           error_prefix(err, "'%s' is no %s that works here", pull->source.text, task->store->name);
}

static const char *architecture(void)
{
    static struct utsname name;

    uname(&name);
    return name.machine;
}

/* What dpkg knows of the tree; NULL when it has none. tree_furnish saw to it that the folders on
 * the way are folders. */
static char *read_status(const char *tree)
{
    autofree char *path = xasprintf("%s/var/lib/dpkg/status", tree);
    struct error ignored = { 0 };
    char *status = file_exists(path) ? file_read(path, NULL, &ignored) : NULL;

    error_clear(&ignored);
    return status;
}

char *pull_name(const struct version_pull *pull, const char *dpkg_status,
                const char *engine_version, const char *digest)
{
    const char *names[NAMES_MAX] = { pull->task->store->name };
    const char *const *packages = pull->task->store->packages;

    for (size_t i = 0; packages != NULL && packages[i] != NULL && i + 2 < ARRAY_SIZE(names); i++)
        names[i + 1] = packages[i];
    return version_name(dpkg_status, names, engine_version, digest);
}

static void add_words(struct json_object *manifest, const char *name, char *const *words)
{
    struct json_object *array = json_add_array(manifest, name);

    for (; *words != NULL; words++)
        json_object_array_add(array, json_object_new_string(*words));
}

/* Where it came from, for those who look at it in a year. */
static void add_origin(const struct version_pull *pull, struct json_object *manifest)
{
    static const char *const words[] = { "apt", "oci", "dir", "bundle" };
    char stamp[32];

    process_stamp(stamp);
    json_add_string(manifest, "datastore", pull->task->store->name);
    json_add_string(manifest, "source", pull->source.text);
    json_add_string(manifest, "source_kind", words[pull->source.kind]);
    json_add_string(manifest, "asked_for", pull->source.digest);
    if (pull->source.kind == VERSION_SOURCE_APT) {
        json_add_string(manifest, "suites", pull->source.place);
        add_words(manifest, "packages", pull->packages);
    }
    json_add_string(manifest, "contents", pull->contents);
    json_add_string(manifest, "architecture", architecture());
    json_add_string(manifest, "job", pull->task->job);
    json_add_string(manifest, "state_dir", pull->task->site->state_dir);
    json_add_string(manifest, "pulled_at", stamp);
    json_add_int(manifest, "size_bytes", (int64_t)file_tree_bytes(pull->tree));
}

static bool check_digest(const struct version_pull *pull, const char *digest, struct error *err)
{
    if (pull->tree_digest != NULL && strcmp(pull->tree_digest, digest) != 0)
        return error_set(err, ERROR_CORRUPT, "the tree's digest is %s, '%s' says %s", digest,
                         pull->source.text, pull->tree_digest);

    size_t skip = pull->digest != NULL && !text_starts(pull->digest, "sha256:") ? 7 : 0;

    /* A short one is as good as the person who typed it wanted it to be. */
    if (pull->digest == NULL || text_starts(digest + skip, pull->digest) ||
        (pull->source.digest != NULL && text_starts(pull->source.digest + skip, pull->digest)))
        return true;
    return error_set(err, ERROR_CORRUPT, "the digest is %s, not '%s'", digest, pull->digest);
}

bool version_pull_verify(struct version_pull *pull, struct error *err)
{
    autoptr(json_object) manifest = json_object_new_object();

    if (pull->present_before)
        return true;
    pull->total_bytes = 0;
    autofree char *digest = version_digest(pull->tree, pull_tick, pull, err);
    if (digest == NULL || !check_digest(pull, digest, err))
        return false;

    autofree char *path = xasprintf("%s/version/" MANIFEST, pull->work);
    add_origin(pull, manifest);
    json_add_string(manifest, "digest", digest);
    /* Programs of an image are asked in the environment that it names, so that stands there first.
     */
    if (!pull_describe(pull, manifest, err) || !json_write_file(path, manifest, 0644, err) ||
        !probe(pull, manifest, err))
        return false;

    autofree char *status = read_status(pull->tree);
    autofree char *name =
        pull_name(pull, status, json_get_string(manifest, "engine_version"), digest);
    json_add_string(manifest, "version", name);
    if (!json_write_file(path, manifest, 0644, err))
        return false;

    task_what(pull->task, "says %s, %.*s..., runs with its own libc",
              json_get_string(manifest, "engine_version"), (int)SHORT_DIGEST, digest);
    json_object_put(pull->manifest);
    pull->manifest = steal(manifest);
    return true;
}

/* Job numbers are a state folder's own; several daemons may share the folder of versions. */
static bool is_ours(const struct version_pull *pull, struct json_object *manifest)
{
    const char *job = json_get_string(manifest, "job");
    const char *state_dir = json_get_string(manifest, "state_dir");

    return job != NULL && strcmp(job, pull->task->job) == 0 && state_dir != NULL &&
           strcmp(state_dir, pull->task->site->state_dir) == 0;
}

/* What is there under our name already: ours from before a kill, the same, or another. */
static bool accept_present(struct version_pull *pull, const char *version, struct error *err)
{
    autoptr(json_object) there =
        version_find(pull->task->site, pull->task->store->name, version, err);
    if (there == NULL)
        return false;

    const char *digest = json_get_string(there, "digest");
    if (is_ours(pull, there))
        return true;
    if (digest != NULL && strcmp(digest, json_get_string(pull->manifest, "digest")) == 0) {
        pull->present_before = true;
        return true;
    }
    error_set(err, ERROR_EXISTS, "version '%s' of %s is present already with another digest",
              version, pull->task->store->name);
    return error_hint(err, "dbguestctl version show %s %s; what nothing uses can be removed first",
                      pull->task->store->name, version);
}

bool version_pull_publish(struct version_pull *pull, struct error *err)
{
    const char *version = json_get_string(pull->manifest, "version");
    autofree char *from = xasprintf("%s/version", pull->work);
    autofree char *to = xasprintf("%s/%s", pull->folder, version);

    if (pull->present_before)
        return true;
    if (file_exists(to))
        return accept_present(pull, version, err);
    if (!file_sync_tree(from, err) || !file_move(from, to, err))
        return false;
    log_info("version %s of %s is present, from %s", version, pull->task->store->name,
             pull->source.text);
    return true;
}

bool version_pull_unpublish(struct version_pull *pull, struct error *err)
{
    char **names = file_names(pull->folder, err);
    bool good = names != NULL;

    for (char **name = names; good && *name != NULL; name++) {
        struct error ignored = { 0 };
        autoptr(json_object) manifest =
            version_find(pull->task->site, pull->task->store->name, *name, &ignored);
        error_clear(&ignored);
        if (!is_ours(pull, manifest))
            continue;
        uint64_t freed = 0;
        good = version_remove(pull->task, pull->task->store->name, *name, &freed, err);
    }
    file_free_names(names);
    return good;
}

void version_pull_result(const struct version_pull *pull, struct json_object *result)
{
    static const char *const members[] = { "datastore", "version", "digest", "source" };

    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        json_add_string(result, members[i], json_get_string(pull->manifest, members[i]));
    json_add_int(result, "size_bytes", json_get_int(pull->manifest, "size_bytes"));
    json_add_bool(result, "present_before", pull->present_before);

    const char *version = json_get_string(pull->manifest, "version");
    autofree char *instance =
        version_instance_before(pull->task->site, pull->task->store->name, version);
    json_add_string(result, "instance", instance);
}
