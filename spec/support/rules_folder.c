/* rules_folder.c -- makes and removes the folder, and opens what is in it. */
#include "rules_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "asserts.h"
#include "base/log.h"

char folder[32];
char rules_path[64];

int rules_folder_setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/script_spec.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(rules_path, sizeof(rules_path), "%s/rules.lua", folder);
    log_set_level(LOG_LEVEL_DEBUG);
    log_set_format(LOG_TEXT);
    return captured_log_start() ? 0 : -1;
}

int rules_folder_teardown(void **state)
{
    (void)state;
    captured_log_stop();
    unlink(rules_path);
    return rmdir(folder);
}

void write_script(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

struct script *open_with(const char *rules, const char *queue, long memory_mb,
                         struct err *err)
{
    struct script_settings settings = {.command = "lambda",
                                       .path = rules_path,
                                       .queue = queue,
                                       .memory_mb = memory_mb,
                                       .metrics = "off"};
    struct deadline deadline = deadline_in(600000);

    write_script(rules_path, rules);
    return script_open(&settings, &deadline, err);
}

struct script *open_rules(const char *rules)
{
    struct err err = {0};
    struct script *script = open_with(rules, "normal", 0, &err);

    assert_string_equal(err.text, "");
    assert_non_null(script);
    return script;
}
