#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "memory.h"
#include "pull.h"

#define PLAIN_MODE_BITS 01777

/* As folders, not as links: what a link in a tree points to is not known to lie in the tree. */
static const char *const mount_points[] = {
    "dev", "etc", "proc", "run", "sys", "tmp", "usr", "var", "var/lib",
};
/* Bound over, so that something must be there. */
static const char *const files[] = { "passwd", "group", "hosts", "resolv.conf" };

static bool has_type(mode_t mode, mode_t type)
{
    return (mode & S_IFMT) == type;
}

static bool need_folder(int tree, const char *name, struct error *err)
{
    struct stat status;

    /* Once more, because of the umask. */
    if (mkdirat(tree, name, 0755) == 0 && fchmodat(tree, name, 0755, 0) == 0)
        return true;
    if (errno != EEXIST || fstatat(tree, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return error_errno(err, "cannot make the folder '%s' in the tree", name);
    if (!has_type(status.st_mode, S_IFDIR))
        return error_set(err, ERROR_INCOMPATIBLE, "'/%s' of the tree is not a folder", name);
    return true;
}

static bool need_file(int etc, const char *name, struct error *err)
{
    struct stat status;

    if (fstatat(etc, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        if (has_type(status.st_mode, S_IFREG))
            return true;
        /* A link, as resolv.conf often is. */
        if (unlinkat(etc, name, 0) != 0)
            return error_errno(err, "cannot replace '/etc/%s' of the tree", name);
    }

    autoclose int fd = openat(etc, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || fchmod(fd, 0644) != 0)
        return error_errno(err, "cannot make '/etc/%s' in the tree", name);
    return true;
}

static bool keeps_entry(mode_t mode)
{
    return has_type(mode, S_IFREG) || has_type(mode, S_IFDIR) || has_type(mode, S_IFLNK);
}

static bool disarm(int parent, const char *name, struct error *err);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree. */
static bool disarm_entry(int folder, const char *name, struct error *err)
{
    struct stat status;
    bool good = fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0;

    if (good && has_type(status.st_mode, S_IFDIR))
        return disarm(folder, name, err);
    if (good && !keeps_entry(status.st_mode))
        good = unlinkat(folder, name, 0) == 0;
    else if (good && has_type(status.st_mode, S_IFREG) &&
             (status.st_mode & (S_ISUID | S_ISGID)) != 0)
        good = fchmodat(folder, name, status.st_mode & PLAIN_MODE_BITS, 0) == 0;
    return good || error_errno(err, "cannot put '%s' of the tree in order", name);
}

/*
 * Removes device nodes, sockets and pipes below folder, and takes set-uid and set-gid bits away: an
 * engine gets a /dev of ours, and a tree on the disk must not hand anything to anybody.
 */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree. */
static bool disarm(int parent, const char *name, struct error *err)
{
    autoclose int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    DIR *folder = copy >= 0 ? fdopendir(copy) : NULL;

    if (folder == NULL) {
        cleanup_close(&copy);
        return error_errno(err, "cannot list '%s' in the tree", name);
    }

    bool good = true;
    for (struct dirent *entry = readdir(folder); good && entry != NULL; entry = readdir(folder))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            good = disarm_entry(fd, entry->d_name, err);
    closedir(folder);
    return good;
}

bool tree_furnish(const char *tree, struct error *err)
{
    autoclose int top = open(tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (top < 0 || fchmod(top, 0755) != 0)
        return error_errno(err, "cannot open '%s'", tree);
    if (faccessat(top, "usr", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return error_set(err, ERROR_INCOMPATIBLE, "what came is no tree: it has no '/usr'");
    for (size_t i = 0; i < ARRAY_SIZE(mount_points); i++)
        if (!need_folder(top, mount_points[i], err))
            return false;

    autoclose int etc = openat(top, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (!need_file(etc, files[i], err))
            return false;
    return disarm(top, ".", err) && file_own_tree(tree, 0, err);
}
