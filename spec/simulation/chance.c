/* chance.c -- splitmix64 (https://prng.di.unimi.it/splitmix64.c): one word of state, and
 * streams that begin anywhere. */
#include "chance.h"

struct chance network_chance, broker_chance;
static uint64_t seed_now;

static uint64_t draw(struct chance *chance)
{
    uint64_t z = (chance->state += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

struct chance chance_for(enum chance_kind kind, int number)
{
    struct chance chance = {seed_now * 0x2545f4914f6cdd1dULL +
                            (uint64_t)kind * 0x9e3779b97f4a7c15ULL +
                            (unsigned long long)number * 0xd1342543de82ef95ULL};

    draw(&chance);
    return chance;
}

void chance_begin(uint64_t seed)
{
    seed_now = seed;
    network_chance = chance_for(FOR_NETWORK, 0);
    broker_chance = chance_for(FOR_BROKER, 0);
}

uint64_t below(struct chance *chance, uint64_t n)
{
    return n > 0 ? draw(chance) % n : 0;
}

int64_t between(struct chance *chance, int64_t least, int64_t most)
{
    return least + (int64_t)below(chance, (uint64_t)(most - least + 1));
}

int64_t short_or_long(struct chance *chance, int64_t least, int64_t most)
{
    uint64_t bits = 0;
    int64_t span = most - least;

    while (bits < 62 && ((int64_t)1 << bits) < span)
        bits++;
    span = (int64_t)1 << below(chance, bits + 1);
    span = least + (int64_t)below(chance, (uint64_t)span + 1);
    return span < most ? span : most;
}

bool happens(struct chance *chance, unsigned per_mille)
{
    return below(chance, 1000) < per_mille;
}
