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

/* "postgresql/15.18+deb12u1" of what a generation links to; or NULL. */
static char *version_of(const char *generations, const char *generation)
{
    autofree char *path = xasprintf("%s/%s/version", generations, generation);
    autofree char *target = read_link(path);
    char *slash = target != NULL ? strrchr(target, '/') : NULL;

    while (slash != NULL && slash > target && slash[-1] != '/')
        slash--;
    return slash != NULL ? xstrdup(slash) : NULL;
}

/*
 * What a generation links to is needed: of those there are the current one, the one before it, and
 * one that is being made; older ones go when a newer one has been proved.
 */
static bool instance_uses(const char *instance, const char *wanted)
{
    autofree char *folder = xasprintf("%s/generations", instance);
    autonames char **names = list(folder);

    for (char **name = names; *name != NULL; name++) {
        autofree char *version = version_of(folder, *name);
        if (version != NULL && strcmp(version, wanted) == 0)
            return true;
    }
    return false;
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

/* Whether its present generation is of the datastore, and older. */
static bool runs_older(const char *instance, const char *datastore, const char *version)
{
    autofree char *now = version_of(instance, "current");
    size_t length = strlen(datastore);

    return now != NULL && strncmp(now, datastore, length) == 0 && now[length] == '/' &&
           text_compare_versions(now + length + 1, version) < 0;
}

char *version_instance_before(const struct site *site, const char *datastore, const char *version)
{
    autofree char *folder = xasprintf("%s/instances", site->state_dir);
    autonames char **names = list(folder);

    for (char **name = names; *name != NULL; name++) {
        autofree char *instance = xasprintf("%s/%s", folder, *name);
        if (runs_older(instance, datastore, version))
            return xstrdup(*name);
    }
    return NULL;
}

/* Not parsed: what is torn may still mean it. */
static bool file_names_word(const char *folder, const char *job, const char *file, const char *word)
{
    struct error ignored = { 0 };
    autofree char *path = xasprintf("%s/%s/%s", folder, job, file);
    autofree char *text = file_exists(path) ? file_read(path, NULL, &ignored) : NULL;

    error_clear(&ignored);
    return text != NULL && strstr(text, word) != NULL;
}

/*
 * The id of an open job but job whose request has the version's name in it as a string, or whose
 * journal has: a job may have chosen it by itself. NULL when there is none.
 */
static char *open_job(const struct site *site, const char *version, const char *job)
{
    autofree char *folder = xasprintf("%s/jobs/open", site->state_dir);
    autofree char *word = xasprintf("\"%s\"", version);
    autonames char **names = list(folder);

    for (char **name = names; *name != NULL; name++)
        if ((job == NULL || strcmp(*name, job) != 0) &&
            (file_names_word(folder, *name, "request.json", word) ||
             file_names_word(folder, *name, "journal", word)))
            return xstrdup(*name);
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
