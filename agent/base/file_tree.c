#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "memory.h"

#define BLOCK_BYTES 512

struct names {
    char **names;
    size_t count;
    size_t room;
};

static void names_add(struct names *names, const char *name)
{
    if (names->count + 1 >= names->room) {
        names->room = names->room > 0 ? names->room * 2 : 16;
        names->names = xrealloc(names->names, names->room * sizeof(char *));
    }
    names->names[names->count++] = xstrdup(name);
    names->names[names->count] = NULL;
}

void file_free_names(char **names)
{
    if (names == NULL)
        return;
    for (char **name = names; *name != NULL; name++)
        free(*name);
    free(names);
}

static void release_names(char ***names)
{
    file_free_names(*names);
}
#define autonames __attribute__((cleanup(release_names)))

static bool is_wanted(const char *name, bool hidden)
{
    if (!hidden)
        return name[0] != '.';
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* All at once, so that the folder may change while its names are worked through. */
static char **read_names(int folder, bool hidden)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;

    if (stream == NULL) {
        cleanup_close(&copy);
        return NULL;
    }

    struct names names = { .names = xcalloc(1, sizeof(char *)) };
    const struct dirent *entry = NULL;
    errno = 0;
    while ((entry = readdir(stream)) != NULL)
        if (is_wanted(entry->d_name, hidden))
            names_add(&names, entry->d_name);

    int failed = errno;
    closedir(stream);
    errno = failed;
    if (failed == 0)
        return names.names;
    file_free_names(names.names);
    return NULL;
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

char **file_names(const char *folder, struct error *err)
{
    autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return xcalloc(1, sizeof(char *));

    char **names = fd >= 0 ? read_names(fd, false) : NULL;
    if (names == NULL) {
        error_errno(err, "cannot list '%s'", folder);
        return NULL;
    }

    size_t count = 0;
    while (names[count] != NULL)
        count++;
    qsort(names, count, sizeof(char *), compare_names);
    return names;
}

/*
 * A walk comes to what a folder holds before the folder itself. It goes by descriptors, so that
 * nobody can turn it elsewhere by replacing a folder on its way with a link.
 */
struct walk {
    /* False, with errno, ends the walk. */
    bool (*visit)(struct walk *walk, int folder, const char *name, const struct statx *status);
    bool passes_mounts; /* leaves them out; otherwise they end the walk */
    uid_t uid;
    uint64_t bytes;
};

/* Of what is at the name itself: bind mounts too, which have the device of what they show. */
static bool look(int folder, const char *name, struct statx *status)
{
    return statx(folder, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, status) ==
           0;
}

static bool is_mount(const struct statx *status)
{
    return (status->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

static bool walk_to(struct walk *walk, int folder, const char *name);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree. */
static bool walk_into(struct walk *walk, int folder, const char *name)
{
    autoclose int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autonames char **names = fd >= 0 ? read_names(fd, true) : NULL;

    if (names == NULL)
        return false;
    for (char **inner = names; *inner != NULL; inner++)
        if (!walk_to(walk, fd, *inner))
            return false;
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree. */
static bool walk_to(struct walk *walk, int folder, const char *name)
{
    struct statx status;

    /* An engine's files may go while we walk. */
    if (!look(folder, name, &status))
        return errno == ENOENT;
    if (is_mount(&status) && walk->passes_mounts)
        return true;
    if (is_mount(&status)) {
        errno = EBUSY;
        return false;
    }
    if (S_ISDIR(status.stx_mode) && !walk_into(walk, folder, name))
        return errno == ENOENT;
    return walk->visit(walk, folder, name, &status) || errno == ENOENT;
}

/* Where the last part of the path lies; the name points into path. -1 with errno. */
static int open_parent(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    autofree char *parent = slash != NULL ? xstrndup(path, (size_t)(slash - path) + 1) : NULL;

    *name = slash != NULL ? slash + 1 : path;
    return open(parent != NULL ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Without the slashes at its end, which would make a link be followed. */
static char *trimmed(const char *path)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    return xstrndup(path, length);
}

static bool remove_one(struct walk *walk, int folder, const char *name, const struct statx *status)
{
    (void)walk;
    return unlinkat(folder, name, S_ISDIR(status->stx_mode) ? AT_REMOVEDIR : 0) == 0;
}

bool file_remove_tree(const char *path, struct error *err)
{
    struct walk walk = { .visit = remove_one };
    autofree char *plain = trimmed(path);
    const char *name = NULL;
    autoclose int parent = open_parent(plain, &name);

    if (parent < 0 && errno == ENOENT)
        return true;
    if (parent < 0 || !walk_to(&walk, parent, name) || fsync(parent) != 0)
        return error_errno(err, "cannot remove '%s'", path);
    return true;
}

static bool own_one(struct walk *walk, int folder, const char *name, const struct statx *status)
{
    (void)status;
    return fchownat(folder, name, walk->uid, (gid_t)walk->uid, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The top itself may be a mount here: a walk from inside it. */
static bool walk_below(struct walk *walk, const char *path, int flags)
{
    autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);

    return fd >= 0 && walk_into(walk, fd, ".");
}

bool file_own_tree(const char *path, uid_t uid, struct error *err)
{
    struct walk walk = { .visit = own_one, .passes_mounts = true, .uid = uid };

    if (!walk_below(&walk, path, O_NOFOLLOW) || lchown(path, uid, (gid_t)uid) != 0)
        return error_errno(err, "cannot give '%s' to uid %u", path, (unsigned)uid);
    return file_sync(path, err);
}

static bool count_one(struct walk *walk, int folder, const char *name, const struct statx *status)
{
    (void)folder;
    (void)name;
    walk->bytes += status->stx_blocks * BLOCK_BYTES;
    return true;
}

uint64_t file_tree_bytes(const char *path)
{
    struct walk walk = { .visit = count_one, .passes_mounts = true };

    walk_below(&walk, path, 0);
    return walk.bytes;
}
