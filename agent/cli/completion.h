/*
 * A bash script that completes nouns, verbs, options and names; names by calling dbguestctl.
 */
#ifndef DBGUEST_CLI_COMPLETION_H
#define DBGUEST_CLI_COMPLETION_H

struct document;
struct text;

void completion_bash(const struct document *document, struct text *out);

#endif
