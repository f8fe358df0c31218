#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "memory.h"
#include "sum.h"
#include "version.h"

#define CHUNK ((size_t)256 * 1024)
#define MODE_BITS 07777

struct listing {
    EVP_MD_CTX *sum;  /* over the lines */
    EVP_MD_CTX *file; /* over one file, used again for each */
    unsigned char *chunk;
    bool (*tick)(void *context, struct error *err);
    void *context;
};

static void listing_done(struct listing *listing)
{
    EVP_MD_CTX_free(listing->sum);
    EVP_MD_CTX_free(listing->file);
    free(listing->chunk);
}
#define autolisting __attribute__((cleanup(listing_done)))

/* The content's sum; NULL with err. */
static char *sum_file(struct listing *listing, int folder, const char *name, struct error *err)
{
    autoclose int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    EVP_DigestInit_ex(listing->file, EVP_sha256(), NULL);
    for (;;) {
        ssize_t got = fd >= 0 ? read(fd, listing->chunk, CHUNK) : -1;
        if (got < 0) {
            error_errno(err, "cannot read '%s'", name);
            return NULL;
        }
        if (got == 0)
            return sum_end(listing->file);
        EVP_DigestUpdate(listing->file, listing->chunk, (size_t)got);
        if (listing->tick != NULL && !listing->tick(listing->context, err))
            return NULL;
    }
}

/* With its NULs: no name can be taken for the next line. */
static void add_line(struct listing *listing, const struct stat *status, const char *what,
                     const char *path)
{
    autofree char *line = xasprintf("%o %o %s", (unsigned)(status->st_mode & S_IFMT),
                                    (unsigned)(status->st_mode & MODE_BITS), what);

    EVP_DigestUpdate(listing->sum, line, strlen(line) + 1);
    EVP_DigestUpdate(listing->sum, path, strlen(path) + 1);
}

static bool add_folder(struct listing *listing, int parent, const char *name, const char *path,
                       struct error *err);

/* NOLINTNEXTLINE(readability-function-size): what openat(2) needs and what is listed */
static bool add_link(struct listing *listing, int folder, const char *name, const char *path,
                     const struct stat *status, struct error *err)
{
    char target[PATH_MAX + 1];
    ssize_t length = readlinkat(folder, name, target, PATH_MAX);

    if (length < 0)
        return error_errno(err, "cannot read the link '%s'", path);
    target[length] = '\0';
    add_line(listing, status, target, path);
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree. */
static bool add_entry(struct listing *listing, int folder, const char *name, const char *path,
                      struct error *err)
{
    struct stat status;

    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return error_errno(err, "cannot look at '%s'", path);
    if (S_ISLNK(status.st_mode))
        return add_link(listing, folder, name, path, &status, err);
    if (S_ISDIR(status.st_mode)) {
        add_line(listing, &status, "", path);
        return add_folder(listing, folder, name, path, err);
    }
    if (!S_ISREG(status.st_mode)) {
        add_line(listing, &status, "", path);
        return true;
    }

    autofree char *sum = sum_file(listing, folder, name, err);
    if (sum == NULL)
        return error_prefix(err, "cannot sum up '%s'", path);
    autofree char *what = xasprintf("%lld %s", (long long)status.st_size, sum);
    add_line(listing, &status, what, path);
    return true;
}

static int is_inner(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int compare_bytes(const struct dirent **one, const struct dirent **other)
{
    return strcmp((*one)->d_name, (*other)->d_name);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree. */
static bool add_folder(struct listing *listing, int parent, const char *name, const char *path,
                       struct error *err)
{
    autoclose int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct dirent **entries = NULL;
    int count = fd >= 0 ? scandirat(fd, ".", &entries, is_inner, compare_bytes) : -1;
    bool good = count >= 0 || error_errno(err, "cannot list '%s'", path);

    for (int i = 0; i < count; i++) {
        if (good) {
            autofree char *inner = xasprintf("%s/%s", path, entries[i]->d_name);
            good = add_entry(listing, fd, entries[i]->d_name, inner, err);
        }
        free(entries[i]);
    }
    free(entries);
    return good;
}

char *version_digest(const char *tree, bool (*tick)(void *context, struct error *err),
                     void *context, struct error *err)
{
    autolisting struct listing listing = {
        .sum = EVP_MD_CTX_new(),
        .file = EVP_MD_CTX_new(),
        .chunk = xmalloc(CHUNK),
        .tick = tick,
        .context = context,
    };

    EVP_DigestInit_ex(listing.sum, EVP_sha256(), NULL);
    if (!add_folder(&listing, AT_FDCWD, tree, "", err))
        return NULL;
    autofree char *hex = sum_end(listing.sum);
    return xasprintf("sha256:%s", hex);
}
