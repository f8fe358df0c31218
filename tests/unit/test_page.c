#include <string.h>

#include "error.h"
#include "json.h"
#include "memory.h"
#include "page.h"
#include "unit.h"

static void add_row(struct page *page, const char *name, const char *database)
{
    page_bool(page, "login", true);
    page_object(page, "databases");
    page_pair(page, database, "write");
    page_pair(page, name, NULL);
    page_end(page, '}');
    page_array(page, "keys");
    page_item(page, "one:*", 5);
    page_item(page, "two:*|", 5);
    page_end(page, ']');
    page_int(page, "clients", -20);
    page_string(page, "owner", NULL);
    page_end(page, '}');
}

/* The same row as an object. */
static struct json_object *row_object(const char *name, const char *database)
{
    struct json_object *row = json_object_new_object();

    json_add_string(row, "name", name);
    json_add_bool(row, "login", true);
    struct json_object *databases = json_add_object(row, "databases");
    json_add_string(databases, database, "write");
    json_add_string(databases, name, NULL);
    struct json_object *keys = json_add_array(row, "keys");
    json_object_array_add(keys, json_object_new_string("one:*"));
    json_object_array_add(keys, json_object_new_string("two:*"));
    json_add_int(row, "clients", -20);
    json_add_string(row, "owner", NULL);
    return row;
}

static void test_row_reads_as_an_object_does(void **unused)
{
    static const char *const names[] = {
        "anna", "", "a \"quoted\" \\ name", "\b\t\n\f\r\x01\x1f\x7f/", "f\xc3\xbcr \xe2\x82\xac",
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        autopage struct page page = { .limit = 1 };
        autoptr(json_object) result = json_object_new_object();
        autoptr(json_object) expected = json_object_new_object();

        assert_true(page_row(&page, names[i]));
        add_row(&page, names[i], "shop");
        page_add_to(&page, result, "users");
        json_object_array_add(json_add_array(expected, "users"), row_object(names[i], "shop"));
        assert_string_equal(json_line(result), json_line(expected));
    }
}

static void test_page_ends_at_its_limit(void **unused)
{
    autopage struct page page = { .limit = 2 };
    autoptr(json_object) result = json_object_new_object();

    (void)unused;
    assert_true(page_row(&page, "a"));
    page_end(&page, '}');
    assert_true(page_row(&page, "b"));
    page_end(&page, '}');
    assert_false(page.more);
    assert_false(page_row(&page, "c"));
    assert_true(page.more);
    assert_string_equal(page.last, "b");
    page_add_to(&page, result, "rows");
    assert_string_equal(json_line(result), "{\"rows\":[{\"name\":\"a\"},{\"name\":\"b\"}]}");
}

static void test_empty_page_is_an_empty_array(void **unused)
{
    autopage struct page page = { .limit = 2 };
    autoptr(json_object) result = json_object_new_object();

    (void)unused;
    page_add_to(&page, result, "rows");
    assert_string_equal(json_line(result), "{\"rows\":[]}");
}

static void test_only_row_becomes_an_object(void **unused)
{
    struct error err = { 0 };
    autopage struct page page = { .limit = 1 };
    autoptr(json_object) names = json_object_new_object();
    autoptr(json_object) row = json_object_new_object();
    autoptr(json_object) expected = row_object("anna", "shop");

    (void)unused;
    page.names = names;
    assert_true(page_row(&page, "anna"));
    add_row(&page, "anna", "shop");
    assert_true(page_only_row(&page, row, &err));
    assert_true(json_object_equal(row, expected));
    assert_true(json_get_bool(names, "anna"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_reads_as_an_object_does),
        cmocka_unit_test(test_page_ends_at_its_limit),
        cmocka_unit_test(test_empty_page_is_an_empty_array),
        cmocka_unit_test(test_only_row_becomes_an_object),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
