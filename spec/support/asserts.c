/* asserts.c -- assertions that show the text which they are about. */
#include "asserts.h"

#include <string.h>

void assert_has(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text);
}

void assert_has_not(const char *text, const char *words)
{
    if (strstr(text, words))
        fail_msg("\"%s\" is in: %s", words, text);
}
