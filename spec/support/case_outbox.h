/* case_outbox.h -- the outbox of the case that runs, and what became of its messages. */
#ifndef PIGEON_SPEC_CASE_OUTBOX_H
#define PIGEON_SPEC_CASE_OUTBOX_H

#include "outbox.h"

extern struct outbox outbox;
extern struct facts facts;

struct bytes bytes_of(const char *text);

/* The fates, a letter each; - for none. Valid until the next call. */
const char *fates(void);

/* How message number i failed. */
void assert_words(size_t i, const char *stage, int code, const char *text);

#endif
