/*
 * An engine as a service of its own: one data folder, the tree of one version, one configuration,
 * and the process that may run on it. Whether it is a detached process or a systemd unit is known
 * behind this header only. In both cases `dbguest-launch FOLDER` becomes the engine: it takes the
 * data folder's lock and keeps it over exec, enters the version's tree and drops all rights.
 *
 * What an instance's folder holds (CRASH.md):
 *
 *     instance.json lock closed current -> generations/N
 *     generations/N/{version -> .../VERSION, data -> ../../data/D, conf/, settings.json,
 * launch.json} data/D/{files/, ran.json, engine.lock} log/engine.log
 *
 * The engine sees, at paths that never change: its tree as /, and
 */
#ifndef DBGUEST_ENGINE_H
#define DBGUEST_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"
#include "process.h"

#define ENGINE_DATA "/var/lib/dbguest/data" /* data/D/files, its own to write */
#define ENGINE_CONF "/var/lib/dbguest/conf" /* generations/N/conf */
#define ENGINE_WORK "/var/lib/dbguest/work" /* a tool's extra folder */
#define ENGINE_SOCKETS "/run/dbguest"       /* RUN_DIR/INSTANCE */
#define ENGINE_OTHER "/run/other"           /* a tool's second tree, ... */
#define ENGINE_OLD "/var/lib/dbguest/old"   /* ... and the data that belongs to it */

struct error;
struct json_object;
struct site;

/* All paths are absolute, resolved and as seen outside; strings are owned. */
struct engine {
    const struct site *site;
    char *instance;   /* "main"; of a scratch engine the job's name */
    char *datastore;  /* "mariadb" */
    char *user;       /* the name its uid has inside: "mysql" */
    char *folder;     /* .../instances/main, or a scratch folder of the same layout */
    char *generation; /* .../instances/main/generations/3 */
    char *conf;       /* .../instances/main/generations/3/conf */
    char *data;       /* .../instances/main/data/1 */
    char *files;      /* .../instances/main/data/1/files */
    char *version;    /* "15.18+deb12u1" */
    char *tree;       /* .../versions/postgresql/15.18+deb12u1/tree */
    char *sockets;    /* .../run/dbguest/main */
    char *log;        /* .../instances/main/log/engine.log */
    int number;       /* of the generation: 3 */
    int port;         /* 0: no TCP */
    uid_t uid;        /* gid is the same number */
    bool scratch;     /* nobody but this job knows it: always detached, never open, no port */
};

/*
 * The engine of an instance's or scratch folder: what FOLDER/instance.json says ("name",
 * "datastore", "user", "uid", "sockets", "port") and where FOLDER/current leads. site is borrowed.
 */
struct engine *engine_load(const struct site *site, const char *folder, struct error *err);
void engine_free(struct engine *engine);
DEFINE_AUTOPTR(engine, engine_free)

/*
 * What dbguest-launch executes; a datastore's configure() writes it with engine_write_launch().
 * Paths are those that the engine sees.
 */
struct launch {
    const char *const *argv; /* argv[0] is the program's path inside the tree */
    const char *const *env;  /* NULL-ended; PATH and LANG are always there */
    int stop_signal;         /* asks for a clean stop: SIGINT for PostgreSQL */
    int immediate_signal;    /* ends it now, recovery at next start: SIGQUIT, SIGKILL */
};
bool engine_write_launch(const struct engine *engine, const struct launch *launch,
                         struct error *err);

/*
 * Starts the engine and returns once the process exists and has been told to go; whether it answers
 * is the datastore's to find out. Makes sockets folder and log if missing. Fails with busy when
 * something runs on the data; refuses (needs_attention) while FOLDER/closed exists unless permit is
 * true, which only workers that made the gate themselves may say (C17).
 */
bool engine_start(const struct engine *engine, bool permit, struct process *out, struct error *err);

/* Whether its unit starts at boot; nothing where there are no units. */
bool engine_enable(const struct engine *engine, bool enable, struct error *err);

/* The engine's main process, if it runs on this data folder. */
bool engine_find(const struct engine *engine, struct process *out);

/* Sends the stop signal and returns at once; a process that is not there is a success. */
bool engine_signal_stop(const struct engine *engine, bool immediate, struct error *err);
/*
 * Waits until nothing runs on the data (C13: lock free and no process with the data bound); when
 * the main process has ended by itself what is left of it is ended. tick is called some ten times
 * a second and ends the waiting by false, with err set; it may be NULL. Never kills the main
 * process.
 */
bool engine_wait_stopped(const struct engine *engine,
                         bool (*tick)(void *context, struct error *err), void *context,
                         struct error *err);
/* C13, now. Fails with busy and says who is left. */
bool engine_prove_stopped(const struct engine *engine, struct error *err);
/* Whether process executes a file of engine->tree (by device and inode of /proc/PID/exe). */
bool engine_executes_tree(const struct engine *engine, const struct process *process);

/*
 * Whether the engine, and nobody else, listens on its port, on all addresses: one that finds the
 * port taken on one family may serve on the other and say nothing. one_socket: its IPv6 socket
 * takes IPv4 as well. Fails with engine and says who has the port, if that can be known.
 */
bool engine_prove_listening(const struct engine *engine, bool one_socket, struct error *err);

/* The last lines that the engine wrote (stdout, stderr), at most `lines`; never NULL. */
char *engine_log_tail(const struct engine *engine, size_t lines);
/* Where the log ends now, and what was written since: for errors that quote it. */
uint64_t engine_log_position(const struct engine *engine);
char *engine_log_since(const struct engine *engine, uint64_t position, size_t lines);

/* A program of the tree, run to its end beside or instead of the engine. */
struct engine_tool {
    const char *const *argv; /* argv[0] is a path inside the tree */
    const char *const *env;  /* added to PATH and LANG; never a secret */
    int input;               /* a descriptor for stdin; 0: /dev/null */
    int output;              /* for stdout; 0: collected into the result */
    const char *work;        /* a folder outside, bound writable at ENGINE_WORK, its cwd; or NULL */
    /*
     * A second tree, which lies at ENGINE_OTHER furnished as the first is, and its data, which is
     * at ENGINE_OLD in both; all else but the configuration is at the same path in both, too. The
     * tool may chroot(2) into it, which is how it runs programs with their own C library. NULL:
     * none.
     */
    const struct engine *other;
    bool as_root;         /* keep uid 0 (with CAP_DAC_OVERRIDE only) for socket authentication */
    bool on_stopped_data; /* take the data folders' locks first; busy when an engine runs */
    bool without_data;    /* bind neither data nor conf: only the tree is asked something */
    bool (*tick)(void *context, struct error *err); /* as in process_run */
    void *context;
};

/*
 * Runs it in namespaces of its own (mounts, PIDs) that die with the calling worker (C9), and waits.
 * True when it ran; look at result->status. engine_check_tool() makes a status other than 0 an
 * error (reason engine) with the last lines of stderr as native. Of engine only tree, uid and user
 * are needed when without_data is set.
 */
bool engine_run_tool(const struct engine *engine, const struct engine_tool *tool,
                     struct process_result *result, struct error *err);
bool engine_check_tool(const struct engine *engine, const struct engine_tool *tool,
                       struct process_result *result, struct error *err);
/* The path inside the tree of the first of these that is there ("usr/sbin/mariadbd", with one "*"
 * allowed: the last in version order wins), with a leading "/"; NULL when none. Caller frees. */
char *engine_tree_path(const char *tree, const char *const candidates[]);

#endif
