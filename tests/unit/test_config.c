/* dbguest.conf: defaults, limits, and errors with their line. */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "error.h"
#include "memory.h"
#include "unit.h"

static struct config *read_text(void **state, const char *text, struct error *err)
{
    autofree char *path = xasprintf("%s/dbguest.conf", (const char *)*state);
    struct error failure = { 0 };

    assert_true(file_write(path, text, strlen(text), 0644, &failure));
    return config_read(path, false, err);
}

static void assert_refused(void **state, const char *text, const char *message)
{
    struct error err = { 0 };
    autoptr(config) config = read_text(state, text, &err);

    assert_null(config);
    assert_int_equal(err.reason, ERROR_INVALID);
    if (strstr(err.message, message) == NULL)
        fail_msg("'%s' is not in '%s'", message, err.message);
}

static void test_without_a_file_there_are_defaults(void **unused)
{
    struct error err = { 0 };
    autoptr(config) config = config_read("/nowhere/dbguest.conf", true, &err);

    (void)unused;
    assert_non_null(config);
    assert_string_equal(config->socket, "/run/dbguest/dbguest.sock");
    assert_string_equal(config->site.versions_dir, "/var/lib/dbguest/versions");
    assert_int_equal(config->line_bytes, 1024 * 1024);
    assert_int_equal(config->socket_mode, 0660);
    assert_int_equal(config->site.uid_first, 64100);
}

static void test_a_file_that_was_named_must_be_there(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_null(config_read("/nowhere/dbguest.conf", false, &err));
    assert_int_equal(err.reason, ERROR_INTERNAL);
    error_clear(&err);
}

static void test_values_replace_defaults(void **state)
{
    struct error err = { 0 };
    autoptr(config) config = read_text(state,
                                       "# of this machine\n[daemon]\nstate_dir = /srv/db/\n"
                                       "supervisor = detached\nsocket_mode = 0600\n"
                                       "[limits]\nconnections = 7\n",
                                       &err);

    assert_non_null(config);
    assert_string_equal(config->site.state_dir, "/srv/db");
    assert_string_equal(config->site.backups_dir, "/srv/db/backups");
    assert_int_equal(config->socket_mode, 0600);
    assert_int_equal(config->connections, 7);
    assert_int_equal(config->site.supervisor, SUPERVISOR_DETACHED);
}

static void test_what_is_wrong_is_told_with_its_line(void **state)
{
    assert_refused(state, "[daemon]\n\nsokcet = /x\n",
                   "dbguest.conf:3: [daemon] knows no 'sokcet'");
    assert_refused(state, "[limits]\nconnections = many\n", ":2: connections must be a number");
    assert_refused(state, "[limits]\nconnections = 0\n", ":2: connections must be from 1 to");
    assert_refused(state, "[daemon]\nstate_dir = here\n", ":2: state_dir must be an absolute path");
    assert_refused(state, "[daemon]\nsocket_mode = 9\n", ":2: socket_mode must be a number");
    assert_refused(state, "[daemon]\nname = Db_Guest\n", ":2: name must be of a-z");
    assert_refused(state, "[daemon]\nsupervisor = init\n", ":2: supervisor must be auto");
    assert_refused(state, "[jobs]\nkeep_s = 3600\n", ":2: keep_s must be from 86400");
    assert_refused(state, "[daemon]\nwhat is this\n", ":2: neither [section] nor name = value");
    assert_refused(state, "[demon]\nname = x\n", ":2: [demon] knows no 'name'");
}

static void test_only_what_may_change_while_running_is_taken_over(void **state)
{
    struct error err = { 0 };
    autoptr(config) now = read_text(state, "[limits]\nconnections = 7\n", &err);
    autoptr(config) wanted =
        read_text(state, "[daemon]\nstate_dir = /elsewhere\n[limits]\nconnections = 9\n", &err);

    config_change(now, wanted);
    assert_int_equal(now->connections, 9);
    assert_string_equal(now->site.state_dir, "/var/lib/dbguest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_file_there_are_defaults),
        cmocka_unit_test(test_a_file_that_was_named_must_be_there),
        cmocka_unit_test(test_values_replace_defaults),
        cmocka_unit_test(test_what_is_wrong_is_told_with_its_line),
        cmocka_unit_test(test_only_what_may_change_while_running_is_taken_over),
    };

    return cmocka_run_group_tests(tests, unit_make_folder, unit_remove_folder);
}
