/* input.c -- blocks of bytes to lines, and the bounds of a batch and of a document.
 *
 * A document goes on after its first line where that line ends as pretty-printed JSON
 * does, after a bracket, a comma or a colon: a line of JSON that was cut must not swallow
 * what follows. Where it ends, its brackets say. */
#include "desk/input.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENOUGH ((size_t)1 << 20)   /* bytes after which a batch takes no further line */
#define LONGEST ((size_t)64 << 20) /* bytes of a line or a document */

/* Where a document is, after some of its bytes. */
struct document {
    int64_t depth;
    bool in_string, escaped;
};

static void follow(struct document *document, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (document->escaped)
            document->escaped = false;
        else if (document->in_string && c == '\\')
            document->escaped = true;
        else if (c == '"')
            document->in_string = !document->in_string;
        else if (!document->in_string && (c == '{' || c == '['))
            document->depth++;
        else if (!document->in_string && (c == '}' || c == ']'))
            document->depth--;
    }
}

static bool is_one_of(const char *characters, char c)
{
    return c != '\0' && strchr(characters, c);
}

static size_t without_blanks(const char *text, size_t len)
{
    while (len > 0 && is_one_of(" \t\r\n", text[len - 1]))
        len--;
    return len;
}

/* Whether a first line begins a document that goes on in the next one. */
static bool goes_on(struct document *document, const char *text, size_t len)
{
    size_t start = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    while (start < len && is_one_of(" \t", text[start]))
        start++;
    len = without_blanks(text, len);
    if (start >= len || !is_one_of("{[", text[start]) ||
        !is_one_of("{[,:", text[len - 1]))
        return false;
    follow(document, text, len);
    return document->depth > 0 && !document->in_string;
}

/* More bytes into the block; none are left at the end of the input. */
static bool fill(struct input *input, struct err *err)
{
    ssize_t got = input->ended ? 0 : read(STDIN_FILENO, input->block, INPUT_BLOCK);

    if (got < 0)
        return err_set(err, CAUSE_OTHER, "stdin: %s", strerror(errno));
    input->at = 0;
    input->len = (size_t)got;
    input->bytes += got;
    input->ended = got == 0;
    return true;
}

/* The length of the block's next piece of a line, without its end. */
static size_t piece_len(const struct input *input)
{
    const char *start = input->block + input->at;
    size_t left = input->len - input->at;
    const char *end = memchr(start, '\n', left);
    const char *carriage;

    left = end ? (size_t)(end - start) : left;
    carriage = memchr(start, '\r', left);
    return carriage ? (size_t)(carriage - start) : left;
}

/* One more line into the text, with "\n" at its end. *found is false at the end of the
 * input. */
static bool read_line(struct input *input, bool *found, struct err *err)
{
    *found = false;
    for (;;) {
        size_t len;

        if (input->at == input->len && !fill(input, err))
            return false;
        if (input->ended)
            return !*found || buffer_append(&input->text, "\n", 1);
        if (input->carriage && input->block[input->at] == '\n')
            input->at++;
        input->carriage = false;
        len = piece_len(input);
        if (!buffer_append(&input->text, input->block + input->at, len))
            return false;
        input->at += len;
        *found = *found || len > 0;
        if (input->at < input->len) {
            *found = true;
            input->carriage = input->block[input->at++] == '\r';
            return buffer_append(&input->text, "\n", 1);
        }
    }
}

/* The other lines of a document, of which the first is in the text. */
static bool read_rest(struct input *input, struct document *document, struct err *err)
{
    bool found = true;

    while (document->depth > 0) {
        size_t before = input->text.len;

        if (!read_line(input, &found, err))
            return false;
        if (!found)
            return true;
        input->text.data[before - 1] = '\r';
        input->count++;
        follow(document, input->text.data + before, input->text.len - before);
    }
    return true;
}

/* A line of more than LONGEST bytes, or a document. */
static bool refuse(const struct input *input, size_t start, int64_t number, bool document,
                   struct err *err)
{
    const char *text = input->text.data + start;

    if (document || (input->text.len > start && is_one_of("{[", text[0])))
        return err_set(err, CAUSE_OTHER,
                       "line %lld begins a JSON document of more than 64 MB; make lines "
                       "of it: jq -cr '(.Contents? // .)[] | .Key? // .' FILE",
                       (long long)number);
    return err_set(err, CAUSE_OTHER,
                   "line %lld is longer than 64 MB; a list has an object a line",
                   (long long)number);
}

/* A line, or a document. *found is false at the end of the input. */
static bool read_unit(struct input *input, bool *found, struct err *err)
{
    struct document document = {0};
    size_t start = input->text.len;
    int64_t number = input->first + input->count;
    bool ok;

    input->text.max = start + LONGEST;
    ok = read_line(input, found, err);
    if (ok && *found) {
        input->count++;
        if (goes_on(&document, input->text.data + start, input->text.len - start))
            ok = read_rest(input, &document, err);
    }
    if (ok || err->text[0])
        return ok;
    return refuse(input, start, number, document.depth > 0, err);
}

bool input_read(struct input *input, int64_t most, struct err *err)
{
    bool found = true;

    buffer_clear(&input->text);
    input->first = input->first ? input->first + input->count : 1;
    input->count = 0;
    while (found && input->count < most && input->text.len < ENOUGH)
        if (!read_unit(input, &found, err))
            return false;
    return true;
}

int64_t input_size(void)
{
    struct stat info;

    return fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : 0;
}

void input_free(struct input *input)
{
    buffer_free(&input->text);
}
