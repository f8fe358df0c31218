#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "file.h"
#include "log.h"
#include "memory.h"
#include "site.h"
#include "task.h"
#include "text.h"
#include "version.h"

#define PULL ".pull-"
#define REMOVING ".removing-"

bool version_remove(struct task *task, const char *datastore, const char *version,
                    uint64_t *freed_bytes, struct error *err)
{
    autofree char *folder = xasprintf("%s/%s", task->site->versions_dir, datastore);
    autofree char *path = xasprintf("%s/%s", folder, version);
    autofree char *leaving = xasprintf("%s/" REMOVING "%s", folder, version);

    if (version[0] == '.' || strchr(version, '/') != NULL)
        return error_set(err, ERROR_NOT_FOUND, "version '%s' of %s is not present", version,
                         datastore);

    /* What an earlier, killed removal has left, before the name is taken again. */
    uint64_t bytes = file_tree_bytes(leaving);
    if (!file_remove_tree(leaving, err))
        return false;
    if (file_exists(path)) {
        if (!version_check_unused(task->site, datastore, version, task->job, err) ||
            !file_move(path, leaving, err))
            return false;
        bytes += file_tree_bytes(leaving);
        if (!file_remove_tree(leaving, err))
            return false;
    }
    log_info("version %s of %s is removed", version, datastore);
    *freed_bytes = bytes;
    return true;
}

static bool is_left_over(const struct site *site, const char *name, const char *keep)
{
    if (text_starts(name, REMOVING))
        return true;
    if (!text_starts(name, PULL))
        return false;

    const char *job = name + strlen(PULL);
    autofree char *open = xasprintf("%s/jobs/open/%s", site->state_dir, job);
    return !file_exists(open) && (keep == NULL || strcmp(keep, job) != 0);
}

static void sweep_one(const struct site *site, const char *folder, const char *keep)
{
    DIR *stream = opendir(folder);
    struct dirent *entry = NULL;

    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        autofree char *path = xasprintf("%s/%s", folder, entry->d_name);
        struct error err = { 0 };
        if (is_left_over(site, entry->d_name, keep) && !file_remove_tree(path, &err))
            log_error("cannot remove what is left of a job: %s", err.message);
        error_clear(&err);
    }
    if (stream != NULL)
        closedir(stream);
}

void version_sweep(const struct site *site, const char *keep)
{
    struct error err = { 0 };
    char **names = file_names(site->versions_dir, &err);

    error_clear(&err);
    for (char **name = names; name != NULL && *name != NULL; name++) {
        autofree char *folder = xasprintf("%s/%s", site->versions_dir, *name);
        sweep_one(site, folder, keep);
    }
    file_free_names(names);
}
