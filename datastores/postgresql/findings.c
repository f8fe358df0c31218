#include <string.h>

#include "engine.h"
#include "error.h"
#include "finding.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "text.h"

enum step { ANY_STEP, SAME_MAJOR, OTHER_MAJOR };

/* One question: each row it answers is one finding, its columns put into message and hint. */
struct question {
    enum step step;
    bool each_database; /* asked in all of them, else once */
    const char *severity;
    const char *reason;
    const char *sql; /* gives message and hint */
};

#define SLOTS "FROM pg_replication_slots WHERE NOT temporary ORDER BY 1"
#define PREPARED "FROM pg_prepared_xacts ORDER BY 1"
#define INVALID "FROM pg_database WHERE datconnlimit = -2 ORDER BY 1"

static const struct question questions[] = {
    { SAME_MAJOR, false, "note", "prepared_transaction",
      "SELECT format('%s: ''%s'' of %s', database, gid, prepared::timestamp(0)),"
      " format('it stays; or end it in %s with ROLLBACK PREPARED %L or COMMIT PREPARED %L',"
      "  database, gid, gid) " PREPARED },
    { OTHER_MAJOR, false, "blocker", "prepared_transaction",
      "SELECT format('%s: ''%s'' of %s cannot be carried over', database, gid,"
      " prepared::timestamp(0)),"
      " format('end it in %s with ROLLBACK PREPARED %L or COMMIT PREPARED %L',"
      "  database, gid, gid) " PREPARED },
    { SAME_MAJOR, false, "warning", "invalid_database",
      "SELECT format('%s: a DROP DATABASE was interrupted', datname), 'drop it again' " INVALID },
    { OTHER_MAJOR, false, "blocker", "invalid_database",
      "SELECT format('%s: a DROP DATABASE was interrupted', datname), 'drop it again' " INVALID },
    { OTHER_MAJOR, false, "blocker", "connections_not_allowed",
      "SELECT format('%s: pg_upgrade cannot look into it', datname),"
      " format('ALTER DATABASE %I ALLOW_CONNECTIONS true, or drop it', datname) FROM pg_database"
      " WHERE NOT datallowconn AND datname <> 'template0' AND datconnlimit <> -2 ORDER BY 1" },
    { SAME_MAJOR, false, "note", "replication_slot",
      "SELECT format('slot ''%s'' (%s) is kept', slot_name, slot_type),"
      " 'its reader has to connect again' " SLOTS },
    { OTHER_MAJOR, false, "warning", "replication_slot",
      "SELECT format('slot ''%s'' (%s) is not carried over', slot_name, slot_type),"
      " 'its reader has to begin anew afterwards' " SLOTS },
    { ANY_STEP, false, "blocker", "subscriptions_unsupported",
      "SELECT format('%s: subscription ''%s'' would write while the engine is closed', d.datname,"
      " s.subname), 'drop the subscription' FROM pg_subscription s"
      " JOIN pg_database d ON d.oid = s.subdbid ORDER BY 1" },
    { ANY_STEP, false, "blocker", "tablespaces_unsupported",
      "SELECT format('tablespace ''%s'' lies outside of the data folder', spcname),"
      " 'move what is in it to pg_default and drop it' FROM pg_tablespace"
      " WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY 1" },
    /* What pg_upgrade refuses (its manual, "Notes"): numbers that are others afterwards. */
    { OTHER_MAJOR, true, "blocker", "column_type",
      "SELECT format('%s: column %I of %I.%I is of type %s', current_database(), a.attname,"
      " n.nspname, c.relname, format_type(a.atttypid, NULL)),"
      " 'give it another type (text), or drop it' FROM pg_attribute a"
      " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
      " JOIN pg_type t ON t.oid = a.atttypid"
      " WHERE c.relkind IN ('r', 'm', 'i') AND a.attnum > 0 AND NOT a.attisdropped"
      " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
      " AND coalesce(nullif(t.typbasetype, 0), nullif(t.typelem, 0), t.oid)::regtype::text IN"
      " ('regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper', 'regoperator',"
      "  'regproc', 'regprocedure') ORDER BY 1" },
    { OTHER_MAJOR, true, "note", "large_objects",
      "SELECT format('%s: %s large objects', current_database(), count(*)),"
      " 'each takes some of the outage' FROM pg_largeobject_metadata HAVING count(*) > 1000" },
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

/* Where is being looked, towards what, and what is found. */
struct survey {
    struct task *task;
    PGconn *db;
    const char *database;
    enum step step;
    struct json_object *target;
    struct json_object *findings;
};

static bool check_extensions(const struct survey *survey, struct error *err)
{
    struct json_object *extensions = json_get(survey->target, "extensions");
    autoptr(PGresult) rows =
        pg_query(survey->task, survey->db, "SELECT extname FROM pg_extension ORDER BY 1", err);

    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *name = pg_cell(rows, i, 0);
        autofree char *message =
            xasprintf("%s: the target version has no extension '%s'", survey->database, name);

        if (json_object_is_type(extensions, json_type_array) && !brings(extensions, name))
            finding_add(survey->findings, "blocker", "extension_missing", message,
                        "pull the version with the package that holds it, or drop the extension");
    }
    return true;
}

static bool ask(const struct survey *survey, const struct question *question, struct error *err)
{
    autoptr(PGresult) rows = pg_query(survey->task, survey->db, question->sql, err);

    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++)
        finding_add(survey->findings, question->severity, question->reason, pg_cell(rows, i, 0),
                    pg_cell(rows, i, 1));
    return true;
}

/* What is asked once, or what is asked in each database. */
static bool ask_all(const struct survey *survey, bool each_database, struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(questions); i++)
        if (questions[i].each_database == each_database &&
            (questions[i].step == ANY_STEP || questions[i].step == survey->step) &&
            !ask(survey, &questions[i], err))
            return false;

    return true;
}

static bool check_database(const struct survey *server, const char *database, struct error *err)
{
    autoptr(PGconn) db = pg_connect(server->task, database, err);
    struct survey survey = *server;

    survey.db = db;
    survey.database = database;
    return db != NULL && ask_all(&survey, true, err) && check_extensions(&survey, err) &&
           postgresql_check_collations(server->task, db, server->target, server->findings, err);
}

/* pg_upgrade and the dump in it know what was there on their day, and what came later not. */
static void check_age(const char *from, const char *to, struct json_object *findings)
{
    int least = postgresql_minor_since(from, postgresql_major(to));

    if (least <= postgresql_minor(to))
        return;
    autofree char *message =
        xasprintf("%s is older than %s and may not read what that writes", to, from);
    autofree char *hint = xasprintf("pull %d.%d or later", postgresql_major(to), least);
    finding_add(findings, "blocker", "target_older", message, hint);
}

bool postgresql_check_upgrade(struct task *task, struct json_object *target,
                              struct json_object *findings, struct error *err)
{
    const char *to = json_get_string(target, "engine_version");
    const char *from = task->engine->version;
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autoptr(PGresult) databases = db == NULL ? NULL : postgresql_connectable(task, db, err);
    const struct survey survey = {
        .task = task,
        .db = db,
        .step = postgresql_major(to) == postgresql_major(from) ? SAME_MAJOR : OTHER_MAJOR,
        .target = target,
        .findings = findings,
    };

    if (databases == NULL || !ask_all(&survey, false, err))
        return false;
    check_age(from, to, findings);
    if (survey.step == OTHER_MAJOR && !postgresql_check_known(task, db, target, findings, err))
        return false;
    for (int i = 0; i < PQntuples(databases); i++)
        if (!check_database(&survey, pg_cell(databases, i, 0), err))
            return false;

    return true;
}
