/*
 * Unpacks the layers of a version into an empty folder:
 *
 *     dbguest-unpack PLAN FOLDER
 *
 * PLAN is a JSON file: {"image": whether whiteouts count, "layers": [what layer.h reads, ...]}. It
 * opens what it is going to read, shuts itself into the folder, gives up all rights but that of
 * root over files, and only then looks at what somebody else has made. It writes to stdout how many
 * bytes it has read, a line each time, and to stderr an error as JSON.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "json.h"
#include "layer.h"
#include "memory.h"
#include "rights.h"
#include "unpack_entry.h"

struct unpacking {
    struct layer *layers;
    size_t count;
    size_t at; /* the layer that is read */
    bool image;
    uint64_t done_bytes;
    struct error *err;
};

static void unpacking_done(struct unpacking *unpacking)
{
    for (size_t i = 0; i < unpacking->count; i++)
        layer_close(&unpacking->layers[i]);
    free(unpacking->layers);
}

static bool open_layers(struct unpacking *unpacking, struct json_object *plan)
{
    struct json_object *layers = json_get(plan, "layers");
    size_t count =
        json_object_is_type(layers, json_type_array) ? json_object_array_length(layers) : 0;

    unpacking->image = json_get_bool(plan, "image");
    unpacking->layers = xcalloc(count + 1, sizeof(*unpacking->layers));
    for (size_t i = 0; i < count; i++) {
        unpacking->count++;
        if (!layer_open(&unpacking->layers[i], json_object_array_get_idx(layers, i),
                        unpacking->err))
            return false;
    }
    return true;
}

/* libarchive's; what went wrong waits in unpacking->err. */
static la_ssize_t read_piece(struct archive *archive, void *context, const void **piece)
{
    struct unpacking *unpacking = context;
    struct layer *layer = &unpacking->layers[unpacking->at];
    ssize_t length = layer_read(layer, unpacking->err);

    *piece = layer->piece;
    if (length < 0)
        archive_set_error(archive, EIO, "%s", unpacking->err->message);
    if (length > 0) {
        unpacking->done_bytes += (uint64_t)length;
        printf("%llu\n", (unsigned long long)unpacking->done_bytes);
        fflush(stdout);
    }
    return length;
}

static bool is_corrupt(struct archive *archive, const struct unpacking *unpacking)
{
    return unpacking->err->reason != ERROR_NONE
               ? false
               : error_set(unpacking->err, ERROR_CORRUPT, "layer %zu is no tar file: %s",
                           unpacking->at + 1, archive_error_string(archive));
}

static bool unpack_entries(struct archive *archive, const struct unpacking *unpacking)
{
    struct archive_entry *entry = NULL;
    int got = 0;

    while ((got = archive_read_next_header(archive, &entry)) == ARCHIVE_OK || got == ARCHIVE_WARN)
        if (!unpack_entry(archive, entry, unpacking->image, unpacking->err))
            return false;
    return got == ARCHIVE_EOF || is_corrupt(archive, unpacking);
}

/* The end of a tar file comes before that of its layer; the last sum is at the layer's. */
static bool read_rest(struct unpacking *unpacking)
{
    struct layer *layer = &unpacking->layers[unpacking->at];
    ssize_t length = 0;

    while ((length = layer_read(layer, unpacking->err)) > 0)
        unpacking->done_bytes += (uint64_t)length;
    return length == 0;
}

static bool unpack_layer(struct unpacking *unpacking)
{
    struct archive *archive = archive_read_new();

    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_zstd(archive);
    archive_read_support_format_tar(archive);
    archive_read_support_format_empty(archive);
    bool good = archive_read_open(archive, unpacking, NULL, read_piece, NULL) == ARCHIVE_OK
                    ? unpack_entries(archive, unpacking)
                    : is_corrupt(archive, unpacking);
    archive_read_free(archive);
    return good && read_rest(unpacking);
}

/* Away from all files but the folder's: nothing that a layer names can be anywhere else. */
static bool shut_in(const char *folder, struct error *err)
{
    umask(0);
    if (chdir(folder) != 0 || chroot(".") != 0 || chdir("/") != 0)
        return error_errno(err, "cannot enter '%s'", folder);
    return rights_drop(0, false, err);
}

static bool unpack(const char *plan_path, const char *folder, struct unpacking *unpacking)
{
    autoptr(json_object) plan = json_read_file(plan_path, unpacking->err);

    if (plan == NULL || !open_layers(unpacking, plan) || !shut_in(folder, unpacking->err))
        return false;
    for (; unpacking->at < unpacking->count; unpacking->at++)
        if (!unpack_layer(unpacking))
            return false;
    return true;
}

int main(int argc, char **argv)
{
    struct error err = { 0 };
    struct unpacking unpacking = { .err = &err };

    if (argc != 3)
        return 2;
    /* Names are bytes; only so libarchive leaves them as they are. */
    setlocale(LC_ALL, "C.UTF-8");
    bool good = unpack(argv[1], argv[2], &unpacking);
    unpacking_done(&unpacking);
    if (!good) {
        autoptr(json_object) failure = error_to_json(&err);
        fprintf(stderr, "%s\n", json_line(failure));
    }
    error_clear(&err);
    fflush(NULL);
    /* At exit a sanitizer would look for /proc, which is not in the folder. */
    _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
}
