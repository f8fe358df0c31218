/*
 * Who needs a version: instances, backups, open jobs.
 */
#ifndef DBGUEST_VERSION_USE_H
#define DBGUEST_VERSION_USE_H

struct site;

/* "main, shop, 2 backups"; NULL when nobody does. Jobs do not count here. */
char *version_used_by(const struct site *site, const char *datastore, const char *version);
/* The first instance that runs an older version of the datastore; NULL when there is none. */
char *version_instance_before(const struct site *site, const char *datastore, const char *version);

#endif
