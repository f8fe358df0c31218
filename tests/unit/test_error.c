#include <errno.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "unit.h"

static void test_message_gets_what_was_done_on_the_way_up(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_false(error_set(&err, ERROR_NOT_FOUND, "user '%s' does not exist", "ann"));
    assert_false(error_prefix(&err, "cannot grant '%s'", "shop"));
    assert_int_equal(err.reason, ERROR_NOT_FOUND);
    assert_string_equal(err.message, "cannot grant 'shop': user 'ann' does not exist");
}

static void test_setting_again_replaces_and_may_quote_what_was_there(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    error_set(&err, ERROR_ENGINE, "no luck");
    error_native(&err, "FATAL");
    error_add(&err, "step", json_object_new_string("start"));
    error_set(&err, ERROR_ROLLED_BACK, "as before, because of: %s", err.message);
    assert_int_equal(err.reason, ERROR_ROLLED_BACK);
    assert_string_equal(err.message, "as before, because of: no luck");
    assert_string_equal(err.native, "");
    assert_null(err.data);
}

static void test_full_disk_is_no_space_and_other_errnos_are_internal(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    errno = ENOSPC;
    error_errno(&err, "cannot write '%s'", "a");
    assert_int_equal(err.reason, ERROR_NO_SPACE);
    assert_string_equal(err.message, "cannot write 'a': No space left on device");
    errno = EDQUOT;
    error_errno(&err, "cannot write");
    assert_int_equal(err.reason, ERROR_NO_SPACE);
    errno = EIO;
    error_errno(&err, "cannot read");
    assert_int_equal(err.reason, ERROR_INTERNAL);
}

static void test_every_reason_has_a_word_that_leads_back(void **unused)
{
    (void)unused;
    for (int reason = ERROR_NONE + 1; reason < ERROR_REASONS; reason++)
        assert_int_equal(error_from_word(error_word((enum error_reason)reason)), reason);
    assert_string_equal(error_word(ERROR_NEEDS_ATTENTION), "needs_attention");
    assert_int_equal(error_from_word("nonsense"), ERROR_NONE);
    assert_int_equal(error_from_word(NULL), ERROR_NONE);
}

static void test_only_what_may_work_later_is_retryable(void **unused)
{
    (void)unused;
    assert_true(error_retryable(ERROR_BUSY));
    assert_true(error_retryable(ERROR_NO_SPACE));
    assert_true(error_retryable(ERROR_INTERRUPTED));
    assert_false(error_retryable(ERROR_INTERNAL));
    assert_false(error_retryable(ERROR_ENGINE));
}

static void test_text_too_long_is_cut_between_characters(void **unused)
{
    struct error err = { 0 };
    char text[3001] = "";

    (void)unused;
    for (size_t i = 0; i + 1 < sizeof(text); i++)
        text[i] = "\xc3\xa4"[i % 2];
    error_set(&err, ERROR_ENGINE, "x%s", text);
    error_native(&err, text);
    assert_int_equal(strlen(err.message), 1023); /* x and 511 of two bytes */
    assert_int_equal(strlen(err.native), 2046);
}

static void test_bytes_that_are_no_utf8_do_not_reach_the_protocol(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    error_native(&err, "FEHLER: f\xfcr Ger\xc3\xa4te \r\n");
    assert_string_equal(err.native, "FEHLER: f?r Ger\xc3\xa4te");
}

static void test_hidden_secret_is_nowhere(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    error_set(&err, ERROR_ENGINE, "bad: ALTER ROLE x PASSWORD 'sesame'");
    error_native(&err, "sesamesesame near sesam");
    error_hint(&err, "is it sesame");
    error_hide(&err, "sesame");
    assert_string_equal(err.message, "bad: ALTER ROLE x PASSWORD '******'");
    assert_string_equal(err.native, "************ near sesam");
    assert_string_equal(err.hint, "is it ******");

    error_hide(&err, "is"); /* too short to be worth the damage */
    error_hide(&err, NULL);
    assert_string_equal(err.hint, "is it ******");
}

static void test_secret_cut_by_the_end_is_hidden_too(void **unused)
{
    struct error err = { 0 };
    char text[sizeof(err.message) - 6] = "";

    (void)unused;
    memset(text, 'x', sizeof(text) - 1);
    error_set(&err, ERROR_ENGINE, "%s%s", text, "sesame-open");
    assert_non_null(strstr(err.message, "sesame"));
    error_hide(&err, "sesame-open");
    assert_null(strstr(err.message, "sesa"));
}

static void test_json_has_the_members_of_the_protocol(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    error_set(&err, ERROR_BUSY, "locked");
    error_add(&err, "waiting_for", json_object_new_string("j7"));
    autoptr(json_object) object = error_to_json(&err);
    assert_string_equal(json_line(object),
                        "{\"reason\":\"busy\",\"message\":\"locked\",\"native\":null,"
                        "\"retryable\":true,\"hint\":null,\"waiting_for\":\"j7\"}");
    error_clear(&err);
    assert_int_equal(err.reason, ERROR_NONE);
}

static void test_error_survives_the_way_through_json(void **unused)
{
    struct error err = { 0 };
    struct error back = { 0 };

    (void)unused;
    error_set(&err, ERROR_ENGINE, "did not start");
    error_native(&err, "FATAL: no");
    error_hint(&err, "look at the log");
    error_add(&err, "cause", json_object_new_string("x"));
    autoptr(json_object) object = error_to_json(&err);
    error_from_json(&back, object);
    assert_int_equal(back.reason, ERROR_ENGINE);
    assert_string_equal(back.message, "did not start");
    assert_string_equal(back.native, "FATAL: no");
    assert_string_equal(back.hint, "look at the log");
    assert_string_equal(json_line(back.data), "{\"cause\":\"x\"}");
    error_clear(&err);
    error_clear(&back);
}

static void test_json_that_says_nothing_is_an_error_all_the_same(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    error_from_json(&err, NULL);
    assert_int_equal(err.reason, ERROR_INTERNAL);
    assert_string_not_equal(err.message, "");
}

static void test_moved_error_leaves_nothing_behind(void **unused)
{
    struct error from = { 0 };
    struct error to = { 0 };

    (void)unused;
    error_set(&to, ERROR_BUSY, "old");
    error_add(&to, "a", NULL);
    error_set(&from, ERROR_EXISTS, "new");
    error_add(&from, "b", NULL);
    error_move(&to, &from);
    assert_string_equal(to.message, "new");
    assert_string_equal(json_line(to.data), "{\"b\":null}");
    assert_int_equal(from.reason, ERROR_NONE);
    assert_null(from.data);
    error_clear(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_gets_what_was_done_on_the_way_up),
        cmocka_unit_test(test_setting_again_replaces_and_may_quote_what_was_there),
        cmocka_unit_test(test_full_disk_is_no_space_and_other_errnos_are_internal),
        cmocka_unit_test(test_every_reason_has_a_word_that_leads_back),
        cmocka_unit_test(test_only_what_may_work_later_is_retryable),
        cmocka_unit_test(test_text_too_long_is_cut_between_characters),
        cmocka_unit_test(test_bytes_that_are_no_utf8_do_not_reach_the_protocol),
        cmocka_unit_test(test_hidden_secret_is_nowhere),
        cmocka_unit_test(test_secret_cut_by_the_end_is_hidden_too),
        cmocka_unit_test(test_json_has_the_members_of_the_protocol),
        cmocka_unit_test(test_error_survives_the_way_through_json),
        cmocka_unit_test(test_json_that_says_nothing_is_an_error_all_the_same),
        cmocka_unit_test(test_moved_error_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
