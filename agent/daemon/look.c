#include "look.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"

/* The engine wrote who it is into the lock of its data (C12). */
static void find_engine(const char *folder, struct look *look)
{
    autofree char *path = xasprintf("%s/current/data/engine.lock", folder);
    struct error ignored = { 0 };
    autoptr(json_object) said = json_read_file(path, &ignored);

    error_clear(&ignored);
    look->lives = process_from_json(said, &look->process) && process_lives(&look->process);
    if (!look->lives)
        look->process = (struct process){ 0 };
}

void look_at(const char *state_dir, struct look *look)
{
    autofree char *folder = xasprintf("%s/instances/%s", state_dir, look->name);
    autofree char *path = xasprintf("%s/instance.json", folder);
    autofree char *closed = xasprintf("%s/closed", folder);
    struct error ignored = { 0 };
    autoptr(json_object) row = json_read_file(path, &ignored);

    error_clear(&ignored);
    look->datastore = xstrdup(json_get_string(row, "datastore"));
    look->wanted = xstrdup(json_get_string(row, "wanted"));
    look->exists = look->datastore != NULL;
    look->closed = file_exists(closed);
    find_engine(folder, look);
}

void look_done(struct look *look)
{
    free(look->name);
    free(look->datastore);
    free(look->wanted);
    *look = (struct look){ 0 };
}

bool look_same_process(const struct process *one, const struct process *other)
{
    return one->pid == other->pid && one->start_time == other->start_time;
}
