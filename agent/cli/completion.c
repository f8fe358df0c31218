#include "completion.h"

#include <string.h>

#include "document.h"
#include "json.h"
#include "memory.h"
#include "text.h"

static const char head[] =
    "# bash completion for dbguestctl; made from its method table.\n"
    "\n"
    "# The names of a noun, a column of its list: of the instance or datastore that was said.\n"
    "_dbguestctl_names() {\n"
    "    local ctl=(command dbguestctl) column=1\n"
    "    [[ -n $socket ]] && ctl+=(--socket \"$socket\")\n"
    "    case \"$1 ${said[*]: -1}\" in\n"
    "    instance\\ * | backup\\ * | job\\ *) ctl+=(\"$1\" list) ;;\n"
    "    version\\ postgresql | version\\ mariadb | version\\ mysql | version\\ redis | "
    "version\\ valkey)\n"
    "        ctl+=(version list \"${said[*]: -1}\") column=2 ;;\n"
    "    version\\ *) ctl+=(version list) column=2 ;;\n"
    "    database\\ * | user\\ *) ctl+=(\"$1\" list \"${said[2]}\") ;;\n"
    "    datastore\\ *) printf '%s\\n' postgresql mariadb mysql redis valkey && return ;;\n"
    "    *) return ;;\n"
    "    esac\n"
    "    \"${ctl[@]}\" 2>/dev/null | tail -n +2 | cut -f\"$column\"\n"
    "}\n"
    "\n"
    "# Sets arguments (what each is a name of), options, and words or names of the option before\n"
    "# the cursor.\n"
    "_dbguestctl_command() {\n"
    "    arguments='' options='' words='' names=''\n"
    "    case \"$1 $2\" in\n";

static const char after_commands[] = "    esac\n"
                                     "    case \"$3\" in\n"
                                     "    --progress) words='auto plain json none' ;;\n"
                                     "    esac\n"
                                     "}\n";

/* Names may hold anything: they are compared and quoted, never given to compgen, which expands. */
static const char tail[] =
    "\n"
    "# Which of the lines read begin with $1.\n"
    "_dbguestctl_reply() {\n"
    "    local line\n"
    "    while IFS= read -r line; do\n"
    "        [[ $line == \"$1\"* && $line != *\\\\* ]] && COMPREPLY+=(\"$(printf '%q' "
    "\"$line\")\")\n"
    "    done\n"
    "}\n"
    "\n"
    "_dbguestctl() {\n"
    "    local current=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
    "    local global='--json --wide --quiet --progress --socket --no-color --help'\n"
    "    local arguments options words names said=() socket='' i\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case \"${COMP_WORDS[i]}\" in\n"
    "        --json | --wide | --quiet | --no-color | --help | --detach | --no-queue | --*-stdin) "
    ";;\n"
    "        --socket) socket=\"${COMP_WORDS[++i]}\" ;;\n"
    "        --*) ((i++)) ;;\n"
    "        *) said+=(\"${COMP_WORDS[i]}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    COMPREPLY=()\n"
    "    _dbguestctl_command \"${said[0]}\" \"${said[1]}\" \"$before\"\n"
    "    if [[ -n $words ]]; then\n"
    "        _dbguestctl_reply \"$current\" < <(printf '%s\\n' $words)\n"
    "    elif [[ -n $names ]]; then\n"
    "        _dbguestctl_reply \"$current\" < <(_dbguestctl_names \"$names\")\n"
    "    elif [[ $before == --socket ]]; then\n"
    "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
    "    elif [[ $current == -* ]]; then\n"
    "        _dbguestctl_reply \"$current\" < <(printf '%s\\n' $options $global)\n"
    "    elif ((${#said[@]} < 2)); then\n"
    "        _dbguestctl_reply \"$current\" < <(_dbguestctl_verbs \"${said[0]}\")\n"
    "    else\n"
    "        words=($arguments)\n"
    "        i=\"${words[${#said[@]} - 2]}\"\n"
    "        _dbguestctl_reply \"$current\" < <(_dbguestctl_names \"$i\" \"${said[2]}\" "
    "\"$socket\")\n"
    "    fi\n"
    "}\n"
    "complete -F _dbguestctl dbguestctl\n";

/* What an option or argument is a name of; NULL when it is none, or a new one. */
static const char *names_of(const struct command *command, const struct option *option)
{
    static const char *const listed[] = { "instance", "datastore", "version", "backup", "job" };
    bool of_instance = strcmp(command->noun, "database") == 0 || strcmp(command->noun, "user") == 0;

    if (option->new_name)
        return NULL;
    for (size_t i = 0; option->named != NULL && i < ARRAY_SIZE(listed); i++)
        if (strcmp(option->named, listed[i]) == 0)
            return listed[i];
    if (of_instance && strcmp(option->name, "name") == 0)
        return command->noun;
    return of_instance && strcmp(option->name, "databases") == 0 ? "database" : NULL;
}

static void add_words(const struct command *command, const struct option *option, struct text *out)
{
    struct json_object *words = json_get(option->schema, "enum");
    const char *names = option->argument ? NULL : names_of(command, option);

    if (names != NULL)
        text_printf(out, "        [[ $3 == --%s ]] && names=%s\n", option->dashed, names);

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
            text_printf(out, "%s ", names_of(command, option) ? names_of(command, option) : "-");
    }
    text_add(out, "'\n        options='");
    for (size_t i = 0; i < command->count; i++) {
        const struct option *option = &command->options[i];
        if (!option->argument && strcmp(option->name, "idempotency_key") != 0)
            text_printf(out, "--%s%s ", option->dashed, option->secret ? "-stdin" : "");
    }
    text_add(out, "'\n");
    for (size_t i = 0; i < command->count; i++)
        add_words(command, &command->options[i], out);
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
    text_add(out, "    'watch '*)\n"
                  "        options='--instance --kinds'\n"
                  "        [[ $3 == --instance ]] && names=instance\n"
                  "        [[ $3 == --kinds ]] && words='status job backup heartbeat'\n"
                  "        ;;\n");
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
    text_add(out, "\n_dbguestctl_verbs() {\n    case \"$1\" in\n    '') printf '%s\\n'");
    json_object_object_foreachC (nouns, noun)
        text_printf(out, " %s", noun.key);
    text_add(out,
             " watch call completion ;;\n    completion) echo bash ;;\n    call) printf '%s\\n'");
    for (size_t i = 0; (command = document_command(document, i)) != NULL; i++) {
        text_printf(out, " %s", command->name);
        command_free(command);
    }
    text_add(out, " ;;\n");
    json_object_object_foreachC (nouns, noun) {
        text_printf(out, "    %s) printf '%%s\\n'", noun.key);
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
