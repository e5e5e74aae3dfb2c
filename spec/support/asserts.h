/* asserts.h -- cmocka after the headers that it needs, and assertions that it lacks. */
#ifndef PIGEON_SPEC_ASSERTS_H
#define PIGEON_SPEC_ASSERTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* `words` are part of the text. */
void assert_has(const char *text, const char *words);

void assert_has_not(const char *text, const char *words);

#endif
