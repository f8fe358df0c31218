/*
 * The fake engine's configuration, lines "name=value", and the version that it is.
 */
#ifndef FAKE_CONF_H
#define FAKE_CONF_H

#include <stdbool.h>
#include <stddef.h>

/* NULL when the tree does not say. */
const char *conf_version(void);
/* What its data looks like: the version's first number. */
int conf_format(void);
int conf_number(const char *name, int fallback);
/* Misbehaviour is set to the version that shows it, or to "all". */
bool conf_misbehaves(const char *how);
/* An exit status; names on stderr what is unknown. */
int conf_check(void);

/* Without its end of line. */
bool conf_first_line(const char *path, char *out, size_t room);

#endif
