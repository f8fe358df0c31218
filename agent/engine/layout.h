/*
 * The files of an instance's folder that say how its engine runs: instance.json, the links of the
 * current generation, launch.json.
 */
#ifndef DBGUEST_ENGINE_LAYOUT_H
#define DBGUEST_ENGINE_LAYOUT_H

#include <stdbool.h>

#include "cleanup.h"

struct engine;
struct error;

/* launch.json as read back; argv and env are NULL-ended and owned. */
struct program {
    char **argv;
    char **env; /* as environment.h makes it */
    int stop_signal;
    int immediate_signal;
};

struct program *program_read(const struct engine *engine, struct error *err);
void program_free(struct program *program);
DEFINE_AUTOPTR(program, program_free)

/* NULL is nothing to free. */
void layout_free_strings(char **strings);

/* Whether FOLDER/closed is there. */
bool layout_closed(const struct engine *engine);
/* Whether a living worker permits, by its record on tmpfs, to start it all the same (C17). */
bool layout_permitted(const struct engine *engine);
/* Where such a permit lies; the caller frees it. */
char *layout_permit_path(const struct engine *engine);

#endif
