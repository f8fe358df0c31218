/* What a process in a tree finds in its environment. */
#include <string.h>

#include "cleanup.h"
#include "engine.h"
#include "environment.h"
#include "error.h"
#include "file.h"
#include "layout.h"
#include "memory.h"
#include "unit.h"

static const char *const given[] = { "MYSQL_HOME=/x", "LC_ALL=POSIX", NULL };

/* Of a version whose manifest is this text; NULL: it has none. */
static char **make(void **state, const char *manifest, bool is_tool)
{
    autofree char *path = xasprintf("%s/manifest.json", (const char *)*state);
    autofree char *tree = xasprintf("%s/tree", (const char *)*state);
    const struct engine engine = { .tree = tree };
    struct error err = { 0 };

    if (manifest != NULL)
        assert_true(file_write(path, manifest, strlen(manifest), 0644, &err));
    return environment_make(&engine, given, is_tool);
}

static void assert_lines(char **lines, const char *const wanted[])
{
    size_t i = 0;

    for (; wanted[i] != NULL; i++) {
        assert_non_null(lines[i]);
        assert_string_equal(lines[i], wanted[i]);
    }
    assert_null(lines[i]);
    layout_free_strings(lines);
}

#define USUAL_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define IMAGE                                                                                      \
    "{\"image\":{\"env\":[\"PATH=/opt/bin\",\"LD_LIBRARY_PATH=/opt/lib\",\"TZ=Asia/Tokyo\","       \
    "\"LANG=de_DE.utf8\",\"LC_ALL=C\",\"LD_PRELOAD=/x.so\",\"PGDATA=/x\",\"odd\",7]}}"

static void test_without_an_image_there_are_path_and_language(void **state)
{
    assert_lines(
        make(state, NULL, false),
        (const char *const[]){ "MYSQL_HOME=/x", "LC_ALL=POSIX", USUAL_PATH, "LANG=C.UTF-8", NULL });
    assert_lines(
        make(state, "{\"image\":{\"env\":\"none\"}}", false),
        (const char *const[]){ "MYSQL_HOME=/x", "LC_ALL=POSIX", USUAL_PATH, "LANG=C.UTF-8", NULL });
}

static void test_engine_gets_paths_zone_and_language_of_its_image(void **state)
{
    assert_lines(make(state, IMAGE, false),
                 (const char *const[]){ "MYSQL_HOME=/x", "LC_ALL=POSIX", "PATH=/opt/bin",
                                        "LD_LIBRARY_PATH=/opt/lib", "TZ=Asia/Tokyo",
                                        "LANG=de_DE.utf8", NULL });
}

static void test_tools_speak_one_language(void **state)
{
    assert_lines(make(state, IMAGE, true),
                 (const char *const[]){ "MYSQL_HOME=/x", "LC_ALL=POSIX", "PATH=/opt/bin",
                                        "LD_LIBRARY_PATH=/opt/lib", "TZ=Asia/Tokyo", "LANG=C.UTF-8",
                                        NULL });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_an_image_there_are_path_and_language),
        cmocka_unit_test(test_engine_gets_paths_zone_and_language_of_its_image),
        cmocka_unit_test(test_tools_speak_one_language),
    };

    return cmocka_run_group_tests(tests, unit_make_folder, unit_remove_folder);
}
