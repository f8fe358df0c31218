#include <locale.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "screen.h"
#include "table.h"
#include "text.h"
#include "unit.h"

static const char *const fields =
    "{\"name\":{\"type\":[\"string\",\"null\"]},\"size_bytes\":{\"type\":[\"integer\",\"null\"]},"
    "\"state\":{\"type\":[\"string\"]},\"note\":{\"type\":[\"string\"]}}";

static struct json_object *parse(const char *text)
{
    struct error err = { 0 };
    struct json_object *value = json_parse(text, strlen(text), &err);

    assert_non_null(value);
    return value;
}

/* So wide a terminal leaves out columns that nobody has. */
#define SPARSE 90

/* The table of rows on a terminal of so many columns; 0: in a pipe. */
static void print(const char *rows, size_t columns, struct text *out, struct text *remarks)
{
    autoptr(json_object) names = parse("[\"name\",\"size_bytes\",\"state\",\"note\"]");
    autoptr(json_object) leaves = parse("[\"size_bytes\",\"state\"]");
    autoptr(json_object) schemas = parse(fields);
    autoptr(json_object) objects = parse(rows);
    struct cli cli = { .out_terminal = columns > 0, .columns = columns };
    autoptr(json_object) sparse = parse("[\"size_bytes\",\"note\"]");
    struct table table = {
        .columns = names,
        .sparse = columns == SPARSE ? sparse : NULL,
        .leaves = leaves,
        .fields = schemas,
        .rows = objects,
    };

    text_add(remarks, "");
    table_print(&cli, &table, out, remarks);
}

static void test_numbers_stand_right_and_words_left(void **unused)
{
    autotext struct text out = { 0 };
    autotext struct text remarks = { 0 };

    (void)unused;
    print("[{\"name\":\"a\",\"size_bytes\":1024,\"state\":\"ok\",\"note\":\"x\"},"
          "{\"name\":\"longer\",\"size_bytes\":null,\"state\":\"running\"}]",
          100, &out, &remarks);
    assert_string_equal(out.bytes, "NAME       SIZE  STATE    NOTE\n"
                                   "a       1.0 KiB  ok       x\n"
                                   "longer        -  running  -\n");
    assert_string_equal(remarks.bytes, "");
}

static void test_columns_leave_in_the_order_of_the_table(void **unused)
{
    static const char rows[] = "[{\"name\":\"abcdefghij\",\"size_bytes\":1024,\"state\":\"ok\","
                               "\"note\":\"12345678901234567890\"}]";
    autotext struct text out = { 0 };
    autotext struct text remarks = { 0 };

    (void)unused;
    print(rows, 36, &out, &remarks);
    assert_string_equal(out.bytes, "NAME        STATE  NOTE\n"
                                   "abcdefghij  ok     1234567890123456…\n");
    assert_string_equal(remarks.bytes, "1 column hidden; --wide\n");
}

static void test_what_nobody_has_is_no_column(void **unused)
{
    autotext struct text notes = { 0 };
    autotext struct text none = { 0 };
    autotext struct text remarks = { 0 };

    (void)unused;
    print("[{\"name\":\"a\",\"state\":\"ok\",\"note\":\"x\"}]", SPARSE, &notes, &remarks);
    assert_string_equal(notes.bytes, "NAME  STATE  NOTE\n"
                                     "a     ok     x\n");
    print("[{\"name\":\"a\",\"state\":\"ok\"}]", SPARSE, &none, &remarks);
    assert_string_equal(none.bytes, "NAME  SIZE  STATE\n"
                                    "a        -  ok\n");
    assert_string_equal(remarks.bytes, "");
}

static void test_wide_letters_take_two_columns(void **unused)
{
    autotext struct text out = { 0 };
    autotext struct text remarks = { 0 };

    (void)unused;
    print("[{\"name\":\"\xe6\xbc\xa2\xe5\xad\x97\",\"size_bytes\":1,\"state\":\"ok\"},"
          "{\"name\":\"e\xcc\x81\",\"size_bytes\":1,\"state\":\"ok\"}]",
          100, &out, &remarks);
    assert_string_equal(out.bytes, "NAME  SIZE  STATE  NOTE\n"
                                   "\xe6\xbc\xa2\xe5\xad\x97   1 B  ok     -\n"
                                   "e\xcc\x81      1 B  ok     -\n");
}

static void test_name_is_never_cut(void **unused)
{
    autotext struct text out = { 0 };
    autotext struct text remarks = { 0 };

    (void)unused;
    print("[{\"name\":\"a-name-that-is-longer-than-the-terminal\",\"state\":\"ok\"}]", 20, &out,
          &remarks);
    assert_non_null(strstr(out.bytes, "a-name-that-is-longer-than-the-terminal"));
}

static void test_attention_is_told_below(void **unused)
{
    autotext struct text out = { 0 };
    autotext struct text remarks = { 0 };

    (void)unused;
    print("[{\"name\":\"a\",\"attention\":[{\"message\":\"look\",\"hint\":\"do\"}]},"
          "{\"name\":\"b\",\"attention\":[]}]",
          100, &out, &remarks);
    assert_string_equal(out.bytes, "  NAME  SIZE  STATE  NOTE\n"
                                   "! a        -  -      -\n"
                                   "  b        -  -      -\n"
                                   "! a: look: do\n");
}

static void test_pipe_gets_whole_values(void **unused)
{
    autotext struct text out = { 0 };
    autotext struct text remarks = { 0 };

    (void)unused;
    print("[{\"name\":\"a\\tb\",\"size_bytes\":1048576,\"state\":\"ok\"}]", 0, &out, &remarks);
    assert_string_equal(out.bytes, "NAME\tSIZE\tSTATE\tNOTE\na\\x09b\t1048576\tok\t-\n");
}

static void test_what_cannot_be_printed_is_written_in_figures(void **unused)
{
    autofree char *safe = screen_safe("a\033[2J\xff\xc3\xa9\xe2\x82\xac\n");
    autofree char *turned = screen_safe("a\xe2\x80\xae"
                                        "b");
    autofree char *cut = screen_cut("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 2);

    (void)unused;
    assert_string_equal(safe, "a\\x1b[2J\\xff\xc3\xa9\xe2\x82\xac\\x0a");
    /* What turns the direction of writing could make one name look like another. */
    assert_string_equal(turned, "a\\xe2\\x80\\xaeb");
    assert_string_equal(cut, "\xe2\x82\xac\xe2\x80\xa6");
    assert_int_equal(screen_width("\xe6\xbc\xa2"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_stand_right_and_words_left),
        cmocka_unit_test(test_columns_leave_in_the_order_of_the_table),
        cmocka_unit_test(test_what_nobody_has_is_no_column),
        cmocka_unit_test(test_wide_letters_take_two_columns),
        cmocka_unit_test(test_name_is_never_cut),
        cmocka_unit_test(test_attention_is_told_below),
        cmocka_unit_test(test_pipe_gets_whole_values),
        cmocka_unit_test(test_what_cannot_be_printed_is_written_in_figures),
    };

    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
