#include "completion.h"

#include <string.h>

#include "document.h"
#include "json.h"
#include "text.h"

static const char head[] =
    "# bash completion for dbguestctl; made from its method table.\n"
    "\n"
    "# The names of a noun: a column of its list.\n"
    "_dbguestctl_names() {\n"
    "    case \"$1\" in\n"
    "    instance | backup | job) command dbguestctl \"$1\" list 2>/dev/null | tail -n +2 | cut "
    "-f1 "
    ";;\n"
    "    version) command dbguestctl version list 2>/dev/null | tail -n +2 | cut -f2 ;;\n"
    "    datastore) echo postgresql mariadb mysql redis valkey ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "# Sets arguments (what each is a name of), options, and words of the option before the "
    "cursor.\n"
    "_dbguestctl_command() {\n"
    "    arguments='' options='' words=''\n"
    "    case \"$1 $2\" in\n";

static const char after_commands[] = "    esac\n"
                                     "    case \"$3\" in\n"
                                     "    --progress) words='auto plain json none' ;;\n"
                                     "    esac\n"
                                     "}\n";

static const char tail[] =
    "\n"
    "_dbguestctl() {\n"
    "    local current=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
    "    local global='--json --wide --quiet --progress --socket --no-color --help'\n"
    "    local arguments options words said=() i\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case \"${COMP_WORDS[i]}\" in\n"
    "        --json | --wide | --quiet | --no-color | --help | --detach | --no-queue | --*-stdin) "
    ";;\n"
    "        --*) ((i++)) ;;\n"
    "        *) said+=(\"${COMP_WORDS[i]}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    COMPREPLY=()\n"
    "    _dbguestctl_command \"${said[0]}\" \"${said[1]}\" \"$before\"\n"
    "    if [[ -n $words ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
    "    elif [[ $before == --socket ]]; then\n"
    "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
    "    elif [[ $current == -* ]]; then\n"
    "        COMPREPLY=($(compgen -W \"$options $global\" -- \"$current\"))\n"
    "    elif ((${#said[@]} == 0)); then\n"
    "        COMPREPLY=($(compgen -W \"$(_dbguestctl_verbs)\" -- \"$current\"))\n"
    "    elif ((${#said[@]} == 1)); then\n"
    "        COMPREPLY=($(compgen -W \"$(_dbguestctl_verbs \"${said[0]}\")\" -- \"$current\"))\n"
    "    else\n"
    "        words=($arguments)\n"
    "        i=\"${words[${#said[@]} - 2]}\"\n"
    "        COMPREPLY=($(compgen -W \"$(_dbguestctl_names \"$i\")\" -- \"$current\"))\n"
    "    fi\n"
    "}\n"
    "complete -F _dbguestctl dbguestctl\n";

static void add_words(const struct option *option, struct text *out)
{
    struct json_object *words = json_get(option->schema, "enum");

    if (words == NULL)
        words = json_get(json_get(option->schema, "items"), "enum");
    if (words == NULL)
        return;
    text_printf(out, "        [[ $3 == --%s ]] && words='", option->dashed);
    for (size_t i = 0; i < json_object_array_length(words); i++)
        text_printf(out, "%s%s", i > 0 ? " " : "",
                    json_object_get_string(json_object_array_get_idx(words, i)));
    text_add(out, "'\n");
}

static void add_command(const struct command *command, struct text *out)
{
    text_printf(out, "    '%s %s')\n        arguments='", command->noun, command->verb);
    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        if (option->argument)
            text_printf(out, "%s ",
                        option->named != NULL && !option->new_name ? option->named : "-");
    }
    text_add(out, "'\n        options='");
    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        if (!option->argument && strcmp(option->name, "idempotency_key") != 0)
            text_printf(out, "--%s%s ", option->dashed, option->secret ? "-stdin" : "");
    }
    text_add(out, "'\n");
    for (size_t i = 0; i < command->count; i++)
        add_words(&command->options[i], out);
    text_add(out, "        ;;\n");
}

static void add_commands(const struct document *document, struct text *out)
{
    struct command *command = NULL;

    for (size_t i = 0; (command = document_command(document, i)) != NULL; i++) {
        if (command_is_shown(command))
            add_command(command, out);
        command_free(command);
    }
    text_add(out, "    'watch '*) options='--instance --kinds' ;;\n");
}

/* Nouns; with an argument the verbs of that one. */
static void add_verbs(const struct document *document, struct text *out)
{
    autoptr(json_object) nouns = json_object_new_object();
    struct json_object_iter noun;
    struct command *command = NULL;

    for (size_t i = 0; (command = document_command(document, i)) != NULL; i++) {
        if (command_is_shown(command)) {
            if (json_get(nouns, command->noun) == NULL)
                json_add_array(nouns, command->noun);
            json_object_array_add(json_get(nouns, command->noun),
                                  json_object_new_string(command->verb));
        }
        command_free(command);
    }
    text_add(out, "\n_dbguestctl_verbs() {\n    case \"$1\" in\n    '') echo");
    json_object_object_foreachC (nouns, noun)
        text_printf(out, " %s", noun.key);
    text_add(out, " watch call completion ;;\n    completion) echo bash ;;\n");
    json_object_object_foreachC (nouns, noun) {
        text_printf(out, "    %s) echo", noun.key);
        for (size_t i = 0; i < json_object_array_length(noun.val); i++)
            text_printf(out, " %s", json_object_get_string(json_object_array_get_idx(noun.val, i)));
        text_add(out, " ;;\n");
    }
    text_add(out, "    esac\n}\n");
}

void completion_bash(const struct document *document, struct text *out)
{
    text_add(out, head);
    add_commands(document, out);
    text_add(out, after_commands);
    add_verbs(document, out);
    text_add(out, tail);
}
