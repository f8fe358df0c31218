#include "use.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "site.h"
#include "text.h"
#include "version.h"

static void release_names(char ***names)
{
    file_free_names(*names);
}
#define autonames __attribute__((cleanup(release_names)))

/* What cannot be listed is nobody's: an instance on its way out, for example. */
static char **list(const char *folder)
{
    struct error ignored = { 0 };
    char **names = file_names(folder, &ignored);

    error_clear(&ignored);
    return names != NULL ? names : xcalloc(1, sizeof(char *));
}

static char *read_link(const char *path)
{
    char target[PATH_MAX + 1];
    ssize_t length = readlink(path, target, PATH_MAX);

    return length > 0 ? xstrndup(target, (size_t)length) : NULL;
}

/* "postgresql/15.18+deb12u1" of what generation number N of an instance links to; or NULL. */
static char *version_of(const char *instance, long number)
{
    autofree char *path = xasprintf("%s/generations/%ld/version", instance, number);
    autofree char *target = read_link(path);
    char *slash = target != NULL ? strrchr(target, '/') : NULL;

    while (slash != NULL && slash > target && slash[-1] != '/')
        slash--;
    return slash != NULL ? xstrdup(slash) : NULL;
}

static long current_number(const char *instance)
{
    autofree char *path = xasprintf("%s/current", instance);
    autofree char *target = read_link(path);
    const char *slash = target != NULL ? strrchr(target, '/') : NULL;

    return slash != NULL ? strtol(slash + 1, NULL, 10) : 0;
}

/*
 * What is current, and what was current before: the newest older generation with another version,
 * because new settings make a generation too. An instance that is being made has no current one
 * yet: all of its generations count.
 */
static bool instance_uses(const char *instance, const char *wanted)
{
    long number = current_number(instance);
    autofree char *current = version_of(instance, number);

    if (current != NULL && strcmp(current, wanted) == 0)
        return true;

    autofree char *folder = xasprintf("%s/generations", instance);
    autonames char **names = list(folder);
    autofree char *before = NULL;
    long newest = -1;
    for (char **name = names; *name != NULL; name++) {
        long other = strtol(*name, NULL, 10);
        autofree char *version = version_of(instance, other);
        if (version == NULL || (current != NULL && strcmp(version, current) == 0))
            continue;
        if (current == NULL && strcmp(version, wanted) == 0)
            return true;
        if (other < number && other > newest) {
            newest = other;
            free(before);
            before = steal(version);
        }
    }
    return before != NULL && strcmp(before, wanted) == 0;
}

static bool backup_uses(const char *manifest_path, const char *datastore, const char *version)
{
    struct error ignored = { 0 };
    autoptr(json_object) manifest =
        file_exists(manifest_path) ? json_read_file(manifest_path, &ignored) : NULL;
    const char *its_datastore = json_get_string(manifest, "datastore");
    const char *its_version = json_get_string(manifest, "version");

    error_clear(&ignored);
    return its_datastore != NULL && its_version != NULL && strcmp(its_datastore, datastore) == 0 &&
           strcmp(its_version, version) == 0;
}

static size_t count_backups(const struct site *site, const char *datastore, const char *version)
{
    autonames char **names = list(site->backups_dir);
    size_t count = 0;

    for (char **name = names; *name != NULL; name++) {
        autofree char *path = xasprintf("%s/%s/manifest.json", site->backups_dir, *name);
        count += backup_uses(path, datastore, version);
    }
    return count;
}

char *version_used_by(const struct site *site, const char *datastore, const char *version)
{
    autofree char *folder = xasprintf("%s/instances", site->state_dir);
    autofree char *wanted = xasprintf("%s/%s", datastore, version);
    autonames char **names = list(folder);
    autotext struct text users = { 0 };

    for (char **name = names; *name != NULL; name++) {
        autofree char *instance = xasprintf("%s/%s", folder, *name);
        if (instance_uses(instance, wanted))
            text_printf(&users, "%s%s", users.length > 0 ? ", " : "", *name);
    }

    size_t backups = count_backups(site, datastore, version);
    if (backups > 0)
        text_printf(&users, "%s%zu backup%s", users.length > 0 ? ", " : "", backups,
                    backups > 1 ? "s" : "");
    return steal(users.bytes);
}

/*
 * The id of an open job but job whose request has the version's name in it as a string; requests
 * are not parsed, because one that is torn may still mean it. NULL when there is none.
 */
static char *open_job(const struct site *site, const char *version, const char *job)
{
    autofree char *folder = xasprintf("%s/jobs/open", site->state_dir);
    autofree char *word = xasprintf("\"%s\"", version);
    autonames char **names = list(folder);

    for (char **name = names; *name != NULL; name++) {
        struct error ignored = { 0 };
        autofree char *path = xasprintf("%s/%s/request.json", folder, *name);
        autofree char *request = file_exists(path) ? file_read(path, NULL, &ignored) : NULL;
        error_clear(&ignored);
        if (request != NULL && (job == NULL || strcmp(*name, job) != 0) &&
            strstr(request, word) != NULL)
            return xstrdup(*name);
    }
    return NULL;
}

bool version_check_unused(const struct site *site, const char *datastore, const char *version,
                          const char *job, struct error *err)
{
    autofree char *used_by = version_used_by(site, datastore, version);
    autofree char *open = open_job(site, version, job);
    autofree char *path = xasprintf("%s/%s/%s", site->versions_dir, datastore, version);

    if (version[0] == '.' || strchr(version, '/') != NULL || !file_exists(path))
        return error_set(err, ERROR_NOT_FOUND, "version '%s' of %s is not present", version,
                         datastore);
    if (used_by != NULL)
        return error_set(err, ERROR_BUSY, "version '%s' of %s is needed by %s", version, datastore,
                         used_by);
    if (open != NULL)
        return error_set(err, ERROR_BUSY, "version '%s' of %s is named by job %s", version,
                         datastore, open);
    return true;
}
