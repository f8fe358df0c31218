/*
 * A change in several steps, kept or undone as a whole, whatever dies (CRASH.md).
 *
 * Each step's `begin` is durable before it runs; what its undo needs is a fact in the journal by
 * then. run and undo look at the world first and do what is missing, so that repeating them is
 * harmless. After the last step comes the commit record. From there it goes forward only: `ready`
 * (which may still be given up, by an abort record, when it fails three times), then the opening
 * record, then `finish`, repeated until it works.
 */
#ifndef DBGUEST_OPERATION_H
#define DBGUEST_OPERATION_H

#include <stdbool.h>

struct error;
struct json_object;
struct task;

struct step {
    const char *name;
    bool (*run)(struct task *task, struct error *err);
    bool (*undo)(struct task *task, struct error *err); /* NULL: leaves nothing behind */
    /* When it fails with needs_attention nothing is undone: all stays as it is, closed, until a
     * person has it recovered, which goes back (C18). */
    bool stays;
};

struct operation {
    const struct step *steps; /* ended by a NULL name */
    /* Points task->engine to what the facts say: after this, steps and undo may be called. Called
     * at the start of a run and of a recovery; may be NULL. */
    bool (*set)(struct task *task, struct error *err);
    bool (*ready)(struct task *task, struct error *err);
    bool (*finish)(struct task *task, struct error *err);
    /*
     * For operations that cannot be undone (one statement, a stop): called by recovery when there
     * is no commit; looks whether the change was made. True: it was, the outcome is ok. False with
     * reason interrupted: it was not, or nobody can tell.
     */
    bool (*resolve)(struct task *task, struct error *err);
    /* From this step on a failure's outcome is rolled_back, with the reason as cause; before it,
     * and when NULL, the reason itself. */
    const char *rolls_back_from;
};

/*
 * Runs it and writes the outcome into the journal. True when the outcome is ok; otherwise err is
 * the outcome. Needs task->journal with its first record.
 */
bool operation_run(const struct operation *operation, struct task *task, struct error *err);
/* Brings what an earlier worker began to its end, and writes the outcome likewise. */
bool operation_recover(const struct operation *operation, struct task *task, struct error *err);

#endif
