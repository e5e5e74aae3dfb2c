/* element.c -- looks for "<name>", and reads until "</name>". */
#include "aws/element.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One character, or a reference to one; *at moves behind it. A reference that is not
 * ASCII becomes "?". */
static char decode(const char **at, const char *end)
{
    static const struct {
        const char *text;
        char character;
    } references[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    const char *semicolon;
    long number;

    for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
        size_t len = strlen(references[i].text);

        if ((size_t)(end - *at) >= len && memcmp(*at, references[i].text, len) == 0) {
            *at += len;
            return references[i].character;
        }
    }
    semicolon = memchr(*at, ';', (size_t)(end - *at));
    if (semicolon && (*at)[0] == '&' && (*at)[1] == '#') {
        bool hex = (*at)[2] == 'x';

        number = strtol(*at + 2 + hex, NULL, hex ? 16 : 10);
        *at = semicolon + 1;
        return number > 0 && number < 0x80 ? (char)number : '?';
    }
    return *(*at)++;
}

bool element_text(const struct buffer *xml, const char *name, struct buffer *text)
{
    char tag[64];
    int len = snprintf(tag, sizeof(tag), "<%s>", name);
    const char *limit = xml->data ? xml->data + xml->len : NULL;
    const char *at = limit && len < (int)sizeof(tag)
                         ? memmem(xml->data, xml->len, tag, (size_t)len)
                         : NULL;
    const char *end;

    if (!at)
        return false;
    at += len;
    end = memchr(at, '<', (size_t)(limit - at));
    if (!end || limit - end <= len || end[1] != '/' ||
        memcmp(end + 2, tag + 1, (size_t)len - 1) != 0)
        return false;
    buffer_clear(text);
    while (at < end) {
        const char character = decode(&at, end);

        if (!buffer_append(text, &character, 1))
            return false;
    }
    return true;
}
