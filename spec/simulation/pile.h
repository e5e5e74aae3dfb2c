/* pile.h -- bytes that grow at the end and are taken off the front. Not host/base/buffer,
 * which is what is tried. */
#ifndef SIMULATION_PILE_H
#define SIMULATION_PILE_H

#include <stddef.h>

struct pile {
    unsigned char *data;
    size_t len, capacity;
};

void pile_add(struct pile *pile, const void *data, size_t len);
void pile_add_text(struct pile *pile, const char *text);
void pile_drop(struct pile *pile, size_t len);
void pile_free(struct pile *pile);

#endif
