#include <string.h>

#include "json.h"
#include "memory.h"
#include "method.h"
#include "openrpc.h"
#include "text.h"
#include "unit.h"

static struct json_object *object_of(const char *text)
{
    struct error err = { 0 };
    struct json_object *object = json_parse(text, strlen(text), &err);

    assert_non_null(object);
    return object;
}

static bool check(const char *method, const char *params, struct error *err)
{
    autoptr(json_object) object = object_of(params);

    error_clear(err);
    return method_check_params(method_find(method), object, err);
}

static void assert_refused(const char *method, const char *params, const char *message)
{
    struct error err = { 0 };

    assert_false(check(method, params, &err));
    assert_int_equal(err.reason, ERROR_INVALID);
    assert_string_equal(err.message, message);
    error_clear(&err);
}

static void assert_taken(const char *method, const char *params)
{
    struct error err = { 0 };

    if (!check(method, params, &err))
        fail_msg("%s %s: %s", method, params, err.message);
}

static void test_every_method_is_found_by_its_name_and_takes_its_own_sample(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_null(method_find("no.such"));
    for (const struct method *method = methods; method->name != NULL; method++) {
        autoptr(json_object) params = protocol_sample(method);
        assert_ptr_equal(method_find(method->name), method);
        if (!method_check_params(method, params, &err))
            fail_msg("%s: %s", method->name, err.message);
        assert_non_null(method->examples[0]);
    }
}

static void test_unknown_parameter_is_refused_with_the_nearest_known_one(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_false(check("user.create", "{\"instance\":\"main\",\"nmae\":\"anna\"}", &err));
    assert_string_equal(err.message, "unknown parameter 'nmae' of user.create");
    assert_string_equal(err.hint, "did you mean 'name'?");

    assert_false(check("user.create",
                       "{\"instance\":\"main\",\"users\":[{\"name\":\"a\",\"password\":"
                       "\"b\",\"acces\":\"read\"}]}",
                       &err));
    assert_string_equal(err.message, "unknown parameter 'users[0].acces' of user.create");
    assert_string_equal(err.hint, "did you mean 'access'?");
    error_clear(&err);
}

static void test_missing_parameter_is_named(void **unused)
{
    (void)unused;
    assert_refused("instance.show", "{}", "parameter 'instance' of instance.show is missing");
    assert_refused("user.create", "{\"instance\":\"main\",\"name\":\"anna\"}",
                   "parameter 'password' (or 'users' for many) of user.create is missing");
    assert_refused("database.drop", "{\"instance\":\"main\"}",
                   "parameter 'name' (or 'databases' for many) of database.drop is missing");
    assert_refused("user.create", "{\"instance\":\"main\",\"users\":[{\"name\":\"a\"}]}",
                   "parameter 'users[0].password' of user.create is missing");
}

static void test_wrong_type_says_what_it_is_and_what_it_may_be(void **unused)
{
    (void)unused;
    assert_refused(
        "instance.log", "{\"instance\":\"main\",\"lines\":\"x\"}",
        "parameter 'lines' of instance.log is 'x', but must be an integer from 1 to 10000");
    assert_refused(
        "instance.log", "{\"instance\":[1,2]}",
        "parameter 'instance' of instance.log is an array of 2, but must be an instance's "
        "name: a small letter, then at most 31 small letters, digits and '-'");
    assert_refused(
        "instance.stop", "{\"instance\":\"main\",\"mode\":\"fast\"}",
        "parameter 'mode' of instance.stop is 'fast', but must be one of clean immediate");
    assert_refused("instance.start", "{\"instance\":\"main\",\"queue\":1}",
                   "parameter 'queue' of instance.start is 1, but must be true or false");
    assert_refused(
        "agent.subscribe", "{\"kinds\":[\"job\",\"jobs\"]}",
        "parameter 'kinds[1]' of agent.subscribe is 'jobs', but must be one of status job "
        "backup heartbeat");
    assert_refused(
        "instance.show", "{\"instance\":null}",
        "parameter 'instance' of instance.show is null, but must be an instance's name: a "
        "small letter, then at most 31 small letters, digits and '-'");
}

static void test_message_never_shows_a_secret(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_false(check("user.set_password",
                       "{\"instance\":\"main\",\"name\":\"a\",\"password\":12345678}", &err));
    assert_null(strstr(err.message, "12345678"));
    assert_false(check("user.set_password",
                       "{\"instance\":\"main\",\"name\":\"a\",\"password\":\"top\\u0000secret\"}",
                       &err));
    assert_null(strstr(err.message, "top"));
    error_clear(&err);
}

static void test_numbers_must_be_integers_that_fit(void **unused)
{
    (void)unused;
    assert_taken("instance.log", "{\"instance\":\"main\",\"lines\":10000}");
    assert_refused(
        "instance.log", "{\"instance\":\"main\",\"lines\":3.0}",
        "parameter 'lines' of instance.log is 3.0, but must be an integer from 1 to 10000");
    assert_refused(
        "instance.log", "{\"instance\":\"main\",\"lines\":0}",
        "parameter 'lines' of instance.log is 0, but must be an integer from 1 to 10000");
    assert_refused(
        "instance.log", "{\"instance\":\"main\",\"lines\":18446744073709551615}",
        "parameter 'lines' of instance.log is 18446744073709551615, but must be an integer "
        "from 1 to 10000");
}

static void test_text_counts_bytes_and_refuses_nul(void **unused)
{
    (void)unused;
    assert_taken("database.show", "{\"instance\":\"main\",\"name\":\"\\\"\\n'%\\ud83d\\ude00\"}");
    assert_refused(
        "database.show", "{\"instance\":\"main\",\"name\":\"\"}",
        "parameter 'name' of database.show is '', but must be a string of 1 to 255 bytes "
        "without NUL");
    assert_refused("database.show", "{\"instance\":\"main\",\"name\":\"a\\u0000b\"}",
                   "parameter 'name' of database.show is a string with a NUL in it, but must be a "
                   "string of 1 to 255 bytes "
                   "without NUL");

    /* 86 letters of three bytes each. */
    autotext struct text params = { 0 };
    text_add(&params, "{\"instance\":\"main\",\"name\":\"");
    for (int i = 0; i < 86; i++)
        text_add(&params, "\u20ac");
    text_add(&params, "\"}");
    assert_refused(
        "database.show", params.bytes,
        "parameter 'name' of database.show is a string of 258 bytes, but must be a string "
        "of 1 to 255 bytes without NUL");
}

struct word_case {
    const char *word;
    bool good;
};

static void test_version_has_its_grammar(void **unused)
{
    static const struct word_case cases[] = {
        { "15.20+deb12u1", true }, { "8.0~rc1-2_x", true }, { "v1", true },
        { "..", false },           { ".1", false },         { "1..2", false },
        { "1/2", false },          { "", false },           { "-1", false },
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = { 0 };
        autofree char *params =
            xasprintf("{\"instance\":\"main\",\"version\":\"%s\"}", cases[i].word);
        if (check("instance.upgrade", params, &err) != cases[i].good)
            fail_msg("version '%s'", cases[i].word);
        error_clear(&err);
    }
}

static void test_defaults_are_filled_in(void **unused)
{
    struct error err = { 0 };
    autoptr(json_object) params =
        object_of("{\"instance\":\"main\",\"users\":[{\"name\":\"a\",\"password\":\"b\"}]}");

    (void)unused;
    assert_true(method_check_params(method_find("user.create"), params, &err));
    assert_true(json_get_bool(params, "queue"));
    assert_non_null(json_get(params, "detach"));
    assert_null(json_get(params, "access")); /* each of many has its own */
    struct json_object *user = json_object_array_get_idx(json_get(params, "users"), 0);
    assert_string_equal(json_get_string(user, "access"), "write");
}

static void test_many_exclude_the_single_ones(void **unused)
{
    (void)unused;
    assert_taken("database.drop", "{\"instance\":\"main\",\"databases\":[{\"name\":\"a\"}]}");
    assert_refused("database.drop",
                   "{\"instance\":\"main\",\"name\":\"a\",\"databases\":[{\"name\":\"a\"}]}",
                   "database.drop takes 'name' or 'databases', not both");
    assert_refused("user.create",
                   "{\"instance\":\"main\",\"access\":\"read\",\"users\":[{\"name\":\"a\","
                   "\"password\":\"b\"}]}",
                   "user.create takes 'access' or 'users', not both");
    assert_refused("user.drop", "{\"instance\":\"main\",\"users\":[]}",
                   "parameter 'users' of user.drop is an array of 0, but must be an array of 1 to "
                   "1000");
}

static void test_what_cannot_be_taken_back_wants_the_name_again(void **unused)
{
    (void)unused;
    assert_taken("instance.delete", "{\"instance\":\"main\",\"confirm\":\"main\"}");
    assert_refused("instance.delete", "{\"instance\":\"main\"}",
                   "instance.delete cannot be taken back: repeat the name as confirm");
    assert_refused("database.drop",
                   "{\"instance\":\"main\",\"name\":\"shop\",\"confirm\":\"main\"}",
                   "database.drop cannot be taken back: repeat the name as confirm");
    assert_taken("database.drop", "{\"instance\":\"main\",\"name\":\"shop\",\"confirm\":\"shop\"}");
}

static void test_settings_are_plain_values(void **unused)
{
    (void)unused;
    assert_taken("instance.configure",
                 "{\"instance\":\"main\",\"settings\":{\"a\":1,\"b\":0.5,\"c\":null,\"d\":true}}");
    assert_refused("instance.configure", "{\"instance\":\"main\",\"settings\":{\"a\":[]}}",
                   "setting 'a' of instance.configure must have a name of 1 to 255 bytes and be a "
                   "string without NUL, a number, true, false or null");
}

static void remember(const char *secret, void *context)
{
    text_printf(context, "%s,", secret);
}

static void test_secrets_are_taken_out_and_put_back(void **unused)
{
    const struct method *method = method_find("user.create");
    static const char text[] =
        "{\"instance\":\"main\",\"users\":[{\"name\":\"a\",\"password\":\"one\"},"
        "{\"name\":\"b\"},{\"name\":\"c\",\"password\":\"two\"}]}";
    autoptr(json_object) params = object_of(text);
    autotext struct text found = { 0 };

    (void)unused;
    method_each_secret(method, params, remember, &found);
    assert_string_equal(found.bytes, "one,two,");

    autoptr(json_object) secrets = method_take_secrets(method, params);
    assert_non_null(secrets);
    assert_string_equal(json_line(params),
                        "{\"instance\":\"main\",\"users\":[{\"name\":\"a\",\"password\":null},"
                        "{\"name\":\"b\"},{\"name\":\"c\",\"password\":null}]}");
    method_join_secrets(params, secrets);
    assert_string_equal(json_line(params), text);
    assert_null(method_take_secrets(method_find("user.drop"), params));
}

static void test_reads_and_changes_have_their_common_parameters(void **unused)
{
    (void)unused;
    assert_non_null(method_find_param(method_find("user.list"), "marker"));
    assert_non_null(method_find_param(method_find("user.list"), "deadline_s"));
    assert_null(method_find_param(method_find("user.list"), "detach"));
    assert_non_null(method_find_param(method_find("user.drop"), "idempotency_key"));
    assert_null(method_find_param(method_find("user.drop"), "limit"));
    assert_string_equal(method_many(method_find("user.drop"))->name, "users");
    assert_null(method_many(method_find("instance.create")));
    assert_string_equal(method_confirmed(method_find("backup.delete"))->name, "backup");
}

static void test_document_says_what_the_table_says(void **unused)
{
    autoptr(json_object) document = openrpc_document();
    struct json_object *list = json_get(document, "methods");

    (void)unused;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *method = json_object_array_get_idx(list, i);
        if (strcmp(json_get_string(method, "name"), "instance.create") != 0)
            continue;
        assert_string_equal(json_line(json_get(method, "x-locks")), "[\"name!\",\"version\"]");
        assert_string_equal(json_get_string(method, "paramStructure"), "by-name");
        assert_true(json_get_bool(method, "x-job"));
        return;
    }
    fail_msg("instance.create is not in the document");
}

static void test_error_codes_are_distinct(void **unused)
{
    (void)unused;
    for (int one = 1; one < ERROR_REASONS; one++)
        for (int other = one + 1; other < ERROR_REASONS; other++)
            assert_int_not_equal(openrpc_code((enum error_reason)one),
                                 openrpc_code((enum error_reason)other));
}

static void test_digest_is_stable(void **unused)
{
    (void)unused;
    assert_int_equal(strlen(method_table_digest()), 16);
    assert_ptr_equal(method_table_digest(), method_table_digest());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_method_is_found_by_its_name_and_takes_its_own_sample),
        cmocka_unit_test(test_unknown_parameter_is_refused_with_the_nearest_known_one),
        cmocka_unit_test(test_missing_parameter_is_named),
        cmocka_unit_test(test_wrong_type_says_what_it_is_and_what_it_may_be),
        cmocka_unit_test(test_message_never_shows_a_secret),
        cmocka_unit_test(test_numbers_must_be_integers_that_fit),
        cmocka_unit_test(test_text_counts_bytes_and_refuses_nul),
        cmocka_unit_test(test_version_has_its_grammar),
        cmocka_unit_test(test_defaults_are_filled_in),
        cmocka_unit_test(test_many_exclude_the_single_ones),
        cmocka_unit_test(test_what_cannot_be_taken_back_wants_the_name_again),
        cmocka_unit_test(test_settings_are_plain_values),
        cmocka_unit_test(test_secrets_are_taken_out_and_put_back),
        cmocka_unit_test(test_reads_and_changes_have_their_common_parameters),
        cmocka_unit_test(test_document_says_what_the_table_says),
        cmocka_unit_test(test_error_codes_are_distinct),
        cmocka_unit_test(test_digest_is_stable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
