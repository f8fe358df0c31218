/*
 * Who is on a data folder (C13). The lock alone does not tell: what inherited it can let it go.
 */
#ifndef DBGUEST_ENGINE_PROOF_H
#define DBGUEST_ENGINE_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct engine;
struct error;
struct process;

/* Fills in the living processes that have engine->files bound; returns how many, at most room. */
size_t proof_holders(const struct engine *engine, pid_t *pids, size_t room);
/* Fails with busy, naming one of them, when there are any. */
bool proof_no_holders(const struct engine *engine, struct error *err);
/* The main process as its record names it and as it lives: also before it has bound anything. */
bool proof_main(const struct engine *engine, struct process *out);

#endif
