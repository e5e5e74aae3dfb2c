/* rules_folder.h -- a folder of its own for each case's rules.lua, and what is logged. */
#ifndef PIGEON_SPEC_RULES_FOLDER_H
#define PIGEON_SPEC_RULES_FOLDER_H

#include "captured_log.h"
#include "lua/script.h"

extern char folder[32];
extern char rules_path[64];

/* All levels are logged, as text. */
int rules_folder_setup(void **state);
int rules_folder_teardown(void **state);

/* Writes a script, which has to be removed by its writer where it is not rules_path. */
void write_script(const char *path, const char *text);

/* Writes the rules and opens them for Lambda; memory_mb as in script_settings. NULL: err.
 */
struct script *open_with(const char *rules, const char *queue, long memory_mb,
                         struct err *err);

/* The same for the queue "normal"; the rules have to load. */
struct script *open_rules(const char *rules);

#endif
