/* What of this server the target version does not know, or sees otherwise. */
#include <string.h>

#include "engine.h"
#include "error.h"
#include "finding.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "site.h"

#define NAMES_SHOWN "5"

/*
 * Indexes that depend on an order whose maker, the C library or ICU, is another one in the target:
 * what adapt() will prove and mend.
 */
static const char collations_sql[] =
    "WITH changed AS (SELECT oid AS id FROM pg_collation WHERE collversion IS NOT NULL"
    "  AND (collprovider = 'c' AND collversion <> %L OR collprovider = 'i' AND %s)"
    " UNION ALL SELECT 100 FROM pg_database WHERE datname = current_database()"
    "  AND datcollversion IS NOT NULL"
    "  AND (datlocprovider = 'c' AND datcollversion <> %L OR datlocprovider = 'i' AND %s)),"
    " found AS (SELECT format('%%I.%%I', n.nspname, c.relname) AS name,"
    "  pg_relation_size(c.oid) AS size FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    "  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'i'"
    "  AND n.nspname !~ '^pg_' AND EXISTS"
    "   (SELECT FROM unnest(i.indcollation) x JOIN changed ON changed.id = x))"
    " SELECT format('%%s: %%s indexes (%%s) may be in another order: %%s', current_database(),"
    "  count(*), pg_size_pretty(sum(size)), (SELECT string_agg(name, ', ' ORDER BY name) FROM"
    "  (SELECT name FROM found ORDER BY name LIMIT " NAMES_SHOWN ") first)"
    "  || CASE WHEN count(*) > " NAMES_SHOWN " THEN ', ...' ELSE '' END)"
    " FROM found HAVING count(*) > 0";

bool postgresql_check_collations(struct task *task, PGconn *db, struct json_object *target,
                                 struct json_object *findings, struct error *err)
{
    const char *libc = json_get_string(target, "libc");
    const char *icu = json_get_string(target, "icu");
    autofree char *own_icu = postgresql_icu(task->engine->tree);

    if (PQserverVersion(db) < 150000 || libc == NULL)
        return true;
    const char *other_icu =
        icu == NULL || own_icu == NULL || strcmp(icu, own_icu) != 0 ? "true" : "false";
    autofree char *sql = pg_format(db, collations_sql, libc, other_icu, libc, other_icu);
    autoptr(PGresult) rows = pg_query(task, db, sql, err);
    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++)
        finding_add(findings, "warning", "collation_changed", pg_cell(rows, i, 0),
                    "the upgrade proves each and rebuilds what is out of order before it opens");
    return true;
}

/* Its own list of all settings, a line each that begins with the name; NULL with err. */
static char *known_settings(struct task *task, struct json_object *target, struct error *err)
{
    autofree char *tree = xasprintf("%s/%s/%s/tree", task->site->versions_dir, task->store->name,
                                    json_get_string(target, "version"));
    struct engine engine = *task->engine;
    struct task other = *task;

    engine.tree = tree;
    other.engine = &engine;
    autofree char *said = postgresql_ask_server(&other, "--describe-config", err);
    return said == NULL ? NULL : xasprintf("\n%s", said);
}

bool postgresql_check_known(struct task *task, PGconn *db, struct json_object *target,
                            struct json_object *findings, struct error *err)
{
    autofree char *known = known_settings(task, target, err);
    autoptr(PGresult) rows =
        known == NULL
            ? NULL
            : pg_query(task, db,
                       "SELECT name FROM pg_settings WHERE source = 'configuration file'"
                       " AND name !~ '[.]' AND name NOT IN " PG_FIXED_SETTINGS " ORDER BY 1",
                       err);

    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *name = pg_cell(rows, i, 0);
        autofree char *line = xasprintf("\n%s\t", name);
        autofree char *message = xasprintf("the target version has no setting '%s'", name);
        autofree char *hint =
            xasprintf("take it back: dbguestctl instance configure %s --settings %s=null",
                      task->engine->instance, name);

        if (strstr(known, line) == NULL)
            finding_add(findings, "blocker", "setting_unknown", message, hint);
    }
    return true;
}
