#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "memory.h"

#define CHUNK_BYTES ((size_t)8 << 20)

static bool told(const struct file_copying *copying, uint64_t bytes, struct error *err)
{
    return copying->tick == NULL || copying->tick(bytes, copying->context, err);
}

/* Moves to the next stretch that is no hole; false with errno, ENXIO behind the last. */
static bool find_stretch(int from, off_t *at, off_t *end)
{
    *at = lseek(from, *at, SEEK_DATA);
    *end = *at < 0 ? -1 : lseek(from, *at, SEEK_HOLE);
    return *end >= 0;
}

/* At most to the end of the stretch; *at goes on by what it returns. */
static ssize_t copy_some(int from, int to, off_t *at, off_t end)
{
    size_t wanted = (size_t)(end - *at) < CHUNK_BYTES ? (size_t)(end - *at) : CHUNK_BYTES;
    off_t out = *at;
    ssize_t copied;

    do
        copied = copy_file_range(from, at, to, &out, wanted, 0);
    while (copied < 0 && errno == EINTR);
    return copied;
}

static bool copy_bytes(const struct file_copying *copying, int from, int to, off_t size,
                       struct error *err)
{
    off_t at = 0;
    off_t end = 0;

    while (at < end || find_stretch(from, &at, &end)) {
        ssize_t copied = copy_some(from, to, &at, end);

        if (copied <= 0)
            return error_errno(err, "cannot copy");
        if (!told(copying, (uint64_t)copied, err))
            return false;
    }
    return (errno == ENXIO && ftruncate(to, size) == 0) || error_errno(err, "cannot copy");
}

static bool take_over(int to, const struct stat *status, struct error *err)
{
    const struct timespec times[] = { status->st_atim, status->st_mtim };

    return (fchown(to, status->st_uid, status->st_gid) == 0 &&
            fchmod(to, status->st_mode & 07777) == 0 && futimens(to, times) == 0) ||
           error_errno(err, "cannot set owner and mode");
}

static bool copy_file(const struct file_copying *copying, int folder, int target, const char *name,
                      struct error *err)
{
    autoclose int from = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    autoclose int to = openat(target, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
    struct stat status;

    if (from < 0 || to < 0 || fstat(from, &status) != 0)
        return error_errno(err, "cannot open it");
    if (copying->how == FILE_COPY)
        return copy_bytes(copying, from, to, status.st_size, err) && take_over(to, &status, err);
    if (ioctl(to, FICLONE, from) != 0)
        return error_errno(err, "cannot clone");
    return told(copying, (uint64_t)status.st_size, err) && take_over(to, &status, err);
}

static bool copy_folder(const struct file_copying *copying, int folder, int target,
                        struct error *err);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree. */
static bool copy_subfolder(const struct file_copying *copying, int folder, int target,
                           const char *name, struct error *err)
{
    autoclose int from = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    autoclose int to = mkdirat(target, name, 0700) != 0
                           ? -1
                           : openat(target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (from < 0 || to < 0)
        return error_errno(err, "cannot make the folder");
    return copy_folder(copying, from, to, err);
}

/* C15: what leads out, or is another name of something, would be shared with the copy. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree. */
static bool copy_entry(const struct file_copying *copying, int folder, int target, const char *name,
                       struct error *err)
{
    struct stat status;

    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return error_errno(err, "cannot look at it");
    if (S_ISDIR(status.st_mode))
        return copy_subfolder(copying, folder, target, name, err);
    if (S_ISREG(status.st_mode) && status.st_nlink == 1)
        return copy_file(copying, folder, target, name, err);
    return error_set(err, ERROR_UNSUPPORTED, "it is a link or no file: it leads out of the folder");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree. */
static bool copy_folder(const struct file_copying *copying, int folder, int target,
                        struct error *err)
{
    int listed = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = listed < 0 ? NULL : fdopendir(listed);
    struct stat status;
    bool good = true;

    if (names == NULL) {
        cleanup_close(&listed);
        return error_errno(err, "cannot list it");
    }
    for (struct dirent *entry = readdir(names); good && entry != NULL; entry = readdir(names)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        good = copy_entry(copying, folder, target, entry->d_name, err) ||
               error_prefix(err, "'%s'", entry->d_name);
    }
    closedir(names);
    if (!good)
        return false;
    if (fstat(folder, &status) != 0)
        return error_errno(err, "cannot look at it");
    return take_over(target, &status, err);
}

bool file_copy_tree(const char *from, const char *to, const struct file_copying *copying,
                    struct error *err)
{
    autoclose int folder = open(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (folder < 0)
        return error_errno(err, "cannot open '%s'", from);
    if (!file_make_folder(to, 0700, err))
        return false;
    autoclose int target = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0)
        return error_errno(err, "cannot open '%s'", to);
    if (!copy_folder(copying, folder, target, err))
        return error_prefix(err, "cannot copy '%s'", from);
    return file_sync_tree(to, err);
}

bool file_can_clone(const char *folder)
{
    autoclose int from = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    autoclose int to = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    return from >= 0 && to >= 0 && ftruncate(from, 1) == 0 && ioctl(to, FICLONE, from) == 0;
}
