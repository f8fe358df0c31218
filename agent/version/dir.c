#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "memory.h"
#include "process.h"
#include "pull.h"
#include "site.h"
#include "task.h"
#include "text.h"

/* Neither may lie in the other: a copy must not copy itself. */
static bool is_apart(const char *one, const char *other)
{
    size_t length = strlen(one) < strlen(other) ? strlen(one) : strlen(other);
    const char *longer = strlen(one) < strlen(other) ? other : one;

    return strncmp(one, other, length) != 0 ||
           (one[length - 1] != '/' && longer[length] != '/' && longer[length] != '\0');
}

static bool look(struct version_pull *pull, struct error *err)
{
    autofree char *from = realpath(pull->source.place, NULL);
    autofree char *versions = realpath(pull->task->site->versions_dir, NULL);
    struct stat status;

    if (from == NULL || stat(from, &status) != 0 || !S_ISDIR(status.st_mode))
        return error_set(err, ERROR_NOT_FOUND, "there is no folder '%s'", pull->source.place);
    if (versions == NULL || !is_apart(from, versions))
        return error_set(err, ERROR_INVALID, "'%s' and the folder of the versions, '%s', overlap",
                         pull->source.place, pull->task->site->versions_dir);
    pull->unpacked_bytes = file_tree_bytes(from);
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
    /* "/." also copies what a link as the last part of the path points to. */
    autofree char *from = xasprintf("%s/.", pull->source.place);
    const char *const argv[] = {
        "cp", "-a", "--one-file-system", "--reflink=auto", "-T", "--", from, pull->part, NULL
    };
    autoresult struct process_result result = { 0 };

    pull_watch(pull, pull->part, pull->unpacked_bytes);
    if (!pull_run(pull, argv, &result, err))
        return false;
    return result.status == 0 || pull_failed("cp", &result, ERROR_INTERNAL, err);
}

const struct version_backend version_dir = { look, fetch, unpack };
