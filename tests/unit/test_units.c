#include <string.h>

#include "cell.h"
#include "json.h"
#include "success.h"
#include "text.h"
#include "unit.h"
#include "units.h"

struct number_case {
    double number;
    const char *text;
};

static void check(const struct number_case *cases, size_t count, char *(*write)(double number))
{
    for (size_t i = 0; i < count; i++) {
        autofree char *text = write(cases[i].number);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_sizes_have_two_or_three_digits(void **unused)
{
    static const struct number_case cases[] = {
        { 0, "0 B" },
        { 1023, "1023 B" },
        { 1024, "1.0 KiB" },
        { 412.0 * 1024 * 1024, "412 MiB" },
        { 3.1 * 1024 * 1024, "3.1 MiB" },
        { 1024.0 * 1024 * 1024, "1.0 GiB" },
        { 18.2 * 1024 * 1024 * 1024, "18.2 GiB" },
        { 1023.9 * 1024 * 1024, "1.0 GiB" },
    };

    (void)unused;
    check(cases, ARRAY_SIZE(cases), units_size);
}

static void test_durations_are_short_where_they_are_long(void **unused)
{
    static const struct number_case cases[] = {
        { 0, "0.0 s" }, { 0.19, "0.19 s" }, { 0.2, "0.2 s" }, { 1.8, "1.8 s" },
        { 41, "41 s" }, { 180, "3 min" },   { 18000, "5 h" }, { 1036800, "12 d" },
    };

    (void)unused;
    check(cases, ARRAY_SIZE(cases), units_duration);
}

static void test_ages_are_whole(void **unused)
{
    static const struct number_case cases[] = {
        { 3.9, "3 s" },
        { 660, "11 min" },
        { 93600, "26 h" },
        { 3542400, "41 d" },
    };

    (void)unused;
    check(cases, ARRAY_SIZE(cases), units_age);
}

static void test_part_and_whole_are_in_one_unit(void **unused)
{
    autofree char *text = units_of(51.0 * 1024 * 1024, 98.0 * 1024 * 1024);
    autofree char *rate = units_rate(12.1 * 1024 * 1024);

    (void)unused;
    assert_string_equal(text, "51 of 98 MiB");
    assert_string_equal(rate, "12.1 MiB/s");
}

static void test_stamps_are_in_the_zone_asked_for(void **unused)
{
    double moment = 0;

    (void)unused;
    setenv("TZ", "CET-1CEST", 1);
    autofree char *stamp = units_stamp("2026-11-21T03:42:58.104Z", true);
    autofree char *clock = units_clock("2026-11-21T03:42:58Z");
    autofree char *other = units_stamp("soon", false);
    assert_string_equal(stamp, "2026-11-21 04:42:58.104 CET");
    assert_string_equal(clock, "04:42:58.000");
    assert_string_equal(other, "soon");
    assert_true(units_read_stamp("1970-01-01T00:01:00.500Z", &moment));
    assert_true(moment > 60.49 && moment < 60.51);
    assert_false(units_read_stamp("2026-11-21", &moment));
}

static void test_title_is_the_name_without_its_unit(void **unused)
{
    static const char *const cases[][2] = {
        { "size_bytes", "SIZE" },      { "up_s", "UP" },         { "backup_age_s", "BACKUP" },
        { "verified_at", "VERIFIED" }, { "used_by", "USED_BY" }, { "age_s", "AGE" },
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        autofree char *title = cell_title(cases[i][0]);
        assert_string_equal(title, cases[i][1]);
    }
}

static void test_one_of_a_kind_is_no_plural(void **unused)
{
    autofree char *none = units_count(0, "note");
    autofree char *one = units_count(1, "note");
    autofree char *two = units_count(2, "note");

    (void)unused;
    assert_string_equal(none, "0 notes");
    assert_string_equal(one, "1 note");
    assert_string_equal(two, "2 notes");
}

static void test_outage_is_no_age(void **unused)
{
    autoptr(json_object) value = json_object_new_double(0.19);
    autofree char *text = cell_text("outage_s", value, false);

    (void)unused;
    assert_string_equal(text, "0.19 s");
}

struct sentence_case {
    const char *form;
    const char *params;
    const char *sentence;
};

static void test_sentence_leaves_out_what_is_not_known(void **unused)
{
    static const struct sentence_case cases[] = {
        { "{a} runs[ on port {port}] after {took_s}", "{\"a\":\"main\",\"port\":5432}",
          "main runs on port 5432 after 1.5 s" },
        { "{a} runs[ on port {port}]", "{\"a\":\"main\",\"port\":null}", "main runs" },
        { "{name} [{can}|is there]", "{\"name\":\"x\"}", "x is there" },
        { "{name} [{can}|is there]", "{\"name\":\"x\",\"databases\":[\"b\"],\"access\":\"read\"}",
          "x can read b" },
        { "{n} backups kept", "{\"n\":1}", "1 backup kept" },
        { "{n} backups kept", "{\"n\":2}", "2 backups kept" },
        { "'{asked.name}' is '{name}'", "{\"name\":\"x\"}", "'x' is 'x'" },
        { "set[; later: {list}]", "{\"list\":[]}", "set" },
        { "set[; later: {list}]", "{\"list\":[\"a\",\"b\"]}", "set; later: a b" },
        { "{x", "{}", "{x" },
        { "a[b", "{}", "a[b" },
        { "{compared} as noted", "{\"compared\":{\"databases\":3,\"objects\":312}}",
          "3 databases, 312 objects as noted" },
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err = { 0 };
        autoptr(json_object) params = json_parse(cases[i].params, strlen(cases[i].params), &err);
        autotext struct text out = { 0 };
        success_sentence(cases[i].form, params, NULL, 1.5, &out);
        assert_string_equal(out.bytes, cases[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_have_two_or_three_digits),
        cmocka_unit_test(test_durations_are_short_where_they_are_long),
        cmocka_unit_test(test_ages_are_whole),
        cmocka_unit_test(test_part_and_whole_are_in_one_unit),
        cmocka_unit_test(test_stamps_are_in_the_zone_asked_for),
        cmocka_unit_test(test_title_is_the_name_without_its_unit),
        cmocka_unit_test(test_one_of_a_kind_is_no_plural),
        cmocka_unit_test(test_outage_is_no_age),
        cmocka_unit_test(test_sentence_leaves_out_what_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
