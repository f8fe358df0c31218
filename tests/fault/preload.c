/*
 * What may happen to a worker at a record of its journal. Loaded into it by LD_PRELOAD; the worker
 * knows nothing of it. DBGUEST_FAULT names a folder:
 *
 *     rules    a line each: WHEN ACTION RECORD. The first one counts; when it has come true it is
 *              taken away before the action, so that the next one may wait for the next worker.
 *     fired    written right before it is: the worker's pid
 *     records  if it is there, each record is added to it: pid, a space, and the record's JSON
 *
 * RECORD is a part of the record's JSON ({"begin":"fence"). WHEN is
 *
 *     before   nothing of the record is written
 *     torn     half of it is written
 *     written  it is written and not synced
 *     after    it is written, and synced if it is to be
 *
 * ACTION is kill or stop (SIGKILL, SIGSTOP to itself), or, with "before" and "written", the errno
 * that pwrite(2) or fdatasync(2) gives: EIO or ENOSPC. All later ones of this process work again.
 */
#undef _FILE_OFFSET_BITS /* both names of pwrite are wanted as they are */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD 18 /* two numbers of 8 hex digits, a space after each */

struct rule {
    char when[16];
    char action[16];
    char record[256];
};

/* A rule that waits for the sync of what was just written. */
static struct rule pending;
static int pending_fd = -1;

static int open_in_folder(const char *name, int flags)
{
    const char *folder = getenv("DBGUEST_FAULT");
    char path[512];

    if (folder == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return open(path, flags | O_CLOEXEC, 0600);
}

static void put(const char *name, int flags, const char *text, size_t length)
{
    int fd = open_in_folder(name, flags);

    if (fd >= 0 && write(fd, text, length) != (ssize_t)length)
        abort();
    if (fd >= 0)
        close(fd);
}

static bool is_journal(int fd)
{
    char link[64];
    char path[1024];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    if (length < 8)
        return false;
    path[length] = '\0';
    return strcmp(path + length - 8, "/journal") == 0;
}

static size_t read_rules(char *rules, size_t room)
{
    int fd = open_in_folder("rules", O_RDONLY);
    ssize_t length = fd < 0 ? 0 : read(fd, rules, room - 1);

    if (fd >= 0)
        close(fd);
    rules[length < 0 ? 0 : length] = '\0';
    return length < 0 ? 0 : (size_t)length;
}

/* At once, so that a test never sees them half. */
static void take_new_rules(void)
{
    const char *folder = getenv("DBGUEST_FAULT");
    char from[512];
    char to[512];

    snprintf(from, sizeof(from), "%s/rules.new", folder);
    snprintf(to, sizeof(to), "%s/rules", folder);
    if (rename(from, to) != 0)
        abort();
}

/* The first rule, when it is of this record; it is taken away then. */
static bool take_rule(const char *bytes, size_t length, struct rule *rule)
{
    char rules[4096];
    size_t size = read_rules(rules, sizeof(rules));
    const char *end = strchr(rules, '\n');

    *rule = (struct rule){ 0 };
    if (end == NULL ||
        sscanf(rules, "%15s %15s %255[^\n]", rule->when, rule->action, rule->record) != 3)
        return false;
    if (memmem(bytes, length, rule->record, strlen(rule->record)) == NULL)
        return false;
    char pid[16];
    snprintf(pid, sizeof(pid), "%d\n", getpid());
    put("fired", O_WRONLY | O_CREAT | O_TRUNC, pid, strlen(pid));
    put("rules.new", O_WRONLY | O_CREAT | O_TRUNC, end + 1, size - (size_t)(end + 1 - rules));
    take_new_rules();
    return true;
}

/* What fails gives its errno; what dies does not come back; what was stopped goes on. */
static int act(const struct rule *rule)
{
    if (strcmp(rule->action, "kill") == 0)
        kill(getpid(), SIGKILL);
    else if (strcmp(rule->action, "stop") == 0)
        kill(getpid(), SIGSTOP);
    else
        return strcmp(rule->action, "ENOSPC") == 0 ? ENOSPC : EIO;
    return 0;
}

static void note_record(const char *json, size_t length)
{
    int fd = open_in_folder("records", O_WRONLY | O_APPEND);
    char head[16];

    if (fd < 0)
        return;
    snprintf(head, sizeof(head), "%d ", getpid());
    if (write(fd, head, strlen(head)) < 0 || write(fd, json, length) < 0)
        abort();
    close(fd);
}

/* Records that are not waited for: their row is for people only. */
static bool is_synced(const char *json)
{
    return strncmp(json, "{\"done\"", 7) != 0 && strncmp(json, "{\"undone\"", 9) != 0;
}

typedef ssize_t pwrite_function(int fd, const void *bytes, size_t length, off_t offset);

static ssize_t write_record(pwrite_function *real, int fd, const char *bytes, size_t length,
                            off_t offset)
{
    struct rule rule;
    const char *json = bytes + HEAD;

    note_record(json, length - HEAD);
    if (!take_rule(json, length - HEAD, &rule))
        return real(fd, bytes, length, offset);
    if (strcmp(rule.when, "before") == 0 && (errno = act(&rule)) != 0)
        return -1;
    if (strcmp(rule.when, "torn") == 0) {
        if (real(fd, bytes, length / 2, offset) < 0 || (errno = act(&rule)) != 0)
            return -1;
    }
    ssize_t written = real(fd, bytes, length, offset);
    if (strcmp(rule.when, "written") == 0 || strcmp(rule.when, "after") == 0) {
        if (strcmp(rule.when, "after") == 0 && !is_synced(json)) {
            act(&rule);
        } else {
            pending = rule;
            pending_fd = fd;
        }
    }
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    static pwrite_function *real;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite");
    if (length <= HEAD || *(const char *)bytes == '\0' || !is_journal(fd))
        return real(fd, bytes, length, offset);
    return write_record(real, fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset)
{
    return pwrite(fd, bytes, length, offset);
}

int fdatasync(int fd)
{
    static int (*real)(int fd);
    struct rule rule = pending;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    if (fd != pending_fd)
        return real(fd);
    pending_fd = -1;
    if (strcmp(rule.when, "written") == 0 && (errno = act(&rule)) != 0)
        return -1;
    int status = real(fd);
    if (strcmp(rule.when, "after") == 0)
        act(&rule);
    return status;
}
