#include "page.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "memory.h"

void page_done(struct page *page)
{
    text_done(&page->rows);
    free(page->last);
    page->last = NULL;
}

/* Quoted as json-c does it, so that a row reads the same whoever has written it. */
static void add_quoted(struct text *text, const char *bytes, size_t length)
{
    static const char named[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                  ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\' };
    const char *end = bytes + length;

    text_add_bytes(text, "\"", 1);
    while (bytes < end) {
        const char *plain = bytes;

        while (bytes < end && (unsigned char)*bytes >= ' ' && *bytes != '"' && *bytes != '\\')
            bytes++;
        text_add_bytes(text, plain, (size_t)(bytes - plain));
        if (bytes == end)
            break;
        unsigned char special = (unsigned char)*bytes++;
        if (named[special] != '\0')
            text_add_bytes(text, (const char[]){ '\\', named[special] }, 2);
        else
            text_printf(text, "\\u%04x", (unsigned int)special);
    }
    text_add_bytes(text, "\"", 1);
}

/* A comma unless it is the first of its kind. */
static void add_comma(struct text *text)
{
    const char *last = text->length == 0 ? "{" : &text->bytes[text->length - 1];

    if (*last != '{' && *last != '[')
        text_add_bytes(text, ",", 1);
}

static void add_key(struct page *page, const char *key)
{
    add_comma(&page->rows);
    text_add_bytes(&page->rows, "\"", 1);
    text_add(&page->rows, key);
    text_add_bytes(&page->rows, "\":", 2);
}

static void add_value(struct page *page, const char *value)
{
    if (value == NULL)
        text_add(&page->rows, "null");
    else
        add_quoted(&page->rows, value, strlen(value));
}

bool page_row(struct page *page, const char *name)
{
    if (page->count == page->limit) {
        page->more = true;
        return false;
    }
    if (page->names != NULL)
        json_add_bool(page->names, name, true);
    free(page->last);
    page->last = xstrdup(name);
    page->count++;
    add_comma(&page->rows);
    text_add_bytes(&page->rows, "{", 1);
    page_string(page, "name", name);
    return true;
}

void page_string(struct page *page, const char *key, const char *value)
{
    add_key(page, key);
    add_value(page, value);
}

void page_int(struct page *page, const char *key, int64_t value)
{
    char digits[24];
    char *at = digits + sizeof(digits);
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do
        *--at = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        *--at = '-';
    add_key(page, key);
    text_add_bytes(&page->rows, at, (size_t)(digits + sizeof(digits) - at));
}

void page_bool(struct page *page, const char *key, bool value)
{
    add_key(page, key);
    text_add(&page->rows, value ? "true" : "false");
}

void page_object(struct page *page, const char *key)
{
    add_key(page, key);
    text_add_bytes(&page->rows, "{", 1);
}

void page_array(struct page *page, const char *key)
{
    add_key(page, key);
    text_add_bytes(&page->rows, "[", 1);
}

void page_pair(struct page *page, const char *name, const char *value)
{
    add_comma(&page->rows);
    add_value(page, name);
    text_add_bytes(&page->rows, ":", 1);
    add_value(page, value);
}

void page_item(struct page *page, const char *value, size_t length)
{
    add_comma(&page->rows);
    add_quoted(&page->rows, value, length);
}

void page_end(struct page *page, char bracket)
{
    text_add_bytes(&page->rows, &bracket, 1);
}

static char *array_of(const struct page *page)
{
    return xasprintf("[%s]", page->rows.bytes == NULL ? "" : page->rows.bytes);
}

void page_add_to(struct page *page, struct json_object *object, const char *key)
{
    json_add_text(object, key, array_of(page));
}

bool page_only_row(struct page *page, struct json_object *object, struct error *err)
{
    autofree char *text = array_of(page);
    autoptr(json_object) rows = json_parse(text, strlen(text), err);
    struct json_object *row = rows == NULL ? NULL : json_object_array_get_idx(rows, 0);
    struct json_object_iter member;

    if (row == NULL)
        return false;
    json_object_object_foreachC (row, member) {
        json_add(object, member.key, json_object_get(member.val));
    }
    return true;
}
