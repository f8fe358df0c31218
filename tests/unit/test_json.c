#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "unit.h"

static struct json_object *parse(const char *text)
{
    struct error err = { 0 };

    return json_parse(text, strlen(text), &err);
}

static void test_parameters_come_out_as_c(void **unused)
{
    struct error err = { 0 };
    const char *name = NULL;
    const char *databases[3] = { NULL };
    int64_t count = 0;
    autoptr(json_object) object =
        parse("{\"name\":\"ann\",\"count\":-5,\"databases\":[\"a\",\"b\"]}");

    (void)unused;
    assert_true(json_string(object, "name", &name, &err));
    assert_string_equal(name, "ann");
    assert_true(json_int(object, "count", &count, &err));
    assert_int_equal(count, -5);
    assert_true(json_strings(object, "databases", databases, ARRAY_SIZE(databases), &err));
    assert_string_equal(databases[1], "b");
    assert_null(databases[2]);
}

static void assert_invalid(const struct error *err, const char *message)
{
    assert_int_equal(err->reason, ERROR_INVALID);
    assert_string_equal(err->message, message);
}

static void test_wrong_parameters_are_named(void **unused)
{
    struct error err = { 0 };
    const char *string = "untouched";
    int64_t number = 7;
    autoptr(json_object) object =
        parse("{\"n\":5,\"s\":\"a\\u0000b\",\"f\":1.5,\"huge\":18446744073709551615}");

    (void)unused;
    assert_false(json_string(object, "x", &string, &err));
    assert_invalid(&err, "parameter 'x' is missing");
    assert_false(json_string(object, "n", &string, &err));
    assert_invalid(&err, "parameter 'n' must be a string");
    assert_false(json_string(object, "s", &string, &err));
    assert_invalid(&err, "parameter 's' must hold no NUL");
    assert_string_equal(string, "untouched");
    assert_false(json_int(object, "f", &number, &err));
    assert_invalid(&err, "parameter 'f' must be an integer");
    assert_false(json_int(object, "huge", &number, &err));
    assert_invalid(&err, "parameter 'huge' is too large");
    assert_int_equal(number, 7);
    assert_false(json_string(NULL, "x", &string, &err));
}

static void test_list_of_strings_may_be_missing_but_not_anything_else(void **unused)
{
    struct error err = { 0 };
    const char *out[2] = { "x", "x" };
    autoptr(json_object) object =
        parse("{\"two\":[\"a\",\"b\"],\"mixed\":[1],\"no\":{},\"nul\":[\"\\u0000\"]}");

    (void)unused;
    assert_true(json_strings(object, "missing", out, 2, &err));
    assert_null(out[0]);
    assert_false(json_strings(object, "two", out, 2, &err));
    assert_invalid(&err, "parameter 'two' must have at most 1 members");
    assert_false(json_strings(object, "mixed", out, 2, &err));
    assert_false(json_strings(object, "no", out, 2, &err));
    assert_false(json_strings(object, "nul", out, 2, &err));
    assert_int_equal(err.reason, ERROR_INVALID);
}

static void test_getters_never_fail(void **unused)
{
    autoptr(json_object) object = parse("{\"s\":\"a\",\"i\":3,\"d\":2.5,\"b\":true,\"n\":null}");

    (void)unused;
    assert_string_equal(json_get_string(object, "s"), "a");
    assert_int_equal(json_get_int(object, "i"), 3);
    assert_true(json_get_double(object, "d") == 2.5);
    assert_true(json_get_double(object, "i") == 3);
    assert_true(json_get_bool(object, "b"));
    assert_null(json_get_string(object, "i"));
    assert_int_equal(json_get_int(object, "s"), 0);
    assert_false(json_get_bool(object, "s"));
    assert_null(json_get(object, "n"));
    assert_null(json_get(NULL, "n"));
    assert_null(json_get(json_get(object, "i"), "n"));
}

static void test_line_is_short_and_doubles_have_three_decimals_at_most(void **unused)
{
    autoptr(json_object) object = json_object_new_object();

    (void)unused;
    json_add_string(object, "path", "/a/b");
    json_add_string(object, "none", NULL);
    json_add_double(object, "took_s", 2.3);
    json_add_double(object, "outage_s", 0.19);
    json_add_double(object, "left_s", 4);
    json_add_double(object, "third", 1.0 / 3.0);
    json_add_double(object, "endless", 1.0 / 0.0);
    json_add_int(json_add_object(object, "o"), "i", INT64_MIN);
    json_object_array_add(json_add_array(object, "a"), json_object_new_string("\n"));

    const char *expected = "{\"path\":\"/a/b\",\"none\":null,\"took_s\":2.3,\"outage_s\":0.19,"
                           "\"left_s\":4.0,\"third\":0.333,\"endless\":null,"
                           "\"o\":{\"i\":-9223372036854775808},\"a\":[\"\\n\"]}";
    assert_string_equal(json_line(object), expected);

    autoptr(json_object) copy = json_copy(object);
    json_object_object_del(object, "a");
    assert_string_equal(json_line(copy), expected);
    assert_null(json_copy(NULL));
}

static void test_good_json_is_read_with_space_around_it(void **unused)
{
    static const char *const good[] = { "{}", " {\"a\":[1.50]} \r\n", "5", "\"x\"", "true" };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        autoptr(json_object) value = parse(good[i]);
        assert_non_null(value);
    }
}

static void test_bad_json_is_corrupt(void **unused)
{
    static const char *const bad[] = { "",    " ",   "{",      "{} x", "{}{}", "[1,]",
                                       "nul", "5 6", "{\"a\"", "null", "\"a" };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = { 0 };
        assert_null(json_parse(bad[i], strlen(bad[i]), &err));
        assert_int_equal(err.reason, ERROR_CORRUPT);
    }
}

static void test_nul_behind_json_is_corrupt(void **unused)
{
    struct error err = { 0 };

    (void)unused;
    assert_null(json_parse("{}\0{}", 5, &err));
    assert_string_equal(err.message, "not JSON: a NUL at byte 2");
    assert_null(json_parse("5\0", 2, &err));
}

static void test_deep_json_is_refused(void **unused)
{
    struct error err = { 0 };
    char deep[200];

    (void)unused;
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    assert_null(json_parse(deep, sizeof(deep), &err));
    autoptr(json_object) shallower = json_parse(deep + 50, 100, &err);
    assert_non_null(shallower);
}

static void test_file_comes_back_as_written(void **state)
{
    struct error err = { 0 };
    autofree char *path = xasprintf("%s/a.json", (char *)*state);
    autoptr(json_object) object = parse("{\"a\":1.25}");

    assert_true(json_write_file(path, object, 0600, &err));
    autoptr(json_object) back = json_read_file(path, &err);
    assert_string_equal(json_line(back), "{\"a\":1.25}");
}

static void test_torn_file_is_corrupt_and_named(void **state)
{
    struct error err = { 0 };
    autofree char *path = xasprintf("%s/torn.json", (char *)*state);

    assert_true(file_write(path, "{\"a\":", 5, 0600, &err));
    assert_null(json_read_file(path, &err));
    assert_int_equal(err.reason, ERROR_CORRUPT);
    assert_non_null(strstr(err.message, "torn.json"));
    assert_null(json_read_file("/nonexistent", &err));
    assert_int_equal(err.reason, ERROR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_come_out_as_c),
        cmocka_unit_test(test_wrong_parameters_are_named),
        cmocka_unit_test(test_list_of_strings_may_be_missing_but_not_anything_else),
        cmocka_unit_test(test_getters_never_fail),
        cmocka_unit_test(test_line_is_short_and_doubles_have_three_decimals_at_most),
        cmocka_unit_test(test_good_json_is_read_with_space_around_it),
        cmocka_unit_test(test_bad_json_is_corrupt),
        cmocka_unit_test(test_nul_behind_json_is_corrupt),
        cmocka_unit_test(test_deep_json_is_refused),
        cmocka_unit_test(test_file_comes_back_as_written),
        cmocka_unit_test(test_torn_file_is_corrupt_and_named),
    };

    return cmocka_run_group_tests(tests, unit_make_folder, unit_remove_folder);
}
