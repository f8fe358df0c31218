/*
 * What an upgrade compared and found, as a text for people: `dbguestctl job report`.
 */
#ifndef DBGUEST_UPGRADE_REPORT_H
#define DBGUEST_UPGRADE_REPORT_H

struct json_object;
struct task;

/* Adds "report" to the result, from it and the facts of the journal. */
void upgrade_report(struct task *task, struct json_object *result);

#endif
