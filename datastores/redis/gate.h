/*
 * What else depends on the gate: while it is closed the engine neither rewrites its append-only
 * file nor saves by itself, so that a version on trial leaves data that the other one reads (C23).
 */
#ifndef DBGUEST_REDIS_GATE_H
#define DBGUEST_REDIS_GATE_H

#include "datastore.h"

/* Writes conf/gate.conf. */
bool gate_write(struct task *task, enum gate gate, struct error *err);

#endif
