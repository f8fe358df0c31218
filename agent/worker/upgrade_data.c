#include "upgrade_data.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "engine.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "place.h"
#include "task.h"

static const char *const words[] = {
    [SAFEPOINT_NONE] = "none",
    [SAFEPOINT_CLONE] = "clone",
    [SAFEPOINT_COPY] = "copy",
};

const char *upgrade_data_word(enum safepoint safepoint)
{
    return words[safepoint];
}

enum safepoint upgrade_data_from_word(const char *word)
{
    for (size_t i = 0; word != NULL && i < ARRAY_SIZE(words); i++)
        if (strcmp(word, words[i]) == 0)
            return (enum safepoint)i;

    return SAFEPOINT_NONE;
}

bool upgrade_data_choose(struct task *task, const char *asked, bool migrates,
                         enum safepoint *safepoint, struct error *err)
{
    bool clones = file_can_clone(task->engine->data);

    if (asked == NULL || strcmp(asked, "auto") == 0) {
        *safepoint = clones ? SAFEPOINT_CLONE : migrates ? SAFEPOINT_COPY : SAFEPOINT_NONE;
        return true;
    }
    *safepoint = upgrade_data_from_word(asked);
    if (strcmp(asked, words[*safepoint]) != 0)
        return error_set(err, ERROR_UNSUPPORTED, "safepoint '%s' is not made yet", asked);
    if (*safepoint == SAFEPOINT_NONE && migrates)
        return error_set(err, ERROR_UNSUPPORTED,
                         "a migration works on data of its own: safepoint is clone or copy");
    if (*safepoint != SAFEPOINT_CLONE || clones)
        return true;
    error_set(err, ERROR_UNSUPPORTED, "the file system of '%s' cannot clone", task->engine->data);
    return error_hint(err, "safepoint copy; XFS and btrfs can");
}

uint64_t upgrade_data_bytes(struct task *task, enum safepoint safepoint)
{
    uint64_t bytes = safepoint == SAFEPOINT_NONE ? 0 : file_tree_bytes(task->engine->files);

    /* What the new version writes anew: catalogs, its log's first segments. */
    return safepoint == SAFEPOINT_CLONE ? bytes / 16 : bytes;
}

int upgrade_data_number(const struct engine *engine)
{
    autofree char *folder = xasprintf("%s/data", engine->folder);
    struct error ignored = { 0 };
    char **names = file_names(folder, &ignored);
    int highest = place_data_number(engine);

    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        int number = (int)strtol(names[i], NULL, 10);
        highest = number > highest ? number : highest;
    }
    file_free_names(names);
    error_clear(&ignored);
    return highest + 1;
}

bool upgrade_data_make(const struct engine *engine, struct error *err)
{
    return file_remove_tree(engine->data, err) && file_make_folder(engine->files, 0700, err) &&
           (chown(engine->files, engine->uid, engine->uid) == 0 ||
            error_errno(err, "cannot prepare '%s'", engine->files));
}

bool upgrade_data_drop(const char *folder, int number, struct error *err)
{
    autofree char *path = xasprintf("%s/data/%d", folder, number);

    return file_remove_tree(path, err);
}

/* How much of how much is there. */
struct telling {
    struct task *task;
    uint64_t done_bytes, total_bytes;
};

static bool tell(uint64_t bytes, void *context, struct error *err)
{
    struct telling *telling = context;

    telling->done_bytes += bytes;
    task_progress(telling->task, telling->done_bytes, telling->total_bytes);
    return task_goes_on(telling->task, err);
}

bool upgrade_data_copy(struct task *task, const struct engine *from, const struct engine *to,
                       enum safepoint safepoint, struct error *err)
{
    struct telling telling = { task, 0, file_tree_bytes(from->files) };
    const struct file_copying copying = {
        .how = safepoint == SAFEPOINT_CLONE ? FILE_CLONE : FILE_COPY,
        .tick = tell,
        .context = &telling,
    };

    if (!engine_prove_stopped(from, err) || !file_copy_tree(from->files, to->files, &copying, err))
        return false;
    task_what(task, "%s of %.1f MiB", upgrade_data_word(safepoint),
              (double)telling.total_bytes / (1 << 20));
    return true;
}
