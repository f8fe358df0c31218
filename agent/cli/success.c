#include "success.h"

#include <string.h>

#include "cell.h"
#include "json.h"
#include "memory.h"
#include "screen.h"
#include "text.h"
#include "units.h"

struct sentence {
    struct json_object *params, *result;
    double took_s;
};

struct access_word {
    const char *access;
    const char *words;
};

/* "can write to shop", "can use the keys app:*"; NULL when the params say nothing of it. */
static char *what_one_can(struct json_object *params)
{
    static const struct access_word access_words[] = {
        { "read", "read" },
        { "write", "write to" },
        { "all", "do all in" },
    };
    struct json_object *databases = json_get(params, "databases");
    struct json_object *keys = json_get(params, "keys");
    const char *access = json_get_string(params, "access");
    const char *words = "write to";

    if (json_object_is_type(databases, json_type_array)) {
        autofree char *names = cell_text("databases", databases, false);
        for (size_t i = 0; access != NULL && i < ARRAY_SIZE(access_words); i++)
            if (strcmp(access_words[i].access, access) == 0)
                words = access_words[i].words;
        return xasprintf("can %s %s", words, names);
    }
    if (json_object_is_type(keys, json_type_array)) {
        autofree char *patterns = cell_text("keys", keys, false);
        return xasprintf("can use the keys %s", patterns);
    }
    return NULL;
}

/* NULL when it is not known. */
static char *value_of(const struct sentence *sentence, const char *name)
{
    static const char asked[] = "asked.";
    bool in_params = text_starts(name, asked);
    struct json_object *value = json_get(sentence->result, name);

    if (strcmp(name, "can") == 0)
        return what_one_can(sentence->params);
    if (in_params || value == NULL)
        value = json_get(sentence->params, in_params ? name + sizeof(asked) - 1 : name);
    if (json_object_is_type(value, json_type_array) && json_object_array_length(value) == 0)
        value = NULL;
    if (value != NULL)
        return cell_text(name, value, false);
    return strcmp(name, "took_s") == 0 ? units_duration(sentence->took_s) : NULL;
}

/* After "1": adds the word that follows without its plural's s. How many bytes that took. */
static size_t add_singular(const char *rest, size_t length, struct text *out)
{
    size_t word = 1;

    if (length == 0 || rest[0] != ' ')
        return 0;
    while (word < length && rest[word] >= 'a' && rest[word] <= 'z')
        word++;
    if (word < 3 || rest[word - 1] != 's')
        return 0;
    text_add_bytes(out, rest, word - 1);
    return word;
}

/* Adds the part, names replaced; false when one of them is not known. */
static bool add_part(const struct sentence *sentence, const char *part, size_t length,
                     struct text *out)
{
    bool known = true;

    for (size_t i = 0; i < length; i++) {
        const char *end = part[i] == '{' ? memchr(part + i, '}', length - i) : NULL;
        if (end == NULL) {
            text_add_bytes(out, part + i, 1);
            continue;
        }
        autofree char *name = xstrndup(part + i + 1, (size_t)(end - part) - i - 1);
        autofree char *value = value_of(sentence, name);
        text_add(out, value != NULL ? value : "-");
        known = known && value != NULL;
        i = (size_t)(end - part);
        if (value != NULL && strcmp(value, "1") == 0)
            i += add_singular(part + i + 1, length - i - 1, out);
    }
    return known;
}

static void add_choice(const struct sentence *sentence, const char *choice, size_t length,
                       struct text *out)
{
    const char *bar = memchr(choice, '|', length);
    size_t first = bar != NULL ? (size_t)(bar - choice) : length;
    autotext struct text one = { 0 };

    text_add(&one, "");
    if (add_part(sentence, choice, first, &one))
        text_add(out, one.bytes);
    else if (bar != NULL)
        add_part(sentence, bar + 1, length - first - 1, out);
}

void success_sentence(const char *form, struct json_object *params, struct json_object *result,
                      double took_s, struct text *out)
{
    const struct sentence sentence = { params, result, took_s };

    while (*form != '\0') {
        size_t plain = strcspn(form, "[");
        const char *end = form[plain] == '[' ? strchr(form + plain, ']') : NULL;

        add_part(&sentence, form, plain, out);
        form += plain;
        if (end == NULL) {
            text_add(out, form);
            return;
        }
        add_choice(&sentence, form + 1, (size_t)(end - form) - 1, out);
        form = end + 1;
    }
}
