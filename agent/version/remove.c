#include <dirent.h>
#include <signal.h>
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
    if (!text_starts(name, VERSION_PULL))
        return false;

    const char *job = name + strlen(VERSION_PULL);
    autofree char *open = xasprintf("%s/jobs/open/%s", site->state_dir, job);
    if (text_starts(job, VERSION_READ))
        return kill((pid_t)strtol(job + strlen(VERSION_READ), NULL, 10), 0) != 0;
    return !file_exists(open) && (keep == NULL || strcmp(keep, job) != 0);
}

static bool is_abandoned(const struct site *site, const char *folder, const char *name)
{
    autofree char *mark = xasprintf("%s/%s/" VERSION_KEPT_JOB, folder, name);
    struct error unread = { 0 };
    autofree char *job = text_starts(name, VERSION_KEPT) && file_exists(mark)
                             ? file_read(mark, NULL, &unread)
                             : NULL;

    error_clear(&unread);
    if (!text_starts(name, VERSION_KEPT))
        return false;
    autofree char *open = xasprintf("%s/jobs/open/%s", site->state_dir, job != NULL ? job : "-");
    return !file_exists(open);
}

/* Of the folder of a datastore. keep as in version_sweep; kept: only what pulls have kept. */
struct sweep {
    const struct site *site;
    const char *keep;
    bool kept;
    uint64_t freed_bytes;
};

static void sweep_one(struct sweep *sweep, const char *folder)
{
    DIR *stream = opendir(folder);
    struct dirent *entry = NULL;

    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        autofree char *path = xasprintf("%s/%s", folder, entry->d_name);
        struct error err = { 0 };
        bool goes = sweep->kept ? is_abandoned(sweep->site, folder, entry->d_name)
                                : is_left_over(sweep->site, entry->d_name, sweep->keep);
        uint64_t bytes = goes ? file_tree_bytes(path) : 0;
        if (goes && !file_remove_tree(path, &err))
            log_error("cannot remove what is left of a job: %s", err.message);
        else
            sweep->freed_bytes += bytes;
        error_clear(&err);
    }
    if (stream != NULL)
        closedir(stream);
}

static void sweep_all(struct sweep *sweep, const char *datastore)
{
    struct error err = { 0 };
    char **names = file_names(sweep->site->versions_dir, &err);

    error_clear(&err);
    for (char **name = names; name != NULL && *name != NULL; name++) {
        autofree char *folder = xasprintf("%s/%s", sweep->site->versions_dir, *name);
        if (datastore == NULL || strcmp(datastore, *name) == 0)
            sweep_one(sweep, folder);
    }
    file_free_names(names);
}

void version_sweep(const struct site *site, const char *keep)
{
    struct sweep sweep = { .site = site, .keep = keep };

    sweep_all(&sweep, NULL);
}

uint64_t version_sweep_kept(const struct site *site, const char *datastore)
{
    struct sweep sweep = { .site = site, .kept = true };

    sweep_all(&sweep, datastore);
    return sweep.freed_bytes;
}
