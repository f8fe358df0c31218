/*
 * The proof of an upgrade: what the old engine says of itself right before its stop, and what the
 * new one says right before commit, both with nobody else in.
 */
#ifndef DBGUEST_UPGRADE_PROOF_H
#define DBGUEST_UPGRADE_PROOF_H

#include <stdbool.h>

struct error;
struct task;

/* Notes what task->engine, the old one, says behind its closed gate. */
bool upgrade_proof_begin(struct task *task, struct error *err);
/* Where it stands then, borrowed; or NULL. */
const char *upgrade_proof_position(void);
/*
 * Compares with it what task->engine, the new one, says: process, position, facts. Last comes that
 * nobody was in meanwhile, or it fails with needs_attention (C18). Keeps the proof as facts.
 */
bool upgrade_proof_end(struct task *task, struct error *err);
/* The process that runs is one of the new tree. */
bool upgrade_proof_process(struct task *task, struct error *err);

#endif
