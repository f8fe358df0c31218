#include <string.h>

#include "text.h"
#include "unit.h"

static void test_buffer_grows_and_stays_a_string(void **unused)
{
    autotext struct text text = { 0 };

    (void)unused;
    for (int i = 0; i < 1000; i++)
        text_printf(&text, "%03d", i);
    assert_int_equal(text.length, 3000);
    assert_int_equal(strlen(text.bytes), 3000);
    assert_true(text_ends(text.bytes, "998999"));
    text_add_bytes(&text, "a\0b", 3);
    assert_memory_equal(text.bytes + 3000, "a\0b", 4);
    text_done(&text);
    assert_null(text.bytes);
    text_add(&text, "");
    assert_string_equal(text.bytes, "");
}

static void test_utf8_is_told_from_what_only_looks_like_it(void **unused)
{
    static const char *const good[] = { "",
                                        "abc",
                                        "\xc3\xa4",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\xed\x9f\xbf",
                                        "\xf4\x8f\xbf\xbf" };
    static const char *const bad[] = { "\x80",             /* begins with what may only follow */
                                       "\xc0\x80",         /* NUL, overlong */
                                       "\xe0\x80\xaf",     /* overlong */
                                       "\xed\xa0\x80",     /* surrogate */
                                       "\xf4\x90\x80\x80", /* beyond the last one */
                                       "\xf5\x80\x80\x80",
                                       "\xe2\x82",
                                       "\xc3(",
                                       "a\xff" };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_true(text_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(text_is_utf8(bad[i], strlen(bad[i])));
    assert_true(text_is_utf8("a\0b", 3));
}

static void test_beginnings_and_ends(void **unused)
{
    (void)unused;
    assert_true(text_starts("postgresql", "post"));
    assert_false(text_starts("po", "post"));
    assert_true(text_ends("dump.sql", ".sql"));
    assert_false(text_ends("l", ".sql"));
}

static void test_last_lines_point_into_the_text(void **unused)
{
    const char *text = "one\ntwo\nthree\n";

    (void)unused;
    assert_string_equal(text_last_lines(text, 1), "three\n");
    assert_string_equal(text_last_lines(text, 2), "two\nthree\n");
    assert_ptr_equal(text_last_lines(text, 3), text);
    assert_ptr_equal(text_last_lines(text, 9), text);
    assert_string_equal(text_last_lines("one\ntwo", 1), "two");
    assert_string_equal(text_last_lines("", 1), "");
    assert_string_equal(text_last_lines(text, 0), "");
}

static void assert_before(const char *low, const char *high)
{
    if (text_compare_versions(low, high) >= 0 || text_compare_versions(high, low) <= 0)
        fail_msg("'%s' should be before '%s'", low, high);
}

static void test_versions_are_ordered_as_debian_does(void **unused)
{
    (void)unused;
    assert_before("15.18+deb12u1", "15.20+deb12u1");
    assert_before("15.20", "15.20+deb12u1");
    assert_before("7.0.15+deb12u7", "7.0.15+deb12u10");
    assert_before("10.11.18", "10.11.19");
    assert_before("8.0.2", "8.0.10");
    assert_before("9.6", "10");
    assert_before("17~beta1", "17");
    assert_before("17~beta1", "17~rc1");
    assert_before("17~~", "17~");
    assert_before("17", "17a");
    assert_before("17a", "17+b");
    assert_before("10.11.18", "10.11.18-0");
    assert_before("1.99999999999999999999", "1.100000000000000000000");
    assert_int_equal(text_compare_versions("1.02", "1.2"), 0);
    assert_int_equal(text_compare_versions("15.18+deb12u1", "15.18+deb12u1"), 0);
    assert_int_equal(text_compare_versions("", ""), 0);
}

static void test_password_is_in_groups_without_look_alikes(void **unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++) {
        autofree char *password = text_make_password(4);
        assert_int_equal(strlen(password), 19);
        assert_int_equal(strcspn(password, "0O1lI"), 19);
        assert_int_equal(strcspn(password, "-"), 4);
        assert_int_equal(password[14], '-');
    }
}

static void test_no_two_passwords_are_alike(void **unused)
{
    autofree char *one = text_make_password(6);
    autofree char *other = text_make_password(6);

    (void)unused;
    assert_string_not_equal(one, other);
}

static void test_padding_counts_characters_not_bytes(void **unused)
{
    autotext struct text text = { 0 };

    (void)unused;
    text_pad(&text, "a\xe2\x80\xa6", 4);
    text_pad(&text, "b", 1);
    text_pad(&text, "long", 2);
    assert_string_equal(text.bytes, "a\xe2\x80\xa6  blong");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_padding_counts_characters_not_bytes),
        cmocka_unit_test(test_buffer_grows_and_stays_a_string),
        cmocka_unit_test(test_utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(test_beginnings_and_ends),
        cmocka_unit_test(test_last_lines_point_into_the_text),
        cmocka_unit_test(test_versions_are_ordered_as_debian_does),
        cmocka_unit_test(test_password_is_in_groups_without_look_alikes),
        cmocka_unit_test(test_no_two_passwords_are_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
