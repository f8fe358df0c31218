/*
 * What a process in a version's tree finds in its environment: what it was given, what the image
 * that the version came from says (its search paths and time zone; for the engine its language,
 * too), PATH and LANG. Our own tools speak C.UTF-8, for their words are read.
 */
#ifndef DBGUEST_ENGINE_ENVIRONMENT_H
#define DBGUEST_ENGINE_ENVIRONMENT_H

#include <stdbool.h>

struct engine;

/* NULL-ended, each name once; given may be NULL. The caller frees it by layout_free_strings(). */
char **environment_make(const struct engine *engine, const char *const *given, bool is_tool);

#endif
