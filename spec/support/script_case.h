/* script_case.h -- a script, and one event on its way through it. */
#ifndef PIGEON_SPEC_SCRIPT_CASE_H
#define PIGEON_SPEC_SCRIPT_CASE_H

#include "case_outbox.h"
#include "rules_folder.h"
#include "s3_event.h"

extern struct script *script;
extern struct answer answer;
extern struct buffer event;
extern struct err err;

/* Rules for which the last character of the key decides. */
#define RULES_BY_LAST                                                                 \
    "return function(object)\n"                                                       \
    "  local last = object.key:sub(-1)\n"                                             \
    "  if last == '!' then error('a bad key') end\n"                                  \
    "  if last == '0' then return defer('deferred') end\n"                            \
    "  if last == '1' then return accept('id of ' .. object.key, {'normal'}) end\n"   \
    "  if last == '2' then return accept(object.key, {'a b', exchange('x', 'r.k')}) " \
    "end\n"                                                                           \
    "  if last == '3' then return accept(object.key, {}) end\n"                       \
    "  return ignore('junk')\n"                                                       \
    "end\n"

/* A folder (rules_folder.h) and no script; or these rules, open. */
int script_case_setup(void **state);
int script_case_setup_by_last(void **state);
int script_case_teardown(void **state);

/* Opens the script with this memory; it has to load. */
void open_small(const char *rules, long memory_mb);

bool decide(void);
bool conclude(void);
void tell(void);

/* The whole way, with each message that has no other fate confirmed. */
void run(void);

bool is(struct bytes bytes, const char *text);

/* The body of message number i. */
void assert_id(size_t i, const char *id);

void assert_error(const char *type, const char *words);
void assert_success(void);

#endif
