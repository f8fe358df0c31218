/*
 * What an upgrade compared and found, for programs and as a text for people: `dbguestctl job
 * report`.
 */
#ifndef DBGUEST_UPGRADE_REPORT_H
#define DBGUEST_UPGRADE_REPORT_H

struct task;

/* Fills the result of an upgrade to task->engine's version from the facts of the journal; "report"
 * is the text. */
void upgrade_report(struct task *task);

#endif
