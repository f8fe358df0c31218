/*
 * How long clients have to wait: from the fence to the opening, whichever version opens. Facts of
 * the journal, so that a recovery knows when it began; a reboot begins another clock.
 */
#ifndef DBGUEST_OUTAGE_H
#define DBGUEST_OUTAGE_H

#include <stdbool.h>

struct error;
struct task;

/* From now on clients wait. */
bool outage_begin(struct task *task, struct error *err);
bool outage_began(struct task *task);
/* They are let in again: whoever asks later gets what it was now. */
void outage_end(struct task *task);
double outage_s(struct task *task);

#endif
