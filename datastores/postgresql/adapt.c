/*
 * What a new version must do about data that it did not write, once it runs. Above all orders: an
 * index is sorted as the C library or ICU of its time sorted; another one may sort otherwise, and
 * then finds not what is there (wiki.postgresql.org/wiki/Locale_data_changes). pg_upgrade forgets
 * which version a collation had, so that is noted on the old server. Whether an index is still in
 * order amcheck proves with the new libraries; what is not is rebuilt; only then the recorded
 * version is refreshed.
 */
#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "text.h"

/* Of indexes and partition keys: collations with a version, as one writes them. */
static const char noted_sql[] =
    "SELECT format('%I.%I', n.nspname, c.collname), c.collversion FROM pg_collation c"
    " JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.collversion IS NOT NULL"
    " AND c.oid IN (SELECT unnest(indcollation) FROM pg_index"
    "  UNION SELECT unnest(partcollation) FROM pg_partitioned_table) ORDER BY 1";

/* The columns of the rows of `changed`, and of those that depend on one. */
#define CHANGED                                                                                    \
    "WITH changed AS (SELECT k.oid AS id FROM (VALUES %s) v(id, version)"                          \
    " JOIN pg_collation k ON k.oid = v.id"                                                         \
    " WHERE pg_collation_actual_version(k.oid) IS DISTINCT FROM v.version"                         \
    " UNION ALL SELECT 100 FROM pg_database WHERE datname = current_database()"                    \
    " AND datcollversion <> pg_database_collation_actual_version(oid))"
#define CHANGED_INDEXES                                                                            \
    CHANGED                                                                                        \
    " SELECT i.indexrelid, format('%%I.%%I', n.nspname, c.relname), m.amname = 'btree'"            \
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam"     \
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'i' AND EXISTS"              \
    " (SELECT FROM unnest(i.indcollation) x JOIN changed ON changed.id = x) ORDER BY 2"
#define CHANGED_PARTITIONS                                                                         \
    CHANGED                                                                                        \
    " SELECT format('%%I.%%I', n.nspname, c.relname), pg_get_partition_constraintdef(c.oid)"       \
    " FROM pg_inherits h JOIN pg_partitioned_table p ON p.partrelid = h.inhparent"                 \
    " JOIN pg_class c ON c.oid = h.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace"         \
    " WHERE pg_get_partition_constraintdef(c.oid) IS NOT NULL AND EXISTS"                          \
    " (SELECT FROM unnest(p.partcollation) x JOIN changed ON changed.id = x) ORDER BY 1"
#define CHANGED_COLLATIONS                                                                         \
    CHANGED                                                                                        \
    " SELECT format('%%I.%%I', n.nspname, c.collname) FROM changed"                                \
    " JOIN pg_collation c ON c.oid = changed.id JOIN pg_namespace n ON n.oid = c.collnamespace"    \
    " WHERE c.oid <> 100 AND c.collversion <> pg_collation_actual_version(c.oid) ORDER BY 1"

/* Statistics of so little that clients find some when they come back; the rest follows. */
static const char first_analyze[] = "SET vacuum_cost_delay = 0; SET default_statistics_target = 1;"
                                    " SET jit = off; ANALYZE";
static const char full_analyze[] = "ANALYZE";

typedef bool (*database_visit)(struct task *task, const char *database, PGconn *db, void *context,
                               struct error *err);

static bool each_database(struct task *task, database_visit visit, void *context, struct error *err)
{
    autoptr(PGconn) first = pg_connect(task, "postgres", err);
    autoptr(PGresult) databases = first == NULL ? NULL : postgresql_connectable(task, first, err);

    if (databases == NULL)
        return false;
    for (int i = 0; i < PQntuples(databases); i++) {
        const char *name = pg_cell(databases, i, 0);
        autoptr(PGconn) db = pg_connect(task, name, err);

        if (db == NULL || !visit(task, name, db, context, err))
            return error_prefix(err, "database '%s'", name);
    }
    return true;
}

static bool note_collations(struct task *task, const char *database, PGconn *db, void *context,
                            struct error *err)
{
    autoptr(PGresult) rows = pg_query(task, db, noted_sql, err);

    if (rows == NULL)
        return false;
    if (PQntuples(rows) == 0)
        return true;
    struct json_object *versions = json_add_object(context, database);
    for (int i = 0; i < PQntuples(rows); i++)
        json_add_string(versions, pg_cell(rows, i, 0), pg_cell(rows, i, 1));
    return true;
}

bool postgresql_note(struct task *task, struct json_object *noted, struct error *err)
{
    return each_database(task, note_collations, json_add_object(noted, "collations"), err);
}

/* What is found in one database, and done about it. */
struct adapting {
    struct json_object *noted;
    bool migrated;
    unsigned int checked, rebuilt;
};

/* "(to_regcollation('...'), '2.36'), ..." with one that is never there. */
static char *noted_values(PGconn *db, struct json_object *versions)
{
    autotext struct text values = { 0 };
    struct json_object_iter entry;

    text_add(&values, "(0::oid, NULL::text)");
    if (versions != NULL)
        json_object_object_foreachC (versions, entry) {
            autofree char *row = pg_format(db, ", (to_regcollation(%L)::oid, %L)", entry.key,
                                           json_object_get_string(entry.val));
            text_add(&values, row == NULL ? "" : row);
        }
    return xstrdup(values.bytes);
}

static PGresult *ask_changed(struct task *task, PGconn *db, const char *form, const char *values,
                             struct error *err)
{
    autofree char *sql = pg_format(db, form, values);

    return pg_query(task, db, sql, err);
}

/* form has one %s for the name, which is quoted already. */
static bool run_about(struct task *task, PGconn *db, const char *form, const char *name,
                      struct error *err)
{
    autofree char *sql = pg_format(db, form, name);

    return pg_run(task, db, sql, err) || error_prefix(err, "%s", name);
}

/*
 * Within a transaction that is rolled back, so that nothing of it stays; where the user has the
 * extension already it is where he put it. NULL without err: the tree does not bring it.
 */
static char *borrow_amcheck(struct task *task, PGconn *db, struct error *err)
{
    static const char where[] = "SELECT quote_ident(n.nspname) FROM pg_extension e"
                                " JOIN pg_namespace n ON n.oid = e.extnamespace"
                                " WHERE e.extname = 'amcheck'";
    autofree char *there =
        pg_value(task, db, "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'", err);

    if (there == NULL || *there == '\0' ||
        !pg_run(task, db,
                "BEGIN; CREATE SCHEMA IF NOT EXISTS dbguest_amcheck;"
                " CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA dbguest_amcheck",
                err))
        return NULL;
    return pg_value(task, db, where, err);
}

/* Marks in rebuild[] the indexes that are not in order, or of which that cannot be asked. */
static bool find_disordered(struct task *task, PGconn *db, const PGresult *indexes, bool *rebuild,
                            struct error *err)
{
    autofree char *schema = borrow_amcheck(task, db, err);

    if (schema == NULL && err->reason != ERROR_NONE)
        return false;
    for (int i = 0; i < PQntuples(indexes); i++) {
        struct error disorder = { 0 };

        rebuild[i] = schema == NULL || !pg_cell_bool(indexes, i, 2);
        if (rebuild[i])
            continue;
        autofree char *sql = xasprintf("SAVEPOINT one; SELECT %s.bt_index_check(%s)", schema,
                                       pg_cell(indexes, i, 0));
        rebuild[i] = !pg_run(task, db, sql, &disorder);
        error_clear(&disorder);
        if (!task_goes_on(task, err) || !pg_run(task, db, "ROLLBACK TO one", err))
            return false;
    }
    return schema == NULL || pg_run(task, db, "ROLLBACK", err);
}

static bool mend_indexes(struct task *task, PGconn *db, const char *values,
                         struct adapting *adapting, struct error *err)
{
    autoptr(PGresult) indexes = ask_changed(task, db, CHANGED_INDEXES, values, err);

    if (indexes == NULL)
        return false;
    if (PQntuples(indexes) == 0)
        return true;
    autofree bool *rebuild = xcalloc((size_t)PQntuples(indexes), sizeof(bool));
    if (!find_disordered(task, db, indexes, rebuild, err))
        return false;
    for (int i = 0; i < PQntuples(indexes); i++) {
        if (rebuild[i] && !run_about(task, db, "REINDEX INDEX %s", pg_cell(indexes, i, 1), err))
            return false;
        adapting->checked++;
        adapting->rebuilt += rebuild[i];
    }
    return true;
}

/* Rows that would now belong into another partition cannot be moved by us: then it goes back. */
static bool prove_partitions(struct task *task, PGconn *db, const char *values, struct error *err)
{
    autoptr(PGresult) partitions = ask_changed(task, db, CHANGED_PARTITIONS, values, err);

    if (partitions == NULL)
        return false;
    for (int i = 0; i < PQntuples(partitions); i++) {
        const char *name = pg_cell(partitions, i, 0);
        autofree char *sql =
            xasprintf("SELECT 1 FROM %s WHERE NOT (%s) LIMIT 1", name, pg_cell(partitions, i, 1));
        autofree char *stray = pg_value(task, db, sql, err);

        if (stray == NULL)
            return false;
        if (*stray != '\0')
            return error_set(err, ERROR_INCOMPATIBLE,
                             "rows of partition %s belong into another one in the new version's "
                             "order: partition by a key with COLLATE \"C\"",
                             name);
    }
    return true;
}

static bool refresh(struct task *task, const char *database, PGconn *db, const char *values,
                    struct error *err)
{
    autoptr(PGresult) collations = ask_changed(task, db, CHANGED_COLLATIONS, values, err);
    autofree char *whole = pg_format(db, "ALTER DATABASE %I REFRESH COLLATION VERSION", database);

    if (collations == NULL)
        return false;
    for (int i = 0; i < PQntuples(collations); i++)
        if (!run_about(task, db, "ALTER COLLATION %s REFRESH VERSION", pg_cell(collations, i, 0),
                       err))
            return false;
    return strcmp(database, "template0") == 0 || pg_run(task, db, whole, err);
}

static bool update_extensions(struct task *task, PGconn *db, struct error *err)
{
    autoptr(PGresult) old =
        pg_query(task, db,
                 "SELECT quote_ident(e.extname) FROM pg_extension e JOIN pg_available_extensions a"
                 " ON a.name = e.extname WHERE a.default_version <> e.extversion ORDER BY 1",
                 err);

    if (old == NULL)
        return false;
    for (int i = 0; i < PQntuples(old); i++)
        if (!run_about(task, db, "ALTER EXTENSION %s UPDATE", pg_cell(old, i, 0), err))
            return false;
    return true;
}

static bool adapt_database(struct task *task, const char *database, PGconn *db, void *context,
                           struct error *err)
{
    struct adapting *adapting = context;
    struct json_object *versions = json_get(json_get(adapting->noted, "collations"), database);
    autofree char *values = noted_values(db, versions);

    /* Older servers do not know the version of a database's own order. */
    if (PQserverVersion(db) >= 150000 && (!prove_partitions(task, db, values, err) ||
                                          !mend_indexes(task, db, values, adapting, err) ||
                                          !refresh(task, database, db, values, err)))
        return false;
    return !adapting->migrated ||
           (update_extensions(task, db, err) && pg_run(task, db, first_analyze, err));
}

/*
 * Whether C library or ICU are others than those that this data knows, asked once for all
 * databases: one collation of each stands for all. Clients wait.
 */
static bool sorts_otherwise(struct task *task, bool *otherwise, struct error *err)
{
    static const char sql[] =
        "SELECT EXISTS (SELECT FROM pg_database"
        "  WHERE datcollversion <> pg_database_collation_actual_version(oid))"
        " OR EXISTS (SELECT FROM (SELECT DISTINCT ON (collprovider) oid, collversion"
        "  FROM pg_collation WHERE collversion IS NOT NULL ORDER BY collprovider, oid) one"
        "  WHERE collversion <> pg_collation_actual_version(oid))";
    autoptr(PGconn) db = pg_connect(task, "postgres", err);

    if (db == NULL)
        return false;
    *otherwise = false;
    if (PQserverVersion(db) < 150000)
        return true;
    autofree char *answer = pg_value(task, db, sql, err);
    if (answer == NULL)
        return false;
    *otherwise = *answer == 't';
    return true;
}

bool postgresql_adapt(struct task *task, struct json_object *noted, bool migrated,
                      struct error *err)
{
    struct adapting adapting = { .noted = noted, .migrated = migrated };
    bool needed = migrated;

    if (!migrated && !sorts_otherwise(task, &needed, err))
        return false;
    if (!needed) {
        task_what(task, "its libraries sort as those before");
        return true;
    }
    if (!each_database(task, adapt_database, &adapting, err))
        return false;
    task_what(task, "order of %u indexes proved, %u rebuilt%s", adapting.checked, adapting.rebuilt,
              migrated ? ", first statistics" : "");
    return true;
}

static bool analyze(struct task *task, const char *database, PGconn *db, void *context,
                    struct error *err)
{
    (void)database;
    (void)context;
    return pg_run(task, db, full_analyze, err);
}

bool postgresql_polish(struct task *task, struct error *err)
{
    return each_database(task, analyze, NULL, err);
}
