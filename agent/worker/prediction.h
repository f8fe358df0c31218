/*
 * How long clients will wait, said beforehand: from what starts and stops of this instance took,
 * what the proof will read, and for a migration what the datastore knows of its cost, corrected by
 * what earlier ones took on this VM (STATE/figures.json).
 */
#ifndef DBGUEST_WORKER_PREDICTION_H
#define DBGUEST_WORKER_PREDICTION_H

#include <stdbool.h>

#include "upgrade_data.h"

struct task;

/* Seconds from the fence to the opening. Reads the serving engine, changes nothing. */
double prediction_outage_s(struct task *task, bool migrates, enum safepoint safepoint);
/* After a migration: what its steps took corrects the next prediction. objects is how many the
 * proof compared. */
void prediction_learn(struct task *task, enum safepoint safepoint, double objects);

#endif
