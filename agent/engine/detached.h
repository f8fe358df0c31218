/* An engine as a process without a supervisor of its own; engine.h has the contract. */
#ifndef DBGUEST_ENGINE_DETACHED_H
#define DBGUEST_ENGINE_DETACHED_H

#include <stdbool.h>

struct engine;
struct error;
struct process;

bool detached_start(const struct engine *engine, bool permit, struct process *out,
                    struct error *err);

#endif
