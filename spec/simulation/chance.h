/* chance.h -- numbers that a seed decides.
 *
 * Each decision of the plan begins a stream of its own from seed, kind and number, so
 * that one decision can be left out and the others stay as they are. Network and broker
 * have one long stream each. */
#ifndef SIMULATION_CHANCE_H
#define SIMULATION_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

enum chance_kind {
    FOR_NETWORK,
    FOR_BROKER,
    FOR_SETTINGS,
    FOR_EVENT,
    FOR_GAP,
    FOR_DELIVERY,
    FOR_CUT,
    FOR_FAULT,
    FOR_FAULT_TIMES,
    FOR_ANSWER,
    FOR_WAIT,
    FOR_PROCESS,
    FOR_AWS,
    FOR_EXTENSION
};

extern struct chance network_chance, broker_chance;

void chance_begin(uint64_t seed);
struct chance chance_for(enum chance_kind kind, int number);

uint64_t below(struct chance *chance, uint64_t n);
int64_t between(struct chance *chance, int64_t least, int64_t most);

/* As often short as long: the number of binary digits is drawn first. */
int64_t short_or_long(struct chance *chance, int64_t least, int64_t most);
bool happens(struct chance *chance, unsigned per_mille);

#endif
