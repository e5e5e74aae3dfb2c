/* buffer.c -- bytes that grow by doubling; text as a JSON string; whole files. */
#include "base/buffer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/wipe.h"

#define FIRST_CAPACITY 256

/* Room for `len` more bytes and the NUL; nothing else changes. */
static bool reserve(struct buffer *buffer, size_t len)
{
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
    size_t needed;
    char *grown;

    if (buffer->len > buffer->max || len > buffer->max - buffer->len ||
        len >= SIZE_MAX - buffer->len)
        return false;
    needed = buffer->len + len + 1;
    if (needed <= buffer->capacity)
        return true;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    if (capacity > buffer->max)
        capacity = buffer->max == SIZE_MAX ? needed : buffer->max + 1;
    grown = buffer->secret ? wipe_realloc(buffer->data, capacity)
                           : realloc(buffer->data, capacity);
    if (!grown)
        return false;
    buffer->data = grown;
    buffer->capacity = capacity;
    return true;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t len)
{
    if (len == 0)
        return true;
    if (!reserve(buffer, len))
        return false;
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    buffer->data[buffer->len] = '\0';
    return true;
}

bool buffer_append_text(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

/* One character of a JSON string; *size is how many bytes of the text it was. */
static bool append_json_character(struct buffer *buffer, const unsigned char *at,
                                  size_t len, size_t *size)
{
    char escape[8];

    *size = utf8_size(at, len);
    if (*size == 0) {
        *size = 1;
        return buffer_append(buffer, "\xef\xbf\xbd", 3); /* U+FFFD */
    }
    if (at[0] == '"' || at[0] == '\\')
        return buffer_append(buffer, "\\", 1) && buffer_append(buffer, at, 1);
    if (at[0] < 0x20 || at[0] == 0x7f) {
        snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)at[0]);
        return buffer_append(buffer, escape, 6);
    }
    return buffer_append(buffer, at, *size);
}

bool buffer_append_json_string(struct buffer *buffer, const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t before = buffer->len;
    size_t i = 0, size = 0;
    bool ok = buffer_append(buffer, "\"", 1);

    while (ok && i < len) {
        ok = append_json_character(buffer, at + i, len - i, &size);
        i += size;
    }
    ok = ok && buffer_append(buffer, "\"", 1);
    if (!ok && buffer->data) {
        buffer->len = before;
        buffer->data[before] = '\0';
    }
    return ok;
}

bool buffer_read_file(struct buffer *buffer, const char *path, struct err *err)
{
    FILE *file = fopen(path, "rb");
    char block[16384];
    bool fits = true;
    size_t n;

    if (!file)
        return err_set(err, CAUSE_OTHER, "%s: %s", path, strerror(errno));
    errno = 0; /* a folder opens, and fails here */
    do {
        n = fread(block, 1, sizeof(block), file);
        fits = buffer_append(buffer, block, n);
    } while (fits && n > 0);
    if (!fits)
        err_set(err, CAUSE_OTHER, "%s: longer than %zu bytes", path, buffer->max);
    else if (ferror(file))
        fits = err_set(err, CAUSE_OTHER, "%s: %s", path, strerror(errno));
    fclose(file);
    return fits;
}

void buffer_clear(struct buffer *buffer)
{
    if (buffer->secret && buffer->data)
        explicit_bzero(buffer->data, buffer->len);
    buffer->len = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

void buffer_free(struct buffer *buffer)
{
    if (buffer->secret)
        wipe_free(buffer->data);
    else
        free(buffer->data);
    *buffer = (struct buffer){.max = buffer->max, .secret = buffer->secret};
}
