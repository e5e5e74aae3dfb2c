/* utf8.c -- table 3-7 of Unicode 15. */
#include "base/utf8.h"

size_t utf8_size(const unsigned char *at, size_t len)
{
    unsigned char lowest = 0x80, highest = 0xbf;
    size_t size, i;

    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    size = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (at[0] == 0xe0)
        lowest = 0xa0;
    if (at[0] == 0xed)
        highest = 0x9f;
    if (at[0] == 0xf0)
        lowest = 0x90;
    if (at[0] == 0xf4)
        highest = 0x8f;
    if (len < size || at[1] < lowest || at[1] > highest)
        return 0;
    for (i = 2; i < size; i++)
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    return size;
}
