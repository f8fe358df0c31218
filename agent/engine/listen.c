#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "process.h"
#include "text.h"

#define LISTENERS_MAX 64 /* of one port: as many addresses as a machine may have */
#define STATE_LISTENS 0x0a

/* One of /proc/net/tcp or tcp6. */
struct listener {
    unsigned long long inode;
    bool ipv6;
    bool ours;
};

struct listeners {
    struct listener all[LISTENERS_MAX];
    size_t count;
};

/* "   0: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000  970  0 81231 ..."
 */
static void read_line(char *line, int port, bool ipv6, struct listeners *listeners)
{
    enum field { FIELD_LOCAL = 1, FIELD_STATE = 3, FIELD_INODE = 9, FIELDS };
    const char *fields[FIELDS] = { NULL };
    char *rest = NULL;
    size_t count = 0;

    for (char *word = strtok_r(line, " ", &rest); word != NULL && count < FIELDS;
         word = strtok_r(NULL, " ", &rest))
        fields[count++] = word;
    const char *colon = count < FIELDS ? NULL : strrchr(fields[FIELD_LOCAL], ':');
    if (colon == NULL || (int)strtol(colon + 1, NULL, 16) != port ||
        strtol(fields[FIELD_STATE], NULL, 16) != STATE_LISTENS || listeners->count == LISTENERS_MAX)
        return;
    listeners->all[listeners->count++] =
        (struct listener){ .inode = strtoull(fields[FIELD_INODE], NULL, 10), .ipv6 = ipv6 };
}

static void read_table(const char *path, int port, bool ipv6, struct listeners *listeners)
{
    FILE *file = fopen(path, "re");
    char line[512];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        read_line(line, port, ipv6, listeners);
    if (file != NULL)
        fclose(file);
}

/* Calls each with the inode of every socket that a process has open, until it is false. */
static void each_socket(pid_t pid, bool (*each)(unsigned long long inode, void *context),
                        void *context)
{
    autofree char *folder = xasprintf("/proc/%d/fd", (int)pid);
    DIR *names = opendir(folder);
    bool more = names != NULL;

    for (struct dirent *entry = more ? readdir(names) : NULL; more && entry != NULL;
         entry = readdir(names)) {
        char target[64];
        ssize_t length = readlinkat(dirfd(names), entry->d_name, target, sizeof(target) - 1);

        target[length < 0 ? 0 : length] = '\0';
        if (text_starts(target, "socket:["))
            more = each(strtoull(target + strlen("socket:["), NULL, 10), context);
    }
    if (names != NULL)
        closedir(names);
}

static bool mark_ours(unsigned long long inode, void *context)
{
    struct listeners *listeners = context;

    for (size_t i = 0; i < listeners->count; i++)
        listeners->all[i].ours = listeners->all[i].ours || listeners->all[i].inode == inode;
    return true;
}

/* A search for whoever has a socket. */
struct owner {
    unsigned long long inode;
    bool found;
};

static bool is_owner(unsigned long long inode, void *context)
{
    struct owner *owner = context;

    owner->found = owner->inode == inode;
    return !owner->found;
}

/* 0 when it cannot be known: it may be in another namespace. */
static pid_t owner_of(unsigned long long inode)
{
    DIR *processes = opendir("/proc");
    struct owner owner = { .inode = inode };
    pid_t pid = 0;

    for (struct dirent *entry = processes == NULL ? NULL : readdir(processes);
         entry != NULL && !owner.found; entry = readdir(processes)) {
        pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0)
            each_socket(pid, is_owner, &owner);
    }
    if (processes != NULL)
        closedir(processes);
    return owner.found ? pid : 0;
}

static bool fail_taken(const struct engine *engine, const struct listener *taken, struct error *err)
{
    pid_t pid = owner_of(taken->inode);
    autofree char *path = xasprintf("/proc/%d/comm", (int)pid);
    struct error ignored = { 0 };
    autofree char *name = pid == 0 ? NULL : file_read(path, NULL, &ignored);
    const char *family = taken->ipv6 ? "IPv6" : "IPv4";

    error_clear(&ignored);
    if (name == NULL)
        error_set(err, ERROR_ENGINE, "port %d is taken on %s, by whom is not known", engine->port,
                  family);
    else
        error_set(err, ERROR_ENGINE, "port %d is taken on %s by '%.*s' (process %d)", engine->port,
                  family, (int)strcspn(name, "\n"), name, (int)pid);
    return error_hint(err, "end what has it, then: dbguestctl instance start %s", engine->instance);
}

bool engine_prove_listening(const struct engine *engine, bool one_socket, struct error *err)
{
    struct listeners listeners = { .count = 0 };
    struct process process;
    bool reached = false;

    if (engine->port == 0 || engine->scratch)
        return true;
    read_table("/proc/net/tcp", engine->port, false, &listeners);
    read_table("/proc/net/tcp6", engine->port, true, &listeners);
    if (engine_find(engine, &process))
        each_socket(process.pid, mark_ours, &listeners);
    for (size_t i = 0; i < listeners.count; i++) {
        if (!listeners.all[i].ours)
            return fail_taken(engine, &listeners.all[i], err);
        reached = reached || one_socket || !listeners.all[i].ipv6;
    }
    return reached ||
           error_set(err, ERROR_ENGINE, "the engine does not listen on port %d", engine->port);
}
