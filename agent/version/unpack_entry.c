#include "unpack_entry.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "file.h"
#include "memory.h"
#include "text.h"

#define FILE_MODE_BITS 01777 /* no set-uid, no set-gid */
#define FOLDER_MODE_BITS 07777
#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

static bool is_plain(const char *path)
{
    for (const char *part = path; *part != '\0'; part += strspn(part, "/")) {
        size_t length = strcspn(part, "/");
        if (length == 2 && strncmp(part, "..", 2) == 0)
            return false;
        part += length;
    }
    return true;
}

/* "./usr/bin/" and "/usr/bin" are "usr/bin", the folder itself is ""; NULL with corrupt. */
static char *take_path(const char *name, struct error *err)
{
    if (name == NULL || !is_plain(name)) {
        error_set(err, ERROR_CORRUPT, "'%s' leads out of the folder that is unpacked into",
                  name != NULL ? name : "");
        return NULL;
    }
    name += strspn(name, "/");
    while (text_starts(name, "./"))
        name += 2 + strspn(name + 2, "/");
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] == '/')
        length--;
    return length == 1 && name[0] == '.' ? xstrdup("") : xstrndup(name, length);
}

/* Folders that no entry of their own has made. */
static bool make_parents(char *path, struct error *err)
{
    struct stat status;
    char *last = strrchr(path, '/');

    if (last == NULL)
        return true;
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0755) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            break;
    }
    *last = '\0';
    bool good = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    *last = '/';
    return good || error_set(err, ERROR_CORRUPT, "the way to '%s' is no folder here", path);
}

static bool clear_place(const char *path, bool keeps_folder, struct error *err)
{
    struct stat status;

    if (lstat(path, &status) != 0)
        return true;
    if (S_ISDIR(status.st_mode))
        return keeps_folder || file_remove_tree(path, err);
    return unlink(path) == 0 || error_errno(err, "cannot replace '%s'", path);
}

static bool write_blocks(struct archive *archive, int fd, const char *path, struct error *err)
{
    const void *block = NULL;
    size_t length = 0;
    la_int64_t offset = 0;
    int got = 0;

    while ((got = archive_read_data_block(archive, &block, &length, &offset)) == ARCHIVE_OK) {
        if (lseek(fd, offset, SEEK_SET) < 0 || !file_write_all(fd, block, length))
            return error_errno(err, "cannot write '%s'", path);
    }
    return got == ARCHIVE_EOF || error_set(err, ERROR_CORRUPT, "cannot read '%s' of the layer: %s",
                                           path, archive_error_string(archive));
}

static bool make_file(struct archive *archive, struct archive_entry *entry, const char *path,
                      struct error *err)
{
    const struct timespec times[] = { { .tv_sec = archive_entry_mtime(entry) },
                                      { .tv_sec = archive_entry_mtime(entry) } };
    autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_errno(err, "cannot make '%s'", path);
    if (!write_blocks(archive, fd, path, err))
        return false;
    if (ftruncate(fd, archive_entry_size(entry)) != 0 ||
        fchmod(fd, archive_entry_perm(entry) & FILE_MODE_BITS) != 0 || futimens(fd, times) != 0)
        return error_errno(err, "cannot finish '%s'", path);
    return true;
}

static bool make_hard_link(const char *path, const char *name, struct error *err)
{
    autofree char *target = take_path(name, err);
    struct stat status;

    if (target == NULL)
        return error_prefix(err, "cannot link '%s'", path);
    if (lstat(target, &status) != 0 || !S_ISREG(status.st_mode))
        return error_set(err, ERROR_CORRUPT, "'%s' is a link to '%s', which is no file here", path,
                         target);
    return linkat(AT_FDCWD, target, AT_FDCWD, path, 0) == 0 ||
           error_errno(err, "cannot link '%s'", path);
}

static bool make_folder(const char *path, mode_t mode, struct error *err)
{
    const char *place = path[0] != '\0' ? path : ".";

    if ((mkdir(place, 0755) != 0 && errno != EEXIST) || chmod(place, mode & FOLDER_MODE_BITS) != 0)
        return error_errno(err, "cannot make the folder '%s'", path);
    return true;
}

static bool leave_out(const char *path, mode_t type, struct error *err)
{
    if ((type == AE_IFCHR || type == AE_IFBLK) && !text_starts(path, "dev/"))
        return error_set(err, ERROR_CORRUPT, "'%s' is a device", path);
    return true;
}

static bool make(struct archive *archive, struct archive_entry *entry, const char *path,
                 struct error *err)
{
    mode_t type = archive_entry_filetype(entry);
    const char *hard_link = archive_entry_hardlink(entry);

    if (!clear_place(path, type == AE_IFDIR && hard_link == NULL, err))
        return false;
    if (hard_link != NULL)
        return make_hard_link(path, hard_link, err);
    if (type == AE_IFDIR)
        return make_folder(path, archive_entry_perm(entry), err);
    if (type == AE_IFREG)
        return make_file(archive, entry, path, err);
    if (type == AE_IFLNK)
        return symlink(archive_entry_symlink(entry), path) == 0 ||
               error_errno(err, "cannot make the link '%s'", path);
    return leave_out(path, type, err);
}

static bool empty_folder(const char *folder, struct error *err)
{
    struct stat status;

    if (folder[0] == '\0')
        return error_set(err, ERROR_CORRUPT, "a layer takes all of the tree away");
    if (lstat(folder, &status) != 0 || !S_ISDIR(status.st_mode))
        return true;
    return file_remove_tree(folder, err) && make_folder(folder, status.st_mode, err);
}

/* "a/.wh.b" takes "a/b" away; "a/.wh..wh..opq" all that was in "a". */
static bool take_away(const char *path, const char *name, struct error *err)
{
    autofree char *folder = xstrndup(path, (size_t)(name - path));

    if (strcmp(name, OPAQUE) == 0)
        return empty_folder(folder, err);
    const char *taken = name + strlen(WHITEOUT);
    if (taken[0] == '\0' || strcmp(taken, ".") == 0 || strcmp(taken, "..") == 0)
        return error_set(err, ERROR_CORRUPT, "'%s' takes nothing away", path);
    autofree char *place = xasprintf("%s%s", folder, taken);
    return clear_place(place, false, err);
}

bool unpack_entry(struct archive *archive, struct archive_entry *entry, bool image,
                  struct error *err)
{
    autofree char *path = take_path(archive_entry_pathname(entry), err);

    if (path == NULL || !make_parents(path, err))
        return false;
    if (path[0] == '\0')
        return archive_entry_filetype(entry) != AE_IFDIR ||
               make_folder(path, archive_entry_perm(entry), err);
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    if (image && text_starts(name, WHITEOUT))
        return take_away(path, name, err);
    return make(archive, entry, path, err);
}
