#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "finding.h"
#include "flavour.h"
#include "json.h"
#include "memory.h"
#include "my.h"
#include "text.h"

/* "10.11.18" of "mariadbd  Ver 10.11.18-MariaDB-0+deb12u1 for debian-linux-gnu ..."; or NULL. */
static char *version_of(const char *output)
{
    const char *start = strstr(output, "Ver ");
    size_t length = start == NULL ? 0 : strspn(start + 4, "0123456789.");

    return length == 0 ? NULL : xstrndup(start + 4, length);
}

/* "10.11" of "10.11.18": releases within a series share the form of their data. */
static char *series_of(const char *version)
{
    const char *dot = strchr(version, '.');

    return xstrndup(version, dot == NULL ? strlen(version)
                                         : (size_t)(dot - version) + 1 + strcspn(dot + 1, "."));
}

bool mysql_probe(struct task *task, struct json_object *manifest, struct error *err)
{
    const struct flavour *flavour = my_flavour(task);
    autofree char *server = my_server(task, err);
    const char *const argv[] = { server, "--no-defaults", "--version", NULL };
    const struct engine_tool tool = {
        .argv = argv, .without_data = true, .tick = task_tick, .context = task
    };
    autoresult struct process_result result = { 0 };

    if (server == NULL || !engine_check_tool(task->engine, &tool, &result, err))
        return false;

    const char *output = result.output.bytes == NULL ? "" : result.output.bytes;
    bool mariadb = strstr(output, flavour_mariadb.word) != NULL;
    autofree char *version = version_of(output);
    if (version == NULL || mariadb != (flavour == &flavour_mariadb)) {
        error_set(err, ERROR_INCOMPATIBLE, "the server in the tree is not of %s", flavour->name);
        return error_native(err, output);
    }
    autofree char *series = series_of(version);
    json_add_string(manifest, "engine_version", version);
    json_add_string(manifest, "format", series);
    return true;
}

static enum edge edge_between(const char *from, const char *to, const char **reason)
{
    autofree char *series_from = series_of(from);
    autofree char *series_to = series_of(to);
    int step = text_compare_versions(series_from, series_to);

    *reason = NULL;
    if (text_compare_versions(from, to) > 0) {
        *reason = "an older release may misread what a newer one wrote";
        return EDGE_DOWNGRADE;
    }
    if (step == 0)
        return EDGE_SAME_FORMAT;
    *reason = "the system tables change between series";
    return EDGE_MIGRATE;
}

enum edge mariadb_edge(const char *from, const char *to, const char **reason)
{
    return edge_between(from, to, reason);
}

/* MySQL 8.0 changed its dictionary within the series, with no way back. */
enum edge mysql_edge(const char *from, const char *to, const char **reason)
{
    enum edge edge = edge_between(from, to, reason);

    if (edge == EDGE_SAME_FORMAT && text_starts(from, "8.0.") && strcmp(from, to) != 0) {
        *reason = "MySQL 8.0 changes its dictionary from release to release";
        return EDGE_MIGRATE;
    }
    return edge;
}

/* InnoDB keeps the place of a table elsewhere in an .isl file, the other engines in a link. */
char *my_find_outside(const char *files)
{
    autofree char *root = xstrdup(files);
    char *const roots[] = { root, NULL };
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    char *found = NULL;

    for (FTSENT *entry = walk == NULL ? NULL : fts_read(walk); entry != NULL && found == NULL;
         entry = fts_read(walk))
        if (entry->fts_info == FTS_SL || entry->fts_info == FTS_SLNONE ||
            text_ends(entry->fts_name, ".isl"))
            found = xstrdup(entry->fts_path + strlen(files));
    if (walk != NULL)
        fts_close(walk);
    return found;
}

bool mysql_check_upgrade(struct task *task, struct json_object *target,
                         struct json_object *findings, struct error *err)
{
    autofree char *outside = my_find_outside(task->engine->files);
    autoptr(connection) db = my_connect(task, err);
    autoptr(rows) prepared = db == NULL ? NULL : my_query(db, err, "XA RECOVER");

    (void)target;
    if (prepared == NULL)
        return false;
    if (outside != NULL) {
        autofree char *message = xasprintf("'%s' leads out of the data folder", outside);
        finding_add(findings, "blocker", "outside", message,
                    "move the table: ALTER TABLE ... without DATA DIRECTORY");
    }
    if (my_row_count(prepared) > 0) {
        autofree char *message =
            xasprintf("%zu prepared transactions hold their locks over it", my_row_count(prepared));
        finding_add(findings, "warning", "prepared_transactions", message,
                    "end them with XA COMMIT or XA ROLLBACK");
    }
    return my_find_changed(task, db, findings, err);
}
