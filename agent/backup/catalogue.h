/*
 * The backups of this VM: BACKUPS_DIR/NAME/{manifest.json, data.…}. A folder whose name begins with
 * a dot is one that is being made or removed, and no backup.
 */
#ifndef DBGUEST_CATALOGUE_H
#define DBGUEST_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct json_object;
struct page;
struct site;

char *catalogue_folder(const struct site *site, const char *backup);
/* Its manifest; NULL with not_found. */
struct json_object *catalogue_find(const struct site *site, const char *backup, struct error *err);
/* Rows of a page and one more, so that the caller sees whether more follow; of one instance or,
 * with NULL, of all. */
bool catalogue_list(const struct site *site, const char *instance, const struct page *page,
                    struct json_object *rows, struct error *err);
/* A row of a manifest: what backup.list shows, and with all set what backup.show does. */
struct json_object *catalogue_row(const struct site *site, struct json_object *manifest, bool all);
/* The newest backup of an instance, or NULL. */
struct json_object *catalogue_newest(const struct site *site, const char *instance);
size_t catalogue_count(const struct site *site, const char *instance);

#endif
