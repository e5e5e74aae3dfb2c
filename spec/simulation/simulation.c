/* simulation.c -- the command: runs seeds, prints TAP.
 *
 * One test for all seeds: lives, events, faults and a hash of all that happened. For each
 * seed that fails its number, and the moment and words of the first violation. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

#include "base/output.h"
#include "life.h"
#include "plan.h"
#include "smaller.h"

static const char usage[] =
    "Usage: simulation [--first N] [--seeds N] [--stop-after N] [--twice] [--hash "
    "HASH]\n"
    "       simulation --seed N [--without LIST] [--trace | --smaller]\n"
    "\n"
    "  --stop-after N   ends after so many seeds that failed\n"
    "  --twice          each seed twice: both must be the same\n"
    "  --trace          prints what happens, line by line\n"
    "  --smaller        leaves out what the failure does not need\n"
    "  --without LIST   leaves out faults, events and settings: f3,f7,e2,s1; f9- is all\n"
    "                   faults from the ninth on\n"
    "  --hash HASH      fails where the hash is another one\n";

struct options {
    uint64_t first, seeds, stop_after;
    bool twice, trace, smaller;
    const char *hash; /* NULL: any */
};

struct sums {
    uint64_t seeds, failed, hash;
    int64_t ms;
    struct counts counts;
};

/* ------------------------------------------------------------- summing up */

static void sum_counts(struct counts *sum, const struct counts *counts)
{
    sum->events += counts->events;
    sum->tries += counts->tries;
    sum->done += counts->done;
    sum->failed += counts->failed;
    sum->publishes += counts->publishes;
    sum->stored += counts->stored;
    sum->duplicates += counts->duplicates;
    sum->connects += counts->connects;
    sum->faults += counts->faults;
    sum->processes += counts->processes;
    if (counts->most_connects > sum->most_connects)
        sum->most_connects = counts->most_connects;
}

static void sum_up(struct sums *sums, uint64_t seed, const struct life *life, bool same)
{
    sums->seeds++;
    sums->ms += life->ms;
    sums->hash = sums->hash * 31 + life->trace.hash;
    sum_counts(&sums->counts, &life->counts);
    if (life->trace.violations == 0 && same)
        return;
    sums->failed++;
    printf("# seed %" PRIu64 " %s\n", seed,
           same ? life->trace.first : "is not the same the second time");
}

static void print_sums(const struct sums *sums, const char *program, uint64_t first)
{
    const struct counts *counts = &sums->counts;

    printf("# %d processes, %d tries: %d messages done, %d failed; %d publishes, %d "
           "stored, %d duplicates; %d connects, %d in one event at most; %" PRId64
           " hours\n",
           counts->processes, counts->tries, counts->done, counts->failed,
           counts->publishes, counts->stored, counts->duplicates, counts->connects,
           counts->most_connects, sums->ms / 3600000);
    if (sums->failed > 0)
        printf("# next: %s --seed N --smaller\n", program);
    printf("%s 1 - %" PRIu64 " seeds from %" PRIu64
           ", %d events, %d faults, hash %016" PRIx64 "\n1..1\n",
           sums->failed > 0 ? "not ok" : "ok", sums->seeds, first, counts->events,
           counts->faults, sums->hash);
}

static bool run_seeds(const struct options *options, const char *program)
{
    struct sums sums = {0};
    char hash[20];

    for (uint64_t i = 0; i < options->seeds && sums.failed < options->stop_after; i++) {
        uint64_t seed = options->first + i;
        struct life life = *life_live(seed, options->trace);
        bool same =
            !options->twice || life_live(seed, false)->trace.hash == life.trace.hash;

        sum_up(&sums, seed, &life, same);
    }
    snprintf(hash, sizeof(hash), "%016" PRIx64, sums.hash);
    if (options->hash && strcmp(options->hash, hash) != 0) {
        printf("# the hash should be %s\n", options->hash);
        sums.failed++;
    }
    print_sums(&sums, program, options->first);
    return sums.failed == 0;
}

/* ------------------------------------------------------------- options */

/* Whether the text of an option is a number of at least this. */
static bool read_number(const char *text, uint64_t least, uint64_t *number)
{
    *number = strtoull(text, NULL, 10);
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text) &&
           *number >= least;
}

static bool read_options(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {{"first", required_argument, NULL, 'f'},
                                          {"seeds", required_argument, NULL, 'n'},
                                          {"seed", required_argument, NULL, 'o'},
                                          {"stop-after", required_argument, NULL, 'a'},
                                          {"without", required_argument, NULL, 'w'},
                                          {"hash", required_argument, NULL, 'h'},
                                          {"twice", no_argument, NULL, '2'},
                                          {"trace", no_argument, NULL, 't'},
                                          {"smaller", no_argument, NULL, 's'},
                                          {0}};
    bool good = true;
    int option = 0;

    while (good && (option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        good = option != '?';
        if (option == 'f')
            good = read_number(optarg, 0, &options->first);
        else if (option == 'n')
            good = read_number(optarg, 1, &options->seeds);
        else if (option == 'a')
            good = read_number(optarg, 1, &options->stop_after);
        else if (option == 'o')
            good = read_number(optarg, 0, &options->first), options->seeds = 1;
        else if (option == 'w')
            good = plan_leave_out(optarg);
        else if (option == 'h')
            options->hash = optarg;
        options->twice |= option == '2';
        options->trace |= option == 't';
        options->smaller |= option == 's';
    }
    return good && optind == argc;
}

/* Lua's hashes begin with an address, so addresses are the same in each run. */
static void fix_addresses(char **argv)
{
    int now = personality(0xffffffff);

    if (now == -1 || (now & ADDR_NO_RANDOMIZE) ||
        personality((unsigned)now | ADDR_NO_RANDOMIZE) == -1)
        return;
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    struct options options = {.first = 1, .seeds = 500, .stop_after = UINT64_MAX};

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return output_print("simulation", usage);
    fix_addresses(argv);
    if (!read_options(&options, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!options.smaller)
        return run_seeds(&options, argv[0]) ? 0 : 1;
    if (smaller_make(options.first, argv[0]))
        return 1;
    printf("seed %" PRIu64 " does not fail\n", options.first);
    return 0;
}
