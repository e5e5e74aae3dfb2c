/* buffer.h -- bytes that grow up to a maximum given at birth.
 *
 * A failed append leaves the buffer as it was. The buffer owns its bytes;
 * buffer_free() frees them and leaves an empty buffer with the same maximum, as
 * secret as before. */
#ifndef PIGEON_BASE_BUFFER_H
#define PIGEON_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct buffer {
    char *data; /* a NUL follows the bytes, which len does not count; NULL: empty */
    size_t len;
    size_t capacity;
    size_t max;  /* how many bytes it may hold */
    bool secret; /* they are wiped before their memory is freed or used again */
};

/* Appends len bytes. False: they would exceed max, or memory ran out. */
bool buffer_append(struct buffer *buffer, const void *data, size_t len);

/* Appends a string without its NUL. False as above. */
bool buffer_append_text(struct buffer *buffer, const char *text);

/* Appends `text` as a JSON string, quotes included. Control characters are escaped; a
 * byte that is not valid UTF-8 becomes U+FFFD. False as above. */
bool buffer_append_json_string(struct buffer *buffer, const char *text, size_t len);

/* Appends a whole file. False: err names the file, and why it cannot be read or that it
 * is longer than the buffer's maximum. */
bool buffer_read_file(struct buffer *buffer, const char *path, struct err *err);

/* Empties it and keeps the memory for the next use. */
void buffer_clear(struct buffer *buffer);

void buffer_free(struct buffer *buffer);

#endif
