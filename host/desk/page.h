/* page.h -- a report as a file, --html FILE: all of it, or the file stays as it was. */
#ifndef PIGEON_DESK_PAGE_H
#define PIGEON_DESK_PAGE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/err.h"

/* Whether the file could be written, before any work is done for it. False: err says why
 * not. */
bool page_check(const char *path, struct err *err);

/* Writes the page beside the file, and then puts it in the file's place. False: err says
 * why not; nothing half-written is left. */
bool page_write(const char *path, const struct buffer *page, struct err *err);

#endif
