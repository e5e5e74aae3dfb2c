/* failure.c -- a cause in words, with the advice for it (advice.c) behind. */
#include "amqp/failure.h"

#include <stdarg.h>
#include <stdio.h>

#include "amqp/advice.h"

bool failure_set(struct failure *failure, const char *stage, int code, const char *fmt,
                 ...)
{
    char cause[sizeof(failure->text) / 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(cause, sizeof(cause), fmt, ap);
    va_end(ap);
    failure->stage = stage;
    failure->code = code;
    failure->final = false;
    failure->silent = false;
    snprintf(failure->text, sizeof(failure->text), "%s; next: %s", cause,
             advice_for(stage, code, cause));
    return false;
}
