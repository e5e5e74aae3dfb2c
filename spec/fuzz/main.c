/* main.c -- replays inputs through one target, without libFuzzer.
 *
 *   NAME            the files of spec/fuzz/seeds/NAME and spec/fuzz/failed/NAME
 *   NAME FILE...    these files
 *
 * Writes TAP: a comment for each file, so that the last one names the input of a crash,
 * and one line for the target. An input may take 1 s of CPU for each MB, and a tenth of a
 * second more; ten times that with sanitizers. */
#include <dirent.h>
#include <libgen.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "fuzz.h"

#ifdef __SANITIZE_ADDRESS__
#define SLOWER 10
#else
#define SLOWER 1
#endif
#define HANG_S 120
#define INPUT_MAX (64 << 20)

static FILE *tap;
static int count, bad;

static int64_t cpu_ms(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void replay(const char *path)
{
    struct buffer text = {.max = INPUT_MAX};
    struct err err = {0};
    int64_t took_ms = cpu_ms(), most_ms;
    uint8_t *exact; /* nothing behind its end may be read */

    fprintf(tap, "# %s\n", path);
    count++;
    if (!buffer_read_file(&text, path, &err)) {
        fprintf(tap, "# %s\n", err.text);
        bad++;
        return;
    }
    exact = malloc(text.len);
    if (text.len > 0)
        memcpy(exact, text.data, text.len);
    alarm(HANG_S);
    LLVMFuzzerTestOneInput(exact, text.len);
    alarm(0);
    took_ms = cpu_ms() - took_ms;
    most_ms = SLOWER * (100 + (int64_t)(text.len / 1000));
    if (took_ms > most_ms) {
        fprintf(tap, "# slow: %lld ms of CPU, and %lld are allowed\n", (long long)took_ms,
                (long long)most_ms);
        bad++;
    }
    free(exact);
    buffer_free(&text);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In the order of their names. */
static void replay_folder(const char *folder, const char *name)
{
    struct dirent **entries;
    char path[1024];
    int n;

    snprintf(path, sizeof(path), "spec/fuzz/%s/%s", folder, name);
    n = scandir(path, &entries, is_visible, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "spec/fuzz/%s/%s/%s", folder, name,
                 entries[i]->d_name);
        replay(path);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    char *name = basename(argv[0]);

    tap = fdopen(dup(STDOUT_FILENO), "w"); /* a target may use stdout for its log */
    if (!tap)
        return 1;
    setvbuf(tap, NULL, _IOLBF, 0);
    fprintf(tap, "1..1\n");
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    if (argc == 1) {
        replay_folder("seeds", name);
        replay_folder("failed", name);
    }
    fprintf(tap, "%s 1 - %s: %d inputs\n", bad || !count ? "not ok" : "ok", name, count);
    fclose(tap);
    return bad || !count;
}
