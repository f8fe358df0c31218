#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "memory.h"
#include "text.h"

/* Shorter secrets are not hidden: a text would lose half its letters to a password "e". */
#define SECRET_MIN 4

static const char *const words[ERROR_REASONS] = {
    [ERROR_INTERNAL] = "internal",
    [ERROR_INVALID] = "invalid",
    [ERROR_NOT_FOUND] = "not_found",
    [ERROR_EXISTS] = "exists",
    [ERROR_DENIED] = "denied",
    [ERROR_UNSUPPORTED] = "unsupported",
    [ERROR_BUSY] = "busy",
    [ERROR_NO_SPACE] = "no_space",
    [ERROR_INCOMPATIBLE] = "incompatible",
    [ERROR_DOWNGRADE] = "downgrade",
    [ERROR_ENGINE] = "engine",
    [ERROR_ROLLED_BACK] = "rolled_back",
    [ERROR_NEEDS_ATTENTION] = "needs_attention",
    [ERROR_INTERRUPTED] = "interrupted",
    [ERROR_CANCELLED] = "cancelled",
    [ERROR_DEADLINE] = "deadline",
    [ERROR_BLOCKED] = "blocked",
    [ERROR_CORRUPT] = "corrupt",
    [ERROR_PARTIAL] = "partial",
};

/* Bytes of the UTF-8 character that text starts with, 0 when it starts with none. */
static size_t character_bytes(const char *text, size_t left)
{
    for (size_t bytes = 1; bytes <= 4 && bytes <= left; bytes++)
        if (text_is_utf8(text, bytes))
            return bytes;
    return 0;
}

/*
 * What comes from an engine or a file name may be no UTF-8, and room may end inside a character;
 * the protocol is JSON, so that neither may get into it.
 */
static void copy_text(char *target, size_t room, const char *source)
{
    size_t left = strlen(source);
    size_t used = 0;

    while (left > 0) {
        size_t bytes = character_bytes(source, left);
        size_t taken = bytes > 0 ? bytes : 1;

        if (used + taken >= room)
            break;
        if (bytes > 0)
            memcpy(target + used, source, bytes);
        else
            target[used] = '?';
        used += taken;
        source += taken;
        left -= taken;
    }
    target[used] = '\0';
}

/* Formats into memory of its own first: the arguments may point into what is overwritten. */
static void format_text(char *target, size_t room, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void format_text(char *target, size_t room, const char *format, va_list arguments)
{
    autofree char *text = xvasprintf(format, arguments);

    copy_text(target, room, text);
}

bool error_set(struct error *err, enum error_reason reason, const char *format, ...)
{
    char message[sizeof(err->message)];
    va_list arguments;

    va_start(arguments, format);
    format_text(message, sizeof(message), format, arguments);
    va_end(arguments);

    error_clear(err);
    err->reason = reason;
    memcpy(err->message, message, sizeof(message));
    return false;
}

bool error_errno(struct error *err, const char *format, ...)
{
    int number = errno;
    bool full = number == ENOSPC || number == EDQUOT;
    va_list arguments;

    va_start(arguments, format);
    autofree char *text = xvasprintf(format, arguments);
    va_end(arguments);
    return error_set(err, full ? ERROR_NO_SPACE : ERROR_INTERNAL, "%s: %s", text, strerror(number));
}

bool error_prefix(struct error *err, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    autofree char *prefix = xvasprintf(format, arguments);
    va_end(arguments);

    autofree char *whole = xasprintf("%s: %s", prefix, err->message);
    copy_text(err->message, sizeof(err->message), whole);
    return false;
}

bool error_hint(struct error *err, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_text(err->hint, sizeof(err->hint), format, arguments);
    va_end(arguments);
    return false;
}

bool error_native(struct error *err, const char *text)
{
    size_t length = text != NULL ? strlen(text) : 0;

    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        length--;

    autofree char *trimmed = xstrndup(length > 0 ? text : "", length);
    copy_text(err->native, sizeof(err->native), trimmed);
    return false;
}

bool error_add(struct error *err, const char *name, struct json_object *value)
{
    if (err->data == NULL)
        err->data = json_object_new_object();
    json_add(err->data, name, value);
    return false;
}

void error_clear(struct error *err)
{
    json_object_put(err->data);
    *err = (struct error){ 0 };
}

void error_move(struct error *target, struct error *source)
{
    if (target == source)
        return;
    error_clear(target);
    *target = *source;
    *source = (struct error){ 0 };
}

/* Also the beginning of a secret that the end of a full text has cut through. */
static void hide_in(char *text, size_t room, const char *secret)
{
    size_t length = strlen(secret);

    for (char *found = text; (found = strstr(found, secret)) != NULL; found += length)
        memset(found, '*', length);

    size_t used = strlen(text);
    if (used + sizeof("\U0010FFFF") < room)
        return;
    for (size_t part = length - 1; part >= SECRET_MIN; part--) {
        if (part <= used && strncmp(text + used - part, secret, part) == 0) {
            memset(text + used - part, '*', part);
            return;
        }
    }
}

void error_hide(struct error *err, const char *secret)
{
    if (secret == NULL || strlen(secret) < SECRET_MIN)
        return;
    hide_in(err->message, sizeof(err->message), secret);
    hide_in(err->native, sizeof(err->native), secret);
    hide_in(err->hint, sizeof(err->hint), secret);
}

const char *error_word(enum error_reason reason)
{
    if (reason <= ERROR_NONE || reason >= ERROR_REASONS)
        return "none";
    return words[reason];
}

enum error_reason error_from_word(const char *word)
{
    for (int i = ERROR_NONE + 1; word != NULL && i < ERROR_REASONS; i++)
        if (strcmp(words[i], word) == 0)
            return (enum error_reason)i;
    return ERROR_NONE;
}

bool error_retryable(enum error_reason reason)
{
    return reason == ERROR_BUSY || reason == ERROR_NO_SPACE || reason == ERROR_INTERRUPTED;
}

static const char *null_if_empty(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

struct json_object *error_to_json(const struct error *err)
{
    struct json_object *object = json_object_new_object();

    json_add_string(object, "reason", error_word(err->reason));
    json_add_string(object, "message", err->message);
    json_add_string(object, "native", null_if_empty(err->native));
    json_add_bool(object, "retryable", error_retryable(err->reason));
    json_add_string(object, "hint", null_if_empty(err->hint));
    if (err->data == NULL)
        return object;

    autoptr(json_object) data = json_copy(err->data);
    struct json_object_iter member;
    json_object_object_foreachC (data, member)
        json_add(object, member.key, json_object_get(member.val));
    return object;
}

static bool is_own_member(const char *name)
{
    static const char *const own[] = { "reason", "message", "native", "retryable", "hint" };

    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (strcmp(own[i], name) == 0)
            return true;
    return false;
}

void error_from_json(struct error *err, struct json_object *object)
{
    const char *message = json_get_string(object, "message");
    const char *hint = json_get_string(object, "hint");
    enum error_reason reason = error_from_word(json_get_string(object, "reason"));

    /* A word from a newer agent is still a failure. */
    error_set(err, reason != ERROR_NONE ? reason : ERROR_INTERNAL, "%s",
              message != NULL ? message : "failed without a message");
    error_native(err, json_get_string(object, "native"));
    if (hint != NULL)
        error_hint(err, "%s", hint);
    if (!json_object_is_type(object, json_type_object))
        return;

    autoptr(json_object) copy = json_copy(object);
    struct json_object_iter member;
    json_object_object_foreachC (copy, member)
        if (!is_own_member(member.key))
            error_add(err, member.key, json_object_get(member.val));
}
