#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "json.h"
#include "memory.h"
#include "text.h"
#include "units.h"

#define CHUNK 65536
#define NOBODY_CHOSEN ((uid_t)-1)

/* A path as its open folder and the name in it, so that both mean the same until the end. */
struct place {
    int folder;
    char *name;
    char *temporary;
};

static void place_done(struct place *place)
{
    cleanup_close(&place->folder);
    free(place->name);
    free(place->temporary);
}
#define autoplace __attribute__((cleanup(place_done)))

/* What the path's last part lies in: "/a" for "/a/b", "." for "b"; slashes at the end count not. */
static char *folder_of(const char *path, char **name)
{
    size_t end = strlen(path);

    while (end > 1 && path[end - 1] == '/')
        end--;

    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (name != NULL)
        *name = xstrndup(path + start, end - start);
    if (start == 0)
        return xstrdup(".");
    return xstrndup(path, start > 1 ? start - 1 : 1);
}

static bool place_open(struct place *place, const char *path)
{
    autofree char *folder = folder_of(path, &place->name);

    place->temporary = xasprintf(".%s.tmp", place->name);
    place->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return place->folder >= 0;
}

/* Until the end of the file or `most` bytes; false with errno. */
static bool read_all(int fd, size_t most, struct text *text)
{
    char chunk[CHUNK];

    text_add(text, "");
    while (text->length < most) {
        size_t wanted = most - text->length < CHUNK ? most - text->length : CHUNK;
        ssize_t got = read(fd, chunk, wanted);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        text_add_bytes(text, chunk, (size_t)got);
    }
    return true;
}

char *file_read(const char *path, size_t *length, struct error *err)
{
    autotext struct text text = { 0 };
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || !read_all(fd, SIZE_MAX, &text)) {
        error_errno(err, "cannot read '%s'", path);
        return NULL;
    }
    if (length != NULL)
        *length = text.length;
    return steal(text.bytes);
}

char *file_read_tail(const char *path, size_t most, struct error *err)
{
    autotext struct text text = { 0 };
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    off_t start = end > 0 && (size_t)end > most ? end - (off_t)most : 0;

    if (end < 0 || lseek(fd, start, SEEK_SET) < 0 || !read_all(fd, most, &text)) {
        error_errno(err, "cannot read '%s'", path);
        return NULL;
    }
    return steal(text.bytes);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t written = write(fd, at, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        at += written;
        length -= (size_t)written;
    }
    return true;
}

/* False with errno. */
static bool remove_temporary(const struct place *place)
{
    return unlinkat(place->folder, place->temporary, 0) == 0 || errno == ENOENT;
}

static bool put_in_place(const struct place *place)
{
    return renameat(place->folder, place->temporary, place->folder, place->name) == 0 &&
           fsync(place->folder) == 0;
}

/* Reports errno, and leaves nothing behind. */
static bool give_up(const struct place *place, const char *path, struct error *err)
{
    error_errno(err, "cannot write '%s'", path);
    if (place->folder >= 0)
        unlinkat(place->folder, place->temporary, 0);
    return false;
}

/* The owner before the mode: giving a file away takes set-uid bits off it. */
static bool dress(int fd, mode_t mode, uid_t uid)
{
    return (uid == NOBODY_CHOSEN || fchown(fd, uid, (gid_t)uid) == 0) && fchmod(fd, mode) == 0;
}

bool file_write(const char *path, const void *bytes, size_t length, mode_t mode, struct error *err)
{
    return file_write_owned(path, bytes, length, mode, NOBODY_CHOSEN, err);
}

/* NOLINTNEXTLINE(readability-function-size): six, as few as it takes. */
bool file_write_owned(const char *path, const void *bytes, size_t length, mode_t mode, uid_t uid,
                      struct error *err)
{
    autoplace struct place place = { .folder = -1 };

    if (!place_open(&place, path) || !remove_temporary(&place))
        return error_errno(err, "cannot write '%s'", path);

    autoclose int fd = openat(place.folder, place.temporary,
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || !file_write_all(fd, bytes, length) || !dress(fd, mode, uid) || fsync(fd) != 0 ||
        !put_in_place(&place))
        return give_up(&place, path, err);
    return true;
}

bool file_link(const char *target, const char *path, struct error *err)
{
    autoplace struct place place = { .folder = -1 };

    if (!place_open(&place, path) || !remove_temporary(&place) ||
        symlinkat(target, place.folder, place.temporary) != 0 || !put_in_place(&place))
        return give_up(&place, path, err);
    return true;
}

bool file_move(const char *from, const char *to, struct error *err)
{
    autoplace struct place source = { .folder = -1 };
    autoplace struct place target = { .folder = -1 };

    /* The new name is durable first: a power cut may leave both, but never none. */
    if (!place_open(&source, from) || !place_open(&target, to) ||
        renameat(source.folder, source.name, target.folder, target.name) != 0 ||
        fsync(target.folder) != 0 || fsync(source.folder) != 0)
        return error_errno(err, "cannot move '%s' to '%s'", from, to);
    return true;
}

bool file_remove(const char *path, struct error *err)
{
    autoplace struct place place = { .folder = -1 };

    if (!place_open(&place, path)) {
        if (errno == ENOENT)
            return true;
        return error_errno(err, "cannot remove '%s'", path);
    }
    /* Synced also when it is gone already: whoever removed it may not have come to that. */
    if ((unlinkat(place.folder, place.name, 0) != 0 && errno != ENOENT) || fsync(place.folder) != 0)
        return error_errno(err, "cannot remove '%s'", path);
    return true;
}

bool file_sync(const char *path, struct error *err)
{
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        return error_errno(err, "cannot sync '%s'", path);
    return true;
}

bool file_sync_tree(const char *path, struct error *err)
{
    autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || syncfs(fd) != 0)
        return error_errno(err, "cannot sync '%s'", path);
    return true;
}

static bool make_one_folder(const struct place *place, mode_t mode)
{
    if (mkdirat(place->folder, place->name, mode) == 0) {
        autoclose int fd =
            openat(place->folder, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        /* Once more, because the umask may have taken something away. */
        return fd >= 0 && fchmod(fd, mode) == 0 && fsync(fd) == 0 && fsync(place->folder) == 0;
    }
    if (errno != EEXIST)
        return false;

    struct stat status;
    if (fstatat(place->folder, place->name, &status, 0) != 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(status.st_mode) && fsync(place->folder) == 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the path. */
bool file_make_folder(const char *path, mode_t mode, struct error *err)
{
    autoplace struct place place = { .folder = -1 };
    autofree char *parent = folder_of(path, NULL);

    if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
        return true;
    if (!file_exists(parent) && !file_make_folder(parent, 0755, err))
        return false;
    if (!place_open(&place, path) || !make_one_folder(&place, mode))
        return error_errno(err, "cannot make folder '%s'", path);
    return true;
}

static bool find_free_bytes(const char *path, uint64_t *bytes)
{
    struct statvfs status;

    if (statvfs(path, &status) != 0)
        return false;
    *bytes = (uint64_t)status.f_bavail * status.f_frsize;
    return true;
}

uint64_t file_free_bytes(const char *path)
{
    uint64_t bytes = 0;

    find_free_bytes(path, &bytes);
    return bytes;
}

bool file_need_space(const char *path, uint64_t bytes, const char *what, struct error *err)
{
    uint64_t left = 0;

    if (!find_free_bytes(path, &left))
        return error_errno(err, "cannot see how much space '%s' has", path);
    if (left >= bytes)
        return true;

    autofree char *needed = units_size((double)bytes);
    autofree char *free_now = units_size((double)left);
    error_set(err, ERROR_NO_SPACE, "no space for %s: %s needed, %s free on %s", what, needed,
              free_now, path);
    error_add(err, "needed_bytes", json_object_new_int64((int64_t)bytes));
    error_add(err, "free_bytes", json_object_new_int64((int64_t)left));
    return error_add(err, "path", json_object_new_string(path));
}

static bool has_magic(const char *path, const uint32_t *magics, size_t count)
{
    struct statfs status;

    if (statfs(path, &status) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if ((uint32_t)status.f_type == magics[i])
            return true;
    return false;
}

bool file_is_tmpfs(const char *path)
{
    static const uint32_t magics[] = { TMPFS_MAGIC, RAMFS_MAGIC };

    return has_magic(path, magics, ARRAY_SIZE(magics));
}

bool file_is_network(const char *path)
{
    static const uint32_t magics[] = { NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,  CIFS_SUPER_MAGIC,
                                       SMB2_SUPER_MAGIC, CEPH_SUPER_MAGIC, V9FS_MAGIC,
                                       AFS_SUPER_MAGIC,  AFS_FS_MAGIC,     CODA_SUPER_MAGIC };

    return has_magic(path, magics, ARRAY_SIZE(magics));
}

static bool is_same_file(int fd, const char *path)
{
    struct stat held;
    struct stat named;

    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/* False with errno. */
static bool take_lock(int fd, bool wait)
{
    int failed = 0;

    do
        failed = flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
    while (failed != 0 && errno == EINTR);
    return failed == 0;
}

int file_lock(const char *path, bool wait, struct error *err)
{
    for (;;) {
        autoclose int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        bool locked = fd >= 0 && take_lock(fd, wait);
        if (!locked && errno == EWOULDBLOCK) {
            error_set(err, ERROR_BUSY, "somebody else holds the lock '%s'", path);
            return -1;
        }
        if (!locked) {
            error_errno(err, "cannot lock '%s'", path);
            return -1;
        }
        if (is_same_file(fd, path))
            return steal_fd(&fd);
    }
}
