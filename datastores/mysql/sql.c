#include <stdarg.h>
#include <stdint.h>

#include "connection.h"
#include "flavour.h"
#include "text.h"

/* Whether name's characters would be a pattern in GRANT and must be escaped depends on the server.
 */
static void add_identifier(struct text *out, const char *name, bool pattern)
{
    text_add(out, "`");
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '`')
            text_add(out, "`");
        if (pattern && (*c == '_' || *c == '%' || *c == '\\'))
            text_add(out, "\\");
        text_add_bytes(out, c, 1);
    }
    text_add(out, "`");
}

/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): our callers have started it. */
static void format_one(struct my_formatting *formatting, char kind)
{
    struct connection *db = formatting->db;
    struct text *out = &formatting->out;

    switch (kind) {
    case 'I':
        add_identifier(out, va_arg(formatting->arguments, const char *), false);
        break;
    case 'P':
        add_identifier(out, va_arg(formatting->arguments, const char *),
                       my_flavour_of(db)->grants_by_pattern);
        break;
    case 'A':
        my_add_literal(db, out, va_arg(formatting->arguments, const char *));
        text_add(out, "@'%'");
        break;
    case 'L':
        my_add_literal(db, out, va_arg(formatting->arguments, const char *));
        break;
    case 's':
        text_add(out, va_arg(formatting->arguments, const char *));
        break;
    case 'u':
        text_printf(out, "%llu", (unsigned long long)va_arg(formatting->arguments, uint64_t));
        break;
    default:
        text_add(out, "%");
    }
}
/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

char *my_format_all(struct my_formatting *formatting, const char *format)
{
    text_add(&formatting->out, "");
    for (const char *c = format; *c != '\0'; c++) {
        if (*c == '%')
            format_one(formatting, *++c);
        else
            text_add_bytes(&formatting->out, c, 1);
    }
    return formatting->out.bytes;
}

char *my_format(struct connection *db, const char *format, ...)
{
    struct my_formatting formatting = { .db = db };

    va_start(formatting.arguments, format);
    char *sql = my_format_all(&formatting, format);
    va_end(formatting.arguments);
    return sql;
}
