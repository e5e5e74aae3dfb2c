/* options.c -- a table: which command takes which option. */
#include "desk/options.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 1000000000000
#define EXAMPLES_MAX 1000

enum option {
    RULES = 1,
    AGAINST = 2,
    FROM = 4,
    RATE = 8,
    JSON = 16,
    TRACE = 32,
    CONNECT = 64,
    DRY_RUN = 128,
    WORDS = 256,
    RAW = 512,
    EXAMPLES = 1024,
    IDS = 2048,
    MANIFEST = 4096,
    STRICT = 8192,
    HTML = 16384,
    SCRIPT = 32768, /* not an option: the script may be named without --rules, too */
    VALUES = RULES | AGAINST | FROM | RATE | EXAMPLES | IDS | MANIFEST | HTML
};

static const struct {
    const char *name;
    unsigned takes;
} commands[] = {
    {"explain", RULES | TRACE | JSON | WORDS},
    {"check", RULES | SCRIPT | CONNECT | JSON | STRICT},
    {"replay", RULES | FROM | RATE | DRY_RUN | IDS | MANIFEST},
    {"simulate", RULES | AGAINST | EXAMPLES | JSON | HTML | IDS | MANIFEST},
    {"table", RULES | SCRIPT | JSON},
    {"diff", JSON | HTML | WORDS},
    {"event", RAW},
    {"test", RAW},
    {"package", RAW},
};

static const struct {
    const char *name;
    enum option option;
} names[] = {
    {"--rules", RULES},     {"--against", AGAINST},   {"--from", FROM},
    {"--rate", RATE},       {"--json", JSON},         {"--trace", TRACE},
    {"--connect", CONNECT}, {"--dry-run", DRY_RUN},   {"--examples", EXAMPLES},
    {"--ids", IDS},         {"--manifest", MANIFEST}, {"--strict", STRICT},
    {"--html", HTML},
};

static unsigned takes(const char *command)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(command, commands[i].name) == 0)
            return commands[i].takes;
    return 0;
}

bool options_is_command(const char *command)
{
    return takes(command) != 0;
}

static unsigned option_named(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i].name) == 0)
            return names[i].option;
    return 0;
}

static bool read_number(int64_t *number, const char *name, const char *text,
                        struct err *err)
{
    size_t digits = strspn(text, "0123456789");

    *number = strtoll(text, NULL, 10);
    if (digits == 0 || text[digits] != '\0' || *number < 1 || *number > NUMBER_MAX)
        return err_set(err, CAUSE_OTHER, "%s is %s, but must be a whole number from 1",
                       name, text);
    return true;
}

static bool read_examples(int64_t *number, const char *name, const char *text,
                          struct err *err)
{
    return (read_number(number, name, text, err) && *number <= EXAMPLES_MAX) ||
           err_set(err, CAUSE_OTHER, "%s is %s, but must be a whole number from 1 to %d",
                   name, text, EXAMPLES_MAX);
}

/* Such a name is never that of a script or a list, and a browser opens it. */
static bool read_html(const char **html, const char *value, struct err *err)
{
    static const char end[] = ".html";
    size_t len = strlen(value);

    *html = value;
    return (len >= sizeof(end) && strcmp(value + len - strlen(end), end) == 0) ||
           err_set(err, CAUSE_OTHER,
                   "--html is %s, but must be a file's name that ends in .html", value);
}

static void set_flag(struct options *options, unsigned option)
{
    options->json = options->json || option == JSON;
    options->trace = options->trace || option == TRACE;
    options->connect = options->connect || option == CONNECT;
    options->dry_run = options->dry_run || option == DRY_RUN;
    options->strict = options->strict || option == STRICT;
}

static bool set_value(struct options *options, unsigned option, const char *name,
                      const char *value, struct err *err)
{
    if (!value || value[0] == '\0')
        return err_set(err, CAUSE_OTHER, "%s has no value", name);
    if (option == FROM)
        return read_number(&options->from, name, value, err);
    if (option == RATE)
        return read_number(&options->rate, name, value, err);
    if (option == EXAMPLES)
        return read_examples(&options->examples, name, value, err);
    if (option == HTML)
        return read_html(&options->html, value, err);
    if (option == RULES)
        options->rules = value;
    else if (option == AGAINST)
        options->against = value;
    else if (option == IDS)
        options->ids = value;
    else
        options->manifest = value;
    return true;
}

static bool refuse_option(const char *name, unsigned allowed, struct err *err)
{
    return err_set(err, CAUSE_OTHER, "unknown option: %s%s", name,
                   allowed & WORDS && !option_named(name)
                       ? "; a word that begins with - comes after --"
                       : "");
}

static bool read_arguments(struct options *options, unsigned allowed, int count,
                           char **arguments, struct err *err)
{
    bool ended = false; /* by "--": the rest are words */

    for (int i = 0; i < count; i++) {
        unsigned option = option_named(arguments[i]);

        if (!ended && strcmp(arguments[i], "--") == 0) {
            ended = options->literal = true;
        } else if (!ended && arguments[i][0] == '-' && arguments[i][1] != '\0') {
            if (!(option & allowed))
                return refuse_option(arguments[i], allowed, err);
            set_flag(options, option);
            if (option & VALUES) {
                i++;
                if (!set_value(options, option, arguments[i - 1], arguments[i], err))
                    return false;
            }
        } else if (allowed & WORDS) {
            arguments[options->count++] = arguments[i];
        } else if (allowed & SCRIPT && !options->rules) {
            options->rules = arguments[i];
        } else {
            return err_set(err, CAUSE_OTHER, "unknown argument: %s%s", arguments[i],
                           allowed & IDS      ? "; the list comes from stdin: <FILE"
                           : allowed & SCRIPT ? "; one script at a time"
                                              : "");
        }
    }
    return true;
}

/* In any place, also as a value: who asks for help is not sure of the rest. */
static bool asks_for_help(int count, char **arguments)
{
    for (int i = 0; i < count && strcmp(arguments[i], "--") != 0; i++)
        if (strcmp(arguments[i], "--help") == 0)
            return true;
    return false;
}

/* diff OLD NEW: the words are the scripts. */
static bool take_scripts(struct options *options, struct err *err)
{
    if (options->count != 2)
        return err_set(err, CAUSE_OTHER, "name two scripts: diff OLD.lua NEW.lua");
    options->rules = options->words[0];
    options->against = options->words[1];
    options->count = 0;
    return true;
}

bool options_read(struct options *options, int count, char **arguments, struct err *err)
{
    unsigned allowed = takes(arguments[0]);

    *options =
        (struct options){.command = arguments[0], .from = 1, .words = arguments + 1};
    options->help = asks_for_help(count - 1, arguments + 1);
    if (options->help)
        return true;
    options->count = allowed & RAW ? count - 1 : 0;
    if (!(allowed & RAW) &&
        !read_arguments(options, allowed, count - 1, arguments + 1, err))
        return false;
    if (strcmp(options->command, "diff") == 0)
        return take_scripts(options, err);
    if (options->examples && !options->against)
        return err_set(err, CAUSE_OTHER, "--examples is for --against FILE");
    return true;
}
