#include <string.h>

#include "error.h"
#include "finding.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "text.h"

/* One question: each row it answers is one finding, its columns put into message and hint. */
struct question {
    const char *severity;
    const char *reason;
    const char *sql; /* gives message and hint */
};

static const struct question questions[] = {
    { "note", "prepared_transaction",
      "SELECT format('%s: ''%s'' of %s', database, gid, prepared::timestamp(0)),"
      " format('it stays; or end it in %s with ROLLBACK PREPARED %L or COMMIT PREPARED %L',"
      "  database, gid, gid) FROM pg_prepared_xacts ORDER BY 1" },
    { "warning", "invalid_database",
      "SELECT format('%s: a DROP DATABASE was interrupted', datname), 'drop it again'"
      " FROM pg_database WHERE datconnlimit = -2 ORDER BY 1" },
    { "note", "replication_slot",
      "SELECT format('slot ''%s'' (%s) is kept', slot_name, slot_type),"
      " 'its reader has to connect again' FROM pg_replication_slots WHERE NOT temporary ORDER BY "
      "1" },
    { "blocker", "subscriptions_unsupported",
      "SELECT format('%s: subscription ''%s'' would write while the engine is closed', d.datname,"
      " s.subname), 'drop the subscription' FROM pg_subscription s"
      " JOIN pg_database d ON d.oid = s.subdbid ORDER BY 1" },
    { "blocker", "tablespaces_unsupported",
      "SELECT format('tablespace ''%s'' lies outside of the data folder', spcname),"
      " 'move what is in it to pg_default and drop it' FROM pg_tablespace"
      " WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY 1" },
};

/* Whether the target brings an extension, by the word before the version in "hstore 1.8". */
static bool brings(struct json_object *extensions, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < json_object_array_length(extensions); i++) {
        const char *word = json_object_get_string(json_object_array_get_idx(extensions, i));

        if (strncmp(word, name, length) == 0 && (word[length] == ' ' || word[length] == '\0'))
            return true;
    }
    return false;
}

static bool check_extensions(struct task *task, const char *database,
                             struct json_object *extensions, struct json_object *findings,
                             struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, database, err);
    autoptr(PGresult) rows =
        db == NULL ? NULL : pg_query(task, db, "SELECT extname FROM pg_extension ORDER BY 1", err);

    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *name = pg_cell(rows, i, 0);
        autofree char *message =
            xasprintf("%s: the target version has no extension '%s'", database, name);

        if (!brings(extensions, name))
            finding_add(findings, "blocker", "extension_missing", message,
                        "pull the version with the package that holds it, or drop the extension");
    }
    return true;
}

/* Orders of the C library that the databases were made with, where the target has another. */
static bool check_collations(struct task *task, PGconn *db, const char *libc,
                             struct json_object *findings, struct error *err)
{
    if (PQserverVersion(db) < 150000 || libc == NULL)
        return true;

    autofree char *sql = pg_format(
        db,
        "SELECT format('%%s: glibc %%s -> %%s', datname, datcollversion, %L) FROM pg_database"
        " WHERE datlocprovider = 'c' AND datcollversion <> %L AND NOT datistemplate ORDER BY 1",
        libc, libc);
    autoptr(PGresult) rows = pg_query(task, db, sql, err);
    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++)
        finding_add(
            findings, "warning", "collation_changed", pg_cell(rows, i, 0),
            "afterwards REINDEX the database and ALTER DATABASE .. REFRESH COLLATION VERSION");
    return true;
}

static bool ask(struct task *task, PGconn *db, const struct question *question,
                struct json_object *findings, struct error *err)
{
    autoptr(PGresult) rows = pg_query(task, db, question->sql, err);

    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++)
        finding_add(findings, question->severity, question->reason, pg_cell(rows, i, 0),
                    pg_cell(rows, i, 1));
    return true;
}

bool postgresql_check_upgrade(struct task *task, struct json_object *target,
                              struct json_object *findings, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    struct json_object *extensions = json_get(target, "extensions");

    if (db == NULL)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
        if (!ask(task, db, &questions[i], findings, err))
            return false;
    if (!check_collations(task, db, json_get_string(target, "libc"), findings, err))
        return false;
    if (!json_object_is_type(extensions, json_type_array))
        return true;

    autoptr(PGresult) databases = postgresql_connectable(task, db, err);
    if (databases == NULL)
        return false;
    for (int i = 0; i < PQntuples(databases); i++)
        if (!check_extensions(task, pg_cell(databases, i, 0), extensions, findings, err))
            return false;

    return true;
}
