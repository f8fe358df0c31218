#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "postgresql.h"
#include "process.h"
#include "text.h"

/* The agent comes in by what it is, root of this machine, and in no other way; "all" does not mean
 * replication, which has lines of its own. */
#define AGENT_LINES                                                                                \
    "local all postgres peer map=agent\n"                                                          \
    "local replication postgres peer map=agent\n"                                                  \
    "local replication all reject\n"                                                               \
    "host replication all all reject\n"                                                            \
    "host all postgres all reject\n"

static const char *const forms[] = {
    [GATE_CLOSED] = AGENT_LINES "local all all reject\n"
                                "host all all all reject\n",
    [GATE_OPEN] = AGENT_LINES "local all all scram-sha-256\n"
                              "host all all all scram-sha-256\n",
};

/* Sessions of clients; rows without a user are still on their way in (18 and newer show them). */
#define CLIENT_SESSIONS                                                                            \
    "backend_type IN ('client backend', 'walsender') AND usesysid IS NOT NULL"                     \
    " AND usename <> 'postgres'"

bool postgresql_write_gate(struct task *task, enum gate gate, struct error *err)
{
    autofree char *path = xasprintf("%s/pg_hba.conf", task->engine->conf);

    return file_write_owned(path, forms[gate], strlen(forms[gate]), 0640, task->engine->uid, err);
}

/* What /proc/PID/stat says: 0 when it is gone or a zombie. */
static pid_t parent_of(pid_t pid, uint64_t *start_time)
{
    char path[64];
    char line[1024];
    char state = 'X';
    int parent = 0;
    unsigned long long started = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    bool got = fgets(line, sizeof(line), file) != NULL;
    fclose(file);

    const char *after_name = got ? strrchr(line, ')') : NULL;
    if (after_name == NULL ||
        sscanf(after_name,
               ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &state, &parent, &started) != 3 ||
        state == 'Z' || state == 'X')
        return 0;
    *start_time = started;
    return parent;
}

/* The process that collected statistics until 14 is no session and shows up nowhere. */
static bool is_collector(pid_t pid)
{
    static const char title[] = "postgres: stats collector";
    autofree char *path = xasprintf("/proc/%d/cmdline", (int)pid);
    struct error ignored = { 0 };
    size_t length = 0;
    autofree char *said = file_read(path, &length, &ignored);

    error_clear(&ignored);
    while (said != NULL && length > 0 && (said[length - 1] == '\0' || said[length - 1] == ' '))
        length--;
    return said != NULL && length == strlen(title) && memcmp(said, title, length) == 0;
}

static bool is_known(const PGresult *known, pid_t pid)
{
    for (int i = 0; i < PQntuples(known); i++)
        if (pg_cell_int(known, i, 0) == pid)
            return true;

    return false;
}

/*
 * Ends children of the server that are in none of its lists, which are connections that have not
 * said yet who they are; they carry the rules of the time when they were forked. Only those that
 * started no later than `until`: whoever came after that is turned away anyway, and there may
 * always be one more. Sets *left to how many there were.
 */
static bool end_unknown(struct task *task, PGconn *db, const struct process *server, uint64_t until,
                        int *left, struct error *err)
{
    autoptr(PGresult) known = pg_query(task, db,
                                       "SELECT pid FROM pg_stat_activity WHERE usesysid IS NOT NULL"
                                       " OR backend_type NOT IN ('client backend', 'walsender')",
                                       err);
    DIR *folder = known == NULL ? NULL : opendir("/proc");

    if (folder == NULL)
        return known == NULL ? false : error_errno(err, "cannot read '/proc'");

    *left = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        uint64_t started = 0;
        struct process process;

        if (pid <= 0 || parent_of(pid, &started) != server->pid || started > until ||
            is_known(known, pid) || is_collector(pid))
            continue;
        ++*left;
        if (process_find(pid, &process) && process.start_time == started &&
            !process_signal(&process, SIGTERM, err)) {
            closedir(folder);
            return false;
        }
    }
    closedir(folder);
    return true;
}

/*
 * Waits until a new connection meets the new rules. When the server is too full to say so, because
 * somebody holds all connections without a word, those are ended.
 */
static bool await_rules(struct task *task, PGconn *db, const struct process *server,
                        enum pg_answer wanted, struct error *err)
{
    double since = process_clock_s();
    int left = 0;

    for (int sleep_ms = 1;; sleep_ms = sleep_ms < 16 ? sleep_ms * 2 : 20) {
        enum pg_answer answer = pg_ask_gate(task);

        if (answer == wanted)
            return true;
        if (!process_lives(server))
            return error_set(err, ERROR_ENGINE, "the engine ended while its gate moved");
        if (answer == PG_UNKNOWN && process_clock_s() - since > 0.5 &&
            !end_unknown(task, db, server, UINT64_MAX, &left, err))
            return false;
        if (!task_goes_on(task, err))
            return false;
        task_sleep_ms(task, sleep_ms);
    }
}

/* Ends all that came in by the old rules; db came in by the new ones. */
static bool end_clients(struct task *task, PGconn *db, const struct process *server, int *ended,
                        struct error *err)
{
    struct process newcomer;
    int left = 1;

    if (!process_find(PQbackendPID(db), &newcomer))
        return error_set(err, ERROR_INTERNAL, "cannot see the server's processes");

    autofree char *count =
        pg_value(task, db, "SELECT count(*) FROM pg_stat_activity WHERE " CLIENT_SESSIONS, err);
    if (count == NULL)
        return false;

    for (int sleep_ms = 1; left > 0; sleep_ms = sleep_ms < 16 ? sleep_ms * 2 : 20) {
        /* The unknown first: who gets known in between is met by what comes second. */
        if (!end_unknown(task, db, server, newcomer.start_time, &left, err) ||
            !postgresql_end_sessions(task, db, CLIENT_SESSIONS, err))
            return false;
        if (left > 0 && !task_goes_on(task, err))
            return false;
        if (left > 0)
            task_sleep_ms(task, sleep_ms);
    }
    *ended = (int)strtol(count, NULL, 10);
    return true;
}

bool postgresql_gate(struct task *task, enum gate gate, int *ended, struct error *err)
{
    struct process server;
    int count = 0;

    if (!postgresql_write_gate(task, gate, err))
        return false;
    if (engine_find(task->engine, &server)) {
        autoptr(PGconn) before = pg_connect(task, "postgres", err);
        enum pg_answer wanted = gate == GATE_CLOSED ? PG_REJECTED : PG_ASKED;

        if (before == NULL || !process_signal(&server, SIGHUP, err) ||
            !await_rules(task, before, &server, wanted, err))
            return error_prefix(err, "cannot move the gate");
        if (gate == GATE_CLOSED) {
            autoptr(PGconn) after = pg_connect(task, "postgres", err);

            if (after == NULL || !end_clients(task, after, &server, &count, err))
                return error_prefix(err, "cannot end the sessions");
        }
    }
    if (ended != NULL)
        *ended = count;
    return true;
}
