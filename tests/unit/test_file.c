#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "unit.h"

/* A path in the folder of the group; lent until the eighth call after. */
static const char *in(void **state, const char *name)
{
    static char paths[8][256];
    static size_t next;
    char *path = paths[next++ % ARRAY_SIZE(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", (char *)*state, name);
    return path;
}

static void write_text(const char *path, const char *text)
{
    struct error err = { 0 };

    assert_true(file_write(path, text, strlen(text), 0640, &err));
}

static void assert_text(const char *path, const char *text)
{
    struct error err = { 0 };
    size_t length = 0;
    autofree char *read = file_read(path, &length, &err);

    assert_non_null(read);
    assert_string_equal(read, text);
    assert_int_equal(length, strlen(text));
}

/* Mounts of the tests are seen by nobody else, and go with the process. */
static void mount_tmpfs(const char *path, const char *options)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        skip();
    assert_int_equal(mount("tmpfs", path, "tmpfs", 0, options), 0);
}

static void test_written_file_has_its_mode_and_no_temporary_is_left(void **state)
{
    struct stat status;
    const char *path = in(state, "written");

    umask(077);
    write_text(path, "one");
    write_text(path, "two");
    assert_text(path, "two");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_false(file_exists(in(state, ".written.tmp")));
}

static void test_stale_temporary_is_no_hindrance_even_a_link(void **state)
{
    const char *victim = in(state, "victim");

    write_text(victim, "mine");
    assert_int_equal(symlink(victim, in(state, ".stale.tmp")), 0);
    write_text(in(state, "stale"), "new");
    assert_text(in(state, "stale"), "new");
    assert_text(victim, "mine");
}

static void test_owned_file_is_its_owners(void **state)
{
    struct error err = { 0 };
    struct stat status;

    if (geteuid() != 0)
        skip();
    assert_true(file_write_owned(in(state, "owned"), "a", 1, 0400, 12345, &err));
    assert_int_equal(stat(in(state, "owned"), &status), 0);
    assert_int_equal(status.st_uid, 12345);
    assert_int_equal(status.st_gid, 12345);
}

static void test_write_to_nowhere_names_the_file(void **state)
{
    struct error err = { 0 };

    assert_false(file_write(in(state, "none/a"), "a", 1, 0600, &err));
    assert_int_equal(err.reason, ERROR_INTERNAL);
    assert_non_null(strstr(err.message, "none/a': No such file or directory"));
}

static void test_full_disk_is_no_space_and_the_old_file_stays(void **state)
{
    struct error err = { 0 };
    const char *disk = in(state, "disk");
    const size_t size = 256UL * 1024;
    autofree char *much = xcalloc(1, size);

    assert_true(file_make_folder(disk, 0755, &err));
    mount_tmpfs(disk, "size=64k");
    write_text(in(state, "disk/a"), "old");
    assert_false(file_write(in(state, "disk/a"), much, size, 0600, &err));
    assert_int_equal(err.reason, ERROR_NO_SPACE);
    assert_text(in(state, "disk/a"), "old");
    assert_false(file_exists(in(state, "disk/.a.tmp")));

    assert_true(file_is_tmpfs(disk));
    assert_false(file_is_network(disk));
    assert_true(file_need_space(disk, 1024, "a test", &err));
    assert_false(file_need_space(disk, 1 << 30, "a test", &err));
    assert_int_equal(err.reason, ERROR_NO_SPACE);
    assert_non_null(strstr(err.message, "no space for a test: 1.0 GiB needed, 60 KiB free on "));
    assert_non_null(err.data);
    error_clear(&err);
    assert_int_equal(umount(disk), 0);
}

static void test_tail_is_the_end_and_no_more_than_asked(void **state)
{
    struct error err = { 0 };
    const char *path = in(state, "log");

    write_text(path, "0123456789");
    autofree char *end = file_read_tail(path, 4, &err);
    autofree char *all = file_read_tail(path, 100, &err);
    assert_string_equal(end, "6789");
    assert_string_equal(all, "0123456789");
    assert_null(file_read_tail(in(state, "absent"), 4, &err));
    assert_null(file_read(in(state, "absent"), NULL, &err));
}

static void test_link_replaces_a_link(void **state)
{
    struct error err = { 0 };
    char target[16] = "";

    assert_true(file_link("1", in(state, "current"), &err));
    assert_true(file_link("2", in(state, "current"), &err));
    assert_int_equal(readlink(in(state, "current"), target, sizeof(target)), 1);
    assert_string_equal(target, "2");
    assert_true(file_remove(in(state, "current"), &err));
}

static void test_move_and_remove_may_be_repeated_where_they_should(void **state)
{
    struct error err = { 0 };

    write_text(in(state, "from"), "a");
    assert_true(file_move(in(state, "from"), in(state, "to"), &err));
    assert_text(in(state, "to"), "a");
    assert_false(file_move(in(state, "from"), in(state, "to"), &err));
    assert_true(file_remove(in(state, "to"), &err));
    assert_true(file_remove(in(state, "to"), &err));
    assert_true(file_remove(in(state, "no/folder"), &err));
}

static void test_folder_is_made_with_its_parents_and_keeps_its_mode(void **state)
{
    struct error err = { 0 };
    struct stat status;

    umask(077);
    assert_true(file_make_folder(in(state, "a/b/c"), 0710, &err));
    assert_int_equal(stat(in(state, "a"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
    assert_true(file_make_folder(in(state, "a/b/c/"), 0700, &err));
    assert_int_equal(stat(in(state, "a/b/c"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0710);

    write_text(in(state, "a/file"), "");
    assert_false(file_make_folder(in(state, "a/file"), 0755, &err));
    assert_non_null(strstr(err.message, "Not a directory"));
    assert_true(file_make_folder("/", 0755, &err));
    assert_true(file_sync(in(state, "a"), &err));
    assert_true(file_sync_tree(in(state, "a"), &err));
}

static void test_tree_goes_but_not_what_its_links_point_to(void **state)
{
    struct error err = { 0 };

    assert_true(file_make_folder(in(state, "tree/deep/er"), 0755, &err));
    assert_true(file_make_folder(in(state, "other"), 0755, &err));
    write_text(in(state, "other/kept"), "kept");
    write_text(in(state, "tree/deep/.hidden"), "");
    assert_int_equal(symlink("../other", in(state, "tree/link")), 0);
    assert_int_equal(chmod(in(state, "tree/deep"), 0), 0);
    if (geteuid() != 0)
        assert_int_equal(chmod(in(state, "tree/deep"), 0700), 0);

    assert_true(file_remove_tree(in(state, "tree/"), &err));
    assert_false(file_exists(in(state, "tree")));
    assert_text(in(state, "other/kept"), "kept");
    assert_true(file_remove_tree(in(state, "tree"), &err));
    assert_true(file_remove_tree(in(state, "no/tree"), &err));

    assert_int_equal(symlink("other", in(state, "alias")), 0);
    assert_true(file_remove_tree(in(state, "alias/"), &err));
    assert_text(in(state, "other/kept"), "kept");
}

static void test_tree_with_a_mount_in_it_is_not_removed_beyond_it(void **state)
{
    struct error err = { 0 };

    assert_true(file_make_folder(in(state, "top/mount"), 0755, &err));
    assert_true(file_make_folder(in(state, "data"), 0755, &err));
    write_text(in(state, "data/kept"), "kept");
    mount_tmpfs(in(state, "top/mount"), "size=64k");
    write_text(in(state, "top/mount/kept"), "kept");
    assert_false(file_remove_tree(in(state, "top"), &err));
    assert_text(in(state, "top/mount/kept"), "kept");
    assert_int_equal(umount(in(state, "top/mount")), 0);

    /* A bind mount has the device of what is around it. */
    assert_int_equal(mount(in(state, "data"), in(state, "top/mount"), NULL, MS_BIND, NULL), 0);
    assert_false(file_remove_tree(in(state, "top/mount"), &err));
    assert_false(file_remove_tree(in(state, "top"), &err));
    assert_non_null(strstr(err.message, "busy"));
    assert_text(in(state, "data/kept"), "kept");
    assert_int_equal(umount(in(state, "top/mount")), 0);
}

static void test_tree_changes_hands_but_not_what_its_links_point_to(void **state)
{
    struct error err = { 0 };
    struct stat status;

    if (geteuid() != 0)
        skip();
    assert_true(file_make_folder(in(state, "mine/sub"), 0755, &err));
    write_text(in(state, "mine/sub/file"), "");
    write_text(in(state, "roots"), "");
    assert_int_equal(symlink("../roots", in(state, "mine/link")), 0);
    assert_true(file_own_tree(in(state, "mine"), 12345, &err));
    assert_int_equal(stat(in(state, "mine"), &status), 0);
    assert_int_equal(status.st_uid, 12345);
    assert_int_equal(stat(in(state, "mine/sub/file"), &status), 0);
    assert_int_equal(status.st_gid, 12345);
    assert_int_equal(stat(in(state, "roots"), &status), 0);
    assert_int_equal(status.st_uid, 0);
    assert_false(file_own_tree(in(state, "absent"), 12345, &err));
}

static void test_bytes_of_a_tree_are_those_on_the_disk(void **state)
{
    struct error err = { 0 };
    autofree char *much = xcalloc(1, 100000);

    assert_true(file_make_folder(in(state, "big/sub"), 0755, &err));
    memset(much, 'x', 100000);
    assert_true(file_write(in(state, "big/sub/a"), much, 100000, 0600, &err));
    assert_true(file_sync_tree(in(state, "big"), &err));
    assert_in_range(file_tree_bytes(in(state, "big")), 100000, 200000);
    assert_int_equal(file_tree_bytes(in(state, "absent")), 0);
    assert_true(file_free_bytes(in(state, "big")) > 0);
    assert_int_equal(file_free_bytes(in(state, "absent")), 0);
}

static void test_names_are_sorted_and_without_hidden_ones(void **state)
{
    struct error err = { 0 };

    assert_true(file_make_folder(in(state, "names"), 0755, &err));
    write_text(in(state, "names/b"), "");
    write_text(in(state, "names/a"), "");
    write_text(in(state, "names/.c"), "");
    char **names = file_names(in(state, "names"), &err);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "b");
    assert_null(names[2]);
    file_free_names(names);

    names = file_names(in(state, "absent"), &err);
    assert_null(names[0]);
    file_free_names(names);
    assert_null(file_names(in(state, "names/a"), &err));
}

static void test_lock_is_held_by_one_until_it_is_closed(void **state)
{
    struct error err = { 0 };
    int first = file_lock(in(state, "lock"), false, &err);

    assert_true(first >= 0);
    assert_true((fcntl(first, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(file_lock(in(state, "lock"), false, &err), -1);
    assert_int_equal(err.reason, ERROR_BUSY);
    close(first);
    autoclose int second = file_lock(in(state, "lock"), true, &err);
    assert_true(second >= 0);
    assert_int_equal(file_lock(in(state, "no/lock"), true, &err), -1);
}

static void test_lock_on_a_file_that_was_replaced_counts_for_nothing(void **state)
{
    struct error err = { 0 };
    autoclose int old = file_lock(in(state, "gone"), false, &err);

    assert_true(old >= 0);
    assert_true(file_remove(in(state, "gone"), &err));
    autoclose int new = file_lock(in(state, "gone"), false, &err);
    assert_true(new >= 0);
    assert_int_equal(file_lock(in(state, "gone"), false, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_file_has_its_mode_and_no_temporary_is_left),
        cmocka_unit_test(test_stale_temporary_is_no_hindrance_even_a_link),
        cmocka_unit_test(test_owned_file_is_its_owners),
        cmocka_unit_test(test_write_to_nowhere_names_the_file),
        cmocka_unit_test(test_full_disk_is_no_space_and_the_old_file_stays),
        cmocka_unit_test(test_tail_is_the_end_and_no_more_than_asked),
        cmocka_unit_test(test_link_replaces_a_link),
        cmocka_unit_test(test_move_and_remove_may_be_repeated_where_they_should),
        cmocka_unit_test(test_folder_is_made_with_its_parents_and_keeps_its_mode),
        cmocka_unit_test(test_tree_goes_but_not_what_its_links_point_to),
        cmocka_unit_test(test_tree_with_a_mount_in_it_is_not_removed_beyond_it),
        cmocka_unit_test(test_tree_changes_hands_but_not_what_its_links_point_to),
        cmocka_unit_test(test_bytes_of_a_tree_are_those_on_the_disk),
        cmocka_unit_test(test_names_are_sorted_and_without_hidden_ones),
        cmocka_unit_test(test_lock_is_held_by_one_until_it_is_closed),
        cmocka_unit_test(test_lock_on_a_file_that_was_replaced_counts_for_nothing),
    };

    return cmocka_run_group_tests(tests, unit_make_folder, unit_remove_folder);
}
