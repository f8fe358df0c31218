/*
 * What is compared before and after an upgrade (datastore.h), and the position: see facts.c.
 */
#ifndef DBGUEST_REDIS_FACTS_H
#define DBGUEST_REDIS_FACTS_H

/* Of a whole INFO; the caller frees it. */
char *facts_position(const char *info);

#endif
