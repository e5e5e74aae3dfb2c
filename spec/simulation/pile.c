/* pile.c -- realloc and memmove. */
#include "pile.h"

#include <stdlib.h>
#include <string.h>

void pile_add(struct pile *pile, const void *data, size_t len)
{
    if (pile->len + len > pile->capacity) {
        pile->capacity = (pile->len + len) * 2 + 256;
        pile->data = realloc(pile->data, pile->capacity);
        if (!pile->data)
            abort();
    }
    if (len > 0)
        memcpy(pile->data + pile->len, data, len);
    pile->len += len;
}

void pile_add_text(struct pile *pile, const char *text)
{
    pile_add(pile, text, strlen(text));
}

void pile_drop(struct pile *pile, size_t len)
{
    pile->len -= len;
    if (pile->len > 0)
        memmove(pile->data, pile->data + len, pile->len);
}

void pile_free(struct pile *pile)
{
    free(pile->data);
    *pile = (struct pile){0};
}
