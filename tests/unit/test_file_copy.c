#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "unit.h"

static const struct file_copying plain = { .how = FILE_COPY };

/* A path in the folder of the group; the caller frees. */
static char *in(void **state, const char *name)
{
    return xasprintf("%s/%s", (char *)*state, name);
}

/* FOLDER/files with a file below a folder. */
static char *make_origin(void **state, const char *folder)
{
    autofree char *origin = in(state, folder);
    autofree char *inner = xasprintf("%s/files/inner", origin);
    autofree char *path = xasprintf("%s/one", inner);
    struct error err = { 0 };

    assert_true(file_make_folder(inner, 0750, &err));
    assert_true(file_write(path, "acknowledged", 12, 0640, &err));
    return xasprintf("%s/files", origin);
}

static void test_copy_has_bytes_modes_and_times_of_its_origin(void **state)
{
    autofree char *from = make_origin(state, "a");
    autofree char *to = in(state, "a/copy");
    autofree char *old_path = xasprintf("%s/inner/one", from);
    autofree char *new_path = xasprintf("%s/inner/one", to);
    struct error err = { 0 };
    struct stat old, new;

    assert_true(file_copy_tree(from, to, &plain, &err));
    assert_int_equal(stat(old_path, &old), 0);
    assert_int_equal(stat(new_path, &new), 0);
    assert_int_equal(old.st_mode, new.st_mode);
    assert_int_equal(old.st_mtim.tv_sec, new.st_mtim.tv_sec);
    assert_int_not_equal(old.st_ino, new.st_ino);
    autofree char *bytes = file_read(new_path, &(size_t){ 0 }, &err);
    assert_string_equal(bytes, "acknowledged");
}

static void test_holes_stay_holes(void **state)
{
    autofree char *from = make_origin(state, "b");
    autofree char *to = in(state, "b/copy");
    autofree char *path = xasprintf("%s/sparse", from);
    autofree char *copy = xasprintf("%s/sparse", to);
    struct error err = { 0 };
    struct stat status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_int_equal(ftruncate(fd, 64 << 20), 0);
    assert_int_equal(pwrite(fd, "x", 1, 32 << 20), 1);
    close(fd);
    assert_true(file_copy_tree(from, to, &plain, &err));
    assert_int_equal(stat(copy, &status), 0);
    assert_int_equal(status.st_size, 64 << 20);
    assert_true(status.st_blocks * 512 < 4 << 20);
}

static void test_what_leads_out_is_refused_by_name(void **state)
{
    autofree char *linked = make_origin(state, "c");
    autofree char *link_path = xasprintf("%s/inner/pg_tblspc", linked);
    autofree char *twice = make_origin(state, "d");
    autofree char *first = xasprintf("%s/inner/one", twice);
    autofree char *second = xasprintf("%s/two", twice);
    autofree char *to = in(state, "c/copy");
    autofree char *other = in(state, "d/copy");
    struct error err = { 0 };

    assert_int_equal(symlink("/elsewhere", link_path), 0);
    assert_int_equal(link(first, second), 0);
    assert_false(file_copy_tree(linked, to, &plain, &err));
    assert_int_equal(err.reason, ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "pg_tblspc"));
    error_clear(&err);
    assert_false(file_copy_tree(twice, other, &plain, &err));
    assert_int_equal(err.reason, ERROR_UNSUPPORTED);
    error_clear(&err);
}

static bool stop(uint64_t bytes, void *context, struct error *err)
{
    *(uint64_t *)context += bytes;
    return error_set(err, ERROR_CANCELLED, "enough");
}

static void test_copying_can_be_stopped_and_counts(void **state)
{
    autofree char *from = make_origin(state, "e");
    autofree char *to = in(state, "e/copy");
    uint64_t done = 0;
    const struct file_copying stopping = { .how = FILE_COPY, .tick = stop, .context = &done };
    struct error err = { 0 };

    assert_false(file_copy_tree(from, to, &stopping, &err));
    assert_int_equal(err.reason, ERROR_CANCELLED);
    assert_int_equal(done, 12);
    error_clear(&err);
}

static void test_clone_works_where_it_is_said_to(void **state)
{
    autofree char *from = make_origin(state, "f");
    autofree char *to = in(state, "f/copy");
    const struct file_copying cloning = { .how = FILE_CLONE };
    struct error err = { 0 };

    assert_int_equal(file_copy_tree(from, to, &cloning, &err), file_can_clone(*state));
    error_clear(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_has_bytes_modes_and_times_of_its_origin),
        cmocka_unit_test(test_holes_stay_holes),
        cmocka_unit_test(test_what_leads_out_is_refused_by_name),
        cmocka_unit_test(test_copying_can_be_stopped_and_counts),
        cmocka_unit_test(test_clone_works_where_it_is_said_to),
    };

    return cmocka_run_group_tests(tests, unit_make_folder, unit_remove_folder);
}
