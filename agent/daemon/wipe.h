/*
 * Secrets are overwritten where they lay, as far as they are ours.
 */
#ifndef DBGUEST_DAEMON_WIPE_H
#define DBGUEST_DAEMON_WIPE_H

struct json_object;

/* All strings in it. */
void wipe_json(struct json_object *value);
/* Frees it, too; NULL is allowed. */
void wipe_text(char *text);

#endif
