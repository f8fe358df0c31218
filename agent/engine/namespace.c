#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "engine.h"
#include "error.h"
#include "memory.h"

#define PLAIN (MS_NOSUID | MS_NODEV)
#define NO_PROGRAMS (PLAIN | MS_NOEXEC)

/*
 * Paths in a tree are looked up as if it were the root already: a link in it ("/var/run", "/etc/
 * resolv.conf") must lead to where it will lead then, and never out.
 */
static int open_inside(int tree, const char *path)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };

    return (int)syscall(SYS_openat2, tree, path, &how, sizeof(how));
}

struct target {
    char path[32];
};

/* How mount(2) is told to take a descriptor. */
static struct target target_of(int fd)
{
    struct target target;

    snprintf(target.path, sizeof(target.path), "/proc/self/fd/%d", fd);
    return target;
}

static bool mount_inside(int tree, const char *type, const char *path, const char *options,
                         struct error *err)
{
    autoclose int fd = open_inside(tree, path);
    bool programs = strcmp(path, "/tmp") == 0;

    if (fd < 0 ||
        mount(type, target_of(fd).path, type, programs ? PLAIN : NO_PROGRAMS, options) != 0)
        return error_errno(err, "cannot mount %s on '%s' of the version's tree", type, path);
    return true;
}

static bool bind_inside(int tree, const char *source, const char *path, unsigned long flags,
                        struct error *err)
{
    autoclose int below = open_inside(tree, path);
    if (below < 0 || mount(source, target_of(below).path, NULL, MS_BIND, NULL) != 0)
        return error_errno(err, "cannot bind '%s' to '%s' of the version's tree", source, path);

    /* Looked up anew: the first descriptor is of what lies below the mount. */
    autoclose int fd = open_inside(tree, path);
    if (fd < 0 || (flags != 0 &&
                   mount(NULL, target_of(fd).path, NULL, MS_REMOUNT | MS_BIND | flags, NULL) != 0))
        return error_errno(err, "cannot protect '%s' of the version's tree", path);
    return true;
}

static bool make_folders(int tree, const char *path, struct error *err)
{
    autofree char *part = xstrdup(path);

    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';

        char *name = strrchr(part, '/');
        autofree char *parent = name == part ? xstrdup("/") : xstrndup(part, (size_t)(name - part));
        autoclose int fd = open_inside(tree, parent);
        if (fd < 0 || (mkdirat(fd, name + 1, 0755) != 0 && errno != EEXIST))
            return error_errno(err, "cannot make '%s' in the version's tree", part);
        if (slash == NULL)
            return true;
        *slash = '/';
    }
}

static bool write_inside(int tree, const char *folder, const char *name, const char *text,
                         struct error *err)
{
    autoclose int parent = open_inside(tree, folder);
    autoclose int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    size_t length = strlen(text);

    if (fd < 0 || fchmod(fd, 0644) != 0 || write(fd, text, length) != (ssize_t)length)
        return error_errno(err, "cannot write '%s/%s' in the version's tree", folder, name);
    return true;
}

static bool bind_folder(int tree, const char *source, const char *path, unsigned long flags,
                        struct error *err)
{
    return source == NULL ||
           (make_folders(tree, path, err) && bind_inside(tree, source, path, flags, err));
}

static bool make_proc(int tree, bool own_pids, struct error *err)
{
    struct error refused = { 0 };

    /* Of other processes an engine sees nothing. Kernels before 5.8 do not know the word, and in
     * a container's own PID namespace a new /proc may be forbidden. */
    if (mount_inside(tree, "proc", "/proc", "hidepid=invisible", &refused))
        return true;
    error_clear(&refused);
    if (own_pids)
        return mount_inside(tree, "proc", "/proc", NULL, err);
    return bind_inside(tree, "/proc", "/proc", NO_PROGRAMS, err);
}

static bool make_devices(int tree, struct error *err)
{
    static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty" };
    static const char *const links[][2] = {
        { "/proc/self/fd", "fd" }, { "fd/0", "stdin" }, { "fd/1", "stdout" }, { "fd/2", "stderr" }
    };

    if (!mount_inside(tree, "tmpfs", "/dev", "mode=755,size=1m", err))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
        autofree char *path = xasprintf("/dev/%s", nodes[i]);
        if (!write_inside(tree, "/dev", nodes[i], "", err) ||
            !bind_inside(tree, path, path, 0, err))
            return false;
    }

    autoclose int folder = open_inside(tree, "/dev");
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        if (symlinkat(links[i][0], folder, links[i][1]) != 0)
            return error_errno(err, "cannot make '/dev/%s'", links[i][1]);
    return make_folders(tree, "/dev/shm", err);
}

static bool make_volatile(int tree, struct error *err)
{
    static const char *const folders[][2] = { { "/dev/shm", "mode=1777" },
                                              { "/tmp", "mode=1777" },
                                              { "/run", "mode=755" },
                                              { "/var/lib", "mode=755" } };

    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (!mount_inside(tree, "tmpfs", folders[i][0], folders[i][1], err))
            return false;
    return true;
}

/* The tree's own numbers differ from tree to tree and mean others on this machine. */
static bool make_accounts(int tree, const struct view *view, struct error *err)
{
    unsigned int uid = view->uid;
    autofree char *users = xasprintf("root:x:0:0:root:/root:/bin/sh\n"
                                     "%s:x:%u:%u::" ENGINE_DATA ":/bin/sh\n"
                                     "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
                                     view->user, uid, uid);
    autofree char *groups = xasprintf("root:x:0:\n%s:x:%u:\nnogroup:x:65534:\n", view->user, uid);

    return write_inside(tree, "/run", "passwd", users, err) &&
           write_inside(tree, "/run", "group", groups, err);
}

static bool bind_accounts(int tree, struct error *err)
{
    static const char *const names[] = { "passwd", "group" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        autofree char *made = xasprintf("/run/%s", names[i]);
        autofree char *path = xasprintf("/etc/%s", names[i]);
        autoclose int fd = open_inside(tree, made);
        if (fd < 0)
            return error_errno(err, "cannot open '%s'", made);
        if (!bind_inside(tree, target_of(fd).path, path, NO_PROGRAMS | MS_RDONLY, err))
            return false;
    }
    return true;
}

/* Whether the tree has a file there itself: over what a link leads to nothing of ours belongs (a
 * time zone of the host over the tree's UTC). */
static bool has_file(int tree, const char *path)
{
    struct stat status;

    return fstatat(tree, path + 1, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
}

static bool bind_host_files(int tree, struct error *err)
{
    static const char *const paths[] = { "/etc/hosts", "/etc/resolv.conf", "/etc/localtime" };

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (access(paths[i], F_OK) == 0 && has_file(tree, paths[i]) &&
            !bind_inside(tree, paths[i], paths[i], NO_PROGRAMS | MS_RDONLY, err))
            return false;
    return true;
}

static int open_tree_alone(const char *tree, struct error *err)
{
    int fd = -1;

    /* Private before anything is mounted, or the host would see it. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(tree, tree, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, tree, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | PLAIN, NULL) != 0 ||
        (fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        error_errno(err, "cannot use '%s' as root", tree);
    return fd;
}

static bool bind_folders(int tree, const struct view *view, struct error *err)
{
    return bind_folder(tree, view->files, ENGINE_DATA, NO_PROGRAMS, err) &&
           bind_folder(tree, view->conf, ENGINE_CONF, NO_PROGRAMS, err) &&
           bind_folder(tree, view->sockets, ENGINE_SOCKETS, NO_PROGRAMS, err) &&
           bind_folder(tree, view->work, ENGINE_WORK, PLAIN, err) &&
           bind_folder(tree, view->old, ENGINE_OLD, NO_PROGRAMS, err);
}

static bool furnish(int tree, const struct view *view, struct error *err)
{
    return make_proc(tree, view->own_pids, err) && make_devices(tree, err) &&
           make_volatile(tree, err) && make_accounts(tree, view, err) && bind_accounts(tree, err) &&
           bind_host_files(tree, err) && bind_folders(tree, view, err);
}

static bool furnish_other(int tree, const struct view *view, struct error *err)
{
    if (view == NULL)
        return true;
    if (!bind_folder(tree, view->tree, ENGINE_OTHER, MS_RDONLY | PLAIN, err))
        return false;
    autoclose int other = open_inside(tree, ENGINE_OTHER);
    return other >= 0 ? furnish(other, view, err)
                      : error_errno(err, "cannot open '%s'", view->tree);
}

bool namespace_enter(const struct view *view, struct error *err)
{
    autoclose int tree = open_tree_alone(view->tree, err);

    umask(0022);
    if (tree < 0 || !furnish(tree, view, err) || !furnish_other(tree, view->other, err))
        return false;

    umask(0077);
    if (fchdir(tree) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        umount2(".", MNT_DETACH) != 0 || chdir(view->work == NULL ? "/" : ENGINE_WORK) != 0)
        return error_errno(err, "cannot enter '%s'", view->tree);
    return true;
}
