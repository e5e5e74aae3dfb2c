/* err.h -- what went wrong, in words a person on call can act on.
 *
 * A function that can fail returns bool and takes a `struct err *` last. It fills
 * the text exactly once, where the cause is known; callers on the way up only add
 * context with err_wrap(). Nothing below main() exits. Plain data, owns nothing. */
#ifndef PIGEON_BASE_ERR_H
#define PIGEON_BASE_ERR_H

#include <stdbool.h>

struct err {
    const char *type; /* errorType for AWS, a constant: "KeyError"; NULL: none */
    char text[2048];  /* one line, cut where it is too long */
};

/* Both return false, so a failing path reads `return err_set(err, ...)`.
 * err_wrap puts the new words, and a colon, before those that are there. */
bool err_set(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool err_wrap(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends words to those that are there. */
void err_add(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
