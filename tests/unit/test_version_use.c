#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "memory.h"
#include "site.h"
#include "task.h"
#include "unit.h"
#include "version.h"

/* A state folder with what the layer looks at, and nothing else of the daemon. */
struct world {
    char folder[64];
    struct site site;
    struct task task;
    struct error err;
};

static void make_file(const struct world *world, const char *path, const char *text)
{
    struct error err = { 0 };
    autofree char *whole = xasprintf("%s/%s", world->folder, path);
    autofree char *folder = xstrndup(whole, (size_t)(strrchr(whole, '/') - whole));

    assert_true(file_make_folder(folder, 0755, &err));
    assert_true(file_write(whole, text, strlen(text), 0644, &err));
}

static void make_link(const struct world *world, const char *path, const char *target)
{
    struct error err = { 0 };
    autofree char *whole = xasprintf("%s/%s", world->folder, path);
    autofree char *folder = xstrndup(whole, (size_t)(strrchr(whole, '/') - whole));

    assert_true(file_make_folder(folder, 0755, &err));
    assert_true(file_link(target, whole, &err));
}

static void make_version(const struct world *world, const char *version)
{
    autofree char *manifest = xasprintf("versions/redis/%s/manifest.json", version);
    autofree char *program = xasprintf("versions/redis/%s/tree/usr/bin/redis-server", version);
    autofree char *text = xasprintf("{\"datastore\":\"redis\",\"version\":\"%s\","
                                    "\"engine_version\":\"7\",\"size_bytes\":1,"
                                    "\"pulled_at\":\"2026-11-21T03:42:58.104Z\"}",
                                    version);

    make_file(world, program, "x");
    make_file(world, manifest, text);
}

static void make_generation(const struct world *world, const char *instance, int number,
                            const char *version)
{
    autofree char *path = xasprintf("instances/%s/generations/%d/version", instance, number);
    autofree char *target = xasprintf("../../../../versions/redis/%s", version);

    make_link(world, path, target);
}

static int make_world(void **state)
{
    struct world *world = xcalloc(1, sizeof(*world));

    strcpy(world->folder, "/tmp/test-version-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    world->site.state_dir = world->folder;
    world->site.versions_dir = xasprintf("%s/versions", world->folder);
    world->site.backups_dir = xasprintf("%s/backups", world->folder);
    world->task.site = &world->site;
    world->task.job = "j7";
    make_version(world, "7.0.9+deb12u1");
    make_version(world, "7.0.15+deb12u7");
    *state = world;
    return 0;
}

static int remove_world(void **state)
{
    struct world *world = *state;
    struct error err = { 0 };

    assert_true(file_remove_tree(world->folder, &err));
    free(world->site.versions_dir);
    free(world->site.backups_dir);
    free(world);
    return 0;
}

static enum error_reason remove_reason(struct world *world, const char *version)
{
    struct error err = { 0 };
    uint64_t freed_bytes = 0;
    bool good = version_remove(&world->task, "redis", version, &freed_bytes, &err);
    enum error_reason reason = good ? ERROR_NONE : err.reason;

    error_clear(&err);
    return reason;
}

static void test_list_is_in_the_order_of_versions(void **state)
{
    struct world *world = *state;
    struct error err = { 0 };
    autoptr(json_object) rows = json_object_new_array();

    assert_true(version_list(&world->site, NULL, rows, &err));
    assert_int_equal(json_object_array_length(rows), 2);
    assert_string_equal(json_get_string(json_object_array_get_idx(rows, 0), "version"),
                        "7.0.9+deb12u1");
    assert_string_equal(json_get_string(json_object_array_get_idx(rows, 1), "version"),
                        "7.0.15+deb12u7");
    assert_null(json_get_string(json_object_array_get_idx(rows, 0), "used_by"));
}

static void test_version_that_lies_about_its_name_is_corrupt(void **state)
{
    struct world *world = *state;
    struct error err = { 0 };

    make_file(world, "versions/redis/9.9/manifest.json",
              "{\"datastore\":\"redis\",\"version\":\"8.0\",\"engine_version\":\"8.0\"}");
    make_file(world, "versions/redis/9.9/tree/x", "");
    assert_null(version_find(&world->site, "redis", "9.9", &err));
    assert_int_equal(err.reason, ERROR_CORRUPT);
    error_clear(&err);
}

static void test_version_that_lies_can_be_removed(void **state)
{
    struct world *world = *state;

    make_file(world, "versions/redis/9.9/manifest.json", "no JSON");
    make_file(world, "versions/redis/9.9/tree/x", "");
    assert_true(version_check_unused(&world->site, "redis", "9.9", NULL, &world->err));
    assert_int_equal(remove_reason(world, "9.9"), ERROR_NONE);
}

static void test_name_leads_nowhere_else(void **state)
{
    struct world *world = *state;
    struct error err = { 0 };

    assert_null(version_find(&world->site, "redis", "../redis/7.0.9+deb12u1", &err));
    assert_int_equal(err.reason, ERROR_NOT_FOUND);
    assert_int_equal(remove_reason(world, "../redis"), ERROR_NOT_FOUND);
    assert_int_equal(remove_reason(world, ".pull-j1"), ERROR_NOT_FOUND);
    error_clear(&err);
}

static void test_unused_version_goes_as_a_whole(void **state)
{
    struct world *world = *state;
    autofree char *path = xasprintf("%s/versions/redis/7.0.9+deb12u1", world->folder);

    assert_int_equal(remove_reason(world, "7.0.9+deb12u1"), ERROR_NONE);
    assert_false(file_exists(path));
    /* As recovery does, which cannot know that it had come to its end. */
    assert_int_equal(remove_reason(world, "7.0.9+deb12u1"), ERROR_NONE);
    assert_false(version_check_unused(&world->site, "redis", "7.0.9+deb12u1", NULL, &world->err));
    assert_int_equal(world->err.reason, ERROR_NOT_FOUND);
}

static void test_what_a_generation_names_stays(void **state)
{
    struct world *world = *state;

    make_version(world, "6.0");
    make_generation(world, "main", 2, "7.0.9+deb12u1");
    make_generation(world, "main", 3, "7.0.15+deb12u7");
    make_link(world, "instances/main/current", "generations/3");

    assert_int_equal(remove_reason(world, "7.0.15+deb12u7"), ERROR_BUSY);
    assert_int_equal(remove_reason(world, "7.0.9+deb12u1"), ERROR_BUSY);
    assert_int_equal(remove_reason(world, "6.0"), ERROR_NONE);
}

static void test_instance_that_is_being_made_needs_its_version(void **state)
{
    struct world *world = *state;

    make_generation(world, "main", 1, "7.0.9+deb12u1");
    assert_int_equal(remove_reason(world, "7.0.9+deb12u1"), ERROR_BUSY);
}

static void test_version_of_a_backup_stays(void **state)
{
    struct world *world = *state;
    struct error err = { 0 };
    autoptr(json_object) row = json_object_new_object();

    make_file(world, "backups/main-20261121-034102/manifest.json",
              "{\"datastore\":\"redis\",\"version\":\"7.0.9+deb12u1\"}");
    make_file(world, "backups/main-20261122-034102/manifest.json",
              "{\"datastore\":\"valkey\",\"version\":\"7.0.15+deb12u7\"}");
    assert_int_equal(remove_reason(world, "7.0.9+deb12u1"), ERROR_BUSY);
    assert_true(version_show(&world->task, "redis", "7.0.9+deb12u1", row, &err));
    assert_string_equal(json_get_string(row, "used_by"), "1 backup");
    assert_int_equal(remove_reason(world, "7.0.15+deb12u7"), ERROR_NONE);
}

static void test_version_that_an_open_job_names_stays(void **state)
{
    struct world *world = *state;

    make_file(world, "jobs/open/j8/request.json", "{\"params\":{\"version\":\"7.0.9+deb12u1\"");
    make_file(world, "jobs/open/j7/request.json", "{\"params\":{\"version\":\"7.0.15+deb12u7\"}}");
    assert_int_equal(remove_reason(world, "7.0.9+deb12u1"), ERROR_BUSY);
    /* The job that removes it names it too. */
    assert_int_equal(remove_reason(world, "7.0.15+deb12u7"), ERROR_NONE);
}

static void test_version_that_an_open_job_has_chosen_itself_stays(void **state)
{
    struct world *world = *state;

    make_file(world, "jobs/open/j8/journal", "0 0 {\"facts\":{\"version\":\"7.0.9+deb12u1\"}}\n");
    assert_int_equal(remove_reason(world, "7.0.9+deb12u1"), ERROR_BUSY);
}

static void test_unused_are_those_that_nothing_names(void **state)
{
    struct world *world = *state;
    struct error err = { 0 };
    autoptr(json_object) rows = json_object_new_array();

    make_version(world, "6.0");
    make_generation(world, "main", 1, "7.0.15+deb12u7");
    make_file(world, "backups/main-20261121-034102/manifest.json",
              "{\"datastore\":\"redis\",\"version\":\"6.0\"}");
    make_file(world, "versions/redis/9.9/manifest.json", "no JSON");
    make_file(world, "versions/redis/9.9/tree/x", "");
    assert_true(version_list_unused(&world->site, NULL, "j7", rows, &err));
    assert_int_equal(json_object_array_length(rows), 2);
    assert_string_equal(json_get_string(json_object_array_get_idx(rows, 0), "version"),
                        "7.0.9+deb12u1");
    assert_true(json_get_int(json_object_array_get_idx(rows, 0), "size_bytes") > 0);
    assert_string_equal(json_get_string(json_object_array_get_idx(rows, 1), "version"), "9.9");
}

static void test_sweep_takes_what_killed_jobs_left_and_no_more(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *path;
        bool stays;
    } folders[] = {
        { "versions/redis/.pull-j1/tree.part/x", false },
        { "versions/redis/.pull-j2/tree.part/x", true }, /* open */
        { "versions/redis/.pull-j3/tree.part/x", true }, /* the asking job */
        { "versions/redis/.removing-6.0/tree/x", false },
        { "versions/redis/7.0.9+deb12u1/manifest.json", true },
    };

    make_file(world, "jobs/open/j2/request.json", "{}");
    for (size_t i = 0; i + 1 < ARRAY_SIZE(folders); i++)
        make_file(world, folders[i].path, "x");
    version_sweep(&world->site, "j3");
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        autofree char *path = xasprintf("%s/%s", world->folder, folders[i].path);
        assert_int_equal(file_exists(path), folders[i].stays);
    }
}

static void test_what_unfinished_pulls_kept_goes_when_asked_and_only_then(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *path;
        bool stays;
    } folders[] = {
        { "versions/redis/.kept-a/blobs/x", false },
        { "versions/redis/.kept-b/blobs/x", true }, /* of an open job */
        { "versions/redis/.kept-c/blobs/x", false },
    };

    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        make_file(world, folders[i].path, "x");
    make_file(world, "versions/redis/.kept-a/job", "j1");
    make_file(world, "versions/redis/.kept-b/job", "j2");
    make_file(world, "jobs/open/j2/request.json", "{}");
    version_sweep(&world->site, NULL);
    assert_int_equal(version_sweep_kept(&world->site, "postgresql"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        autofree char *path = xasprintf("%s/%s", world->folder, folders[i].path);
        assert_true(file_exists(path));
    }
    assert_true(version_sweep_kept(&world->site, NULL) > 0);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        autofree char *path = xasprintf("%s/%s", world->folder, folders[i].path);
        assert_int_equal(file_exists(path), folders[i].stays);
    }
}

int main(void)
{
#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, make_world, remove_world)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_list_is_in_the_order_of_versions),
        WORLD_TEST(test_version_that_lies_about_its_name_is_corrupt),
        WORLD_TEST(test_version_that_lies_can_be_removed),
        WORLD_TEST(test_name_leads_nowhere_else),
        WORLD_TEST(test_unused_version_goes_as_a_whole),
        WORLD_TEST(test_what_a_generation_names_stays),
        WORLD_TEST(test_instance_that_is_being_made_needs_its_version),
        WORLD_TEST(test_version_of_a_backup_stays),
        WORLD_TEST(test_version_that_an_open_job_names_stays),
        WORLD_TEST(test_version_that_an_open_job_has_chosen_itself_stays),
        WORLD_TEST(test_unused_are_those_that_nothing_names),
        WORLD_TEST(test_sweep_takes_what_killed_jobs_left_and_no_more),
        WORLD_TEST(test_what_unfinished_pulls_kept_goes_when_asked_and_only_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
