#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "postgresql.h"
#include "text.h"

/* All tables that are counted together have at most so many pages: some 10 ms. */
#define COUNTED_PAGES 1000

/* Each gives name and value. Ours and what memory decides may differ between versions of the
 * configuration; they are no facts of the tenant's. */
static const char databases_sql[] =
    "SELECT datname, concat_ws(' ', pg_encoding_to_char(encoding), datcollate, datctype,"
    " pg_get_userbyid(datdba)) FROM pg_database ORDER BY 1";
static const char users_sql[] =
    "SELECT rolname, concat_ws(' ', CASE WHEN rolsuper THEN 'superuser' END,"
    " CASE WHEN rolcanlogin THEN 'login' END, CASE WHEN rolcreatedb THEN 'createdb' END,"
    " CASE WHEN rolcreaterole THEN 'createrole' END, CASE WHEN NOT rolinherit THEN 'noinherit' END,"
    " CASE WHEN rolreplication THEN 'replication' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,"
    " 'limit ' || nullif(rolconnlimit, -1), 'until ' || rolvaliduntil,"
    " 'password ' || left(encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex'), 16))"
    " FROM pg_authid WHERE rolname !~ '^pg_' ORDER BY 1";
/* A dump writes the entries in an order of its own; 17 and later have one more privilege (m,
 * MAINTAIN), which is part of ALL. */
#define SORTED(acl)                                                                                \
    "(SELECT string_agg(regexp_replace(a::text, '(=[a-zA-Z*]*)m\\*?', '\\1'), ',' ORDER BY"        \
    " a::text COLLATE \"C\") FROM unnest(" acl ") a)"
static const char grants_sql[] =
    "SELECT format('%I in %I', u.rolname, g.rolname), CASE WHEN bool_or(m.admin_option)"
    "  THEN 'admin' ELSE 'member' END FROM pg_auth_members m"
    " JOIN pg_authid u ON u.oid = m.member JOIN pg_authid g ON g.oid = m.roleid"
    " WHERE u.rolname !~ '^pg_' GROUP BY 1"
    " UNION ALL SELECT format('database %I', datname), " SORTED(
        "datacl") " FROM pg_database"
                  "  WHERE datacl IS NOT NULL"
                  " UNION ALL SELECT format('set %s for %s', coalesce(d.datname, '*'), "
                  "coalesce(r.rolname, '*')),"
                  "  s.setconfig::text FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid "
                  "= s.setdatabase"
                  "  LEFT JOIN pg_authid r ON r.oid = s.setrole ORDER BY 1";
static const char settings_sql[] =
    "SELECT name, setting FROM pg_settings WHERE source = 'configuration file'"
    " AND name NOT IN " PG_FIXED_SETTINGS " ORDER BY 1";

/* In each database: what there is, by kind and name. */
#define SCHEMAS                                                                                    \
    "n.nspname !~ '^pg_(toast|temp|toast_temp)' AND n.nspname NOT IN ('pg_catalog',"               \
    " 'information_schema')"
/* What an extension made comes and goes with its version. */
#define OWN(catalog, alias)                                                                        \
    " AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e'"                               \
    " AND e.classid = 'pg_catalog." catalog "'::regclass AND e.objid = " alias ".oid)"
/* 18 and later note what is not null as constraints. */
static const char objects_sql[] =
    "SELECT format('%I.%I', n.nspname, c.relname), CASE c.relkind WHEN 'r' THEN 'table'"
    "  WHEN 'p' THEN 'partitioned table' WHEN 'i' THEN 'index' WHEN 'I' THEN 'partitioned index'"
    "  WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'"
    "  WHEN 'f' THEN 'foreign table' ELSE 'type' END"
    "  || CASE WHEN x.indisvalid THEN '' WHEN NOT x.indisvalid THEN ' (invalid)' ELSE '' END"
    "  || coalesce(' ' || " SORTED(
        "c.relacl") ", '')"
                    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " LEFT JOIN pg_index x ON x.indexrelid = c.oid WHERE " SCHEMAS OWN(
                        "pg_class",
                        "c") " UNION ALL SELECT format('%I.%I(%s)', n.nspname, p.proname,"
                             "  pg_get_function_identity_arguments(p.oid)), 'function' FROM "
                             "pg_proc p"
                             " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE " SCHEMAS OWN(
                                 "pg_proc",
                                 "p") " UNION ALL SELECT format('constraint %I on %s', k.conname, "
                                      "k.conrelid::regclass), 'constraint'"
                                      " FROM pg_constraint k JOIN pg_namespace n ON n.oid = "
                                      "k.connamespace"
                                      "  WHERE k.conrelid <> 0 AND k.contype <> 'n' AND " SCHEMAS
                                      " UNION ALL SELECT format('trigger %I on %s', t.tgname, "
                                      "t.tgrelid::regclass), 'trigger'"
                                      " FROM pg_trigger t WHERE NOT t.tgisinternal"
                                      " UNION ALL SELECT format('schema %I', n.nspname), 'schema' "
                                      "FROM "
                                      "pg_namespace n WHERE " SCHEMAS
                                      " UNION ALL SELECT format('extension %I', extname), "
                                      "'extension' FROM "
                                      "pg_extension ORDER BY 1";
static const char small_sql[] =
    "SELECT format('%I.%I', n.nspname, c.relname), pg_relation_size(c.oid) / 8192 FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND " SCHEMAS
    " ORDER BY 2, 1 LIMIT 500";

/* Where is being looked, and what is found. */
struct survey {
    struct task *task;
    PGconn *db;
    const char *prefix; /* of the names */
    int64_t pages;      /* that may still be counted */
    bool closed;
};

static bool add_pairs(struct survey *survey, const char *sql, struct json_object *facts,
                      struct error *err)
{
    autoptr(PGresult) rows = pg_query(survey->task, survey->db, sql, err);

    if (rows == NULL)
        return false;
    for (int i = 0; i < PQntuples(rows); i++) {
        autofree char *name = xasprintf("%s%s", survey->prefix, pg_cell(rows, i, 0));
        json_add_string(facts, name, pg_cell(rows, i, 1) == NULL ? "" : pg_cell(rows, i, 1));
    }
    return true;
}

/* Only with nobody else in is a count a fact: it would be another by now. */
static bool is_closed(struct task *task, PGconn *db, bool *closed, struct error *err)
{
    autofree char *doors = pg_value(
        task, db,
        "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method NOT IN ('reject', 'peer')", err);

    if (doors == NULL)
        return false;
    *closed = strcmp(doors, "0") == 0;
    return true;
}

/* The smallest first, until the pages are used up. */
static bool add_rows(struct survey *survey, struct json_object *facts, struct error *err)
{
    autoptr(PGresult) tables = pg_query(survey->task, survey->db, small_sql, err);
    autotext struct text sql = { 0 };

    if (tables == NULL)
        return false;
    for (int i = 0; i < PQntuples(tables) && pg_cell_int(tables, i, 1) <= survey->pages; i++) {
        autofree char *name = pg_format(survey->db, "%L", pg_cell(tables, i, 0));

        survey->pages -= pg_cell_int(tables, i, 1);
        text_printf(&sql, "%sSELECT %s, count(*) FROM %s", i == 0 ? "" : " UNION ALL ", name,
                    pg_cell(tables, i, 0));
    }
    return sql.length == 0 || add_pairs(survey, sql.bytes, facts, err);
}

static bool add_database(struct survey *survey, const char *name, struct json_object *facts,
                         struct error *err)
{
    autoptr(PGconn) db = pg_connect(survey->task, name, err);
    autofree char *prefix = xasprintf("%s: ", name);

    survey->db = db;
    survey->prefix = prefix;
    return db != NULL && add_pairs(survey, objects_sql, json_get(facts, "objects"), err) &&
           (!survey->closed || add_rows(survey, json_get(facts, "rows"), err));
}

static bool add_shared(struct survey *survey, struct json_object *facts, struct error *err)
{
    survey->prefix = "";
    return add_pairs(survey, databases_sql, json_add_object(facts, "databases"), err) &&
           add_pairs(survey, users_sql, json_add_object(facts, "users"), err) &&
           add_pairs(survey, grants_sql, json_add_object(facts, "grants"), err) &&
           add_pairs(survey, settings_sql, json_add_object(facts, "settings"), err);
}

bool postgresql_facts(struct task *task, struct json_object *facts, struct error *err)
{
    autoptr(PGconn) db = pg_connect(task, "postgres", err);
    autoptr(PGresult) databases = db == NULL ? NULL : postgresql_connectable(task, db, err);
    struct survey survey = { .task = task, .db = db, .pages = COUNTED_PAGES };

    if (databases == NULL || !is_closed(task, db, &survey.closed, err) ||
        !add_shared(&survey, facts, err))
        return false;

    json_add_object(facts, "objects");
    if (survey.closed)
        json_add_object(facts, "rows");
    for (int i = 0; i < PQntuples(databases); i++)
        if (!add_database(&survey, pg_cell(databases, i, 0), facts, err))
            return error_prefix(err, "cannot look into database '%s'", pg_cell(databases, i, 0));

    autofree char *version = pg_value(task, db, "SHOW server_version", err);
    autofree char *position =
        version == NULL ? NULL : pg_value(task, db, "SELECT pg_current_wal_lsn()", err);
    json_add_string(facts, "version", version);
    json_add_string(facts, "position", position);
    return position != NULL;
}

/* Every entry of one in the other, and with the same value. */
static bool same_entries(const char *member, struct json_object *before, struct json_object *after,
                         bool partly, struct error *err)
{
    struct json_object_iter entry;

    json_object_object_foreachC (before, entry) {
        const char *was = json_object_get_string(entry.val);
        const char *now = json_get_string(after, entry.key);

        if (now == NULL && partly)
            continue;
        if (now == NULL)
            return error_set(err, ERROR_CORRUPT, "'%s' of the %s is missing afterwards", entry.key,
                             member);
        if (strcmp(now, was) != 0)
            return error_set(err, ERROR_CORRUPT, "'%s' of the %s was '%s' and is '%s'", entry.key,
                             member, was, now);
    }
    return true;
}

/* Which tables are counted follows their size, and that may shrink by a vacuum. */
bool postgresql_facts_follow(struct json_object *before, struct json_object *after,
                             struct error *err)
{
    static const char *const members[] = { "databases", "users", "grants", "settings", "objects" };

    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        struct json_object *old = json_get(before, members[i]);
        struct json_object *new = json_get(after, members[i]);

        if (!same_entries(members[i], old, new, false, err))
            return false;
        if (json_object_object_length(old) != json_object_object_length(new))
            return error_set(err, ERROR_CORRUPT, "there are %d %s afterwards, there were %d",
                             json_object_object_length(new), members[i],
                             json_object_object_length(old));
    }
    struct json_object *rows = json_get(before, "rows");
    return rows == NULL || same_entries("rows", rows, json_get(after, "rows"), true, err);
}

/* "0/5A000148" in 64 bits; false when it is none. */
static bool read_position(const char *text, uint64_t *position)
{
    char *slash = NULL;
    char *end = NULL;
    uint64_t high = strtoull(text, &slash, 16);

    if (slash == text || *slash != '/')
        return false;
    uint64_t low = strtoull(slash + 1, &end, 16);
    if (end == slash + 1 || *end != '\0')
        return false;
    *position = high << 32 | low;
    return true;
}

bool postgresql_position_follows(const char *before, const char *after)
{
    uint64_t from = 0;
    uint64_t to = 0;

    return read_position(before, &from) && read_position(after, &to) && to >= from;
}
