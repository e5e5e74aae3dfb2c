/* busted.c -- two files in memory: the script that Lua runs, and the modules for it.
 * Nothing is unpacked, so nothing has to be removed: Lua reads /dev/fd/N. */
#include "desk/busted.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lua/modules.h"

#define INTERPRETER "lua5.4"
#define SCRIPT "pigeon.desk.busted"
#define FIXED 3 /* arguments before the user's */
#define MEMORY_MAX ((rlim_t)1 << 30)

static void write_script(FILE *file)
{
    for (const struct module *module = modules; module->name; module++)
        if (strcmp(module->name, SCRIPT) == 0)
            fwrite(module->bytes, 1, module->len, file);
}

static void write_modules(FILE *file)
{
    for (const struct module *module = modules; module->name; module++) {
        fprintf(file, "%s %zu\n", module->name, module->len);
        fwrite(module->bytes, 1, module->len, file);
    }
}

/* A mutant may double a string without end, and lua5.4 has no limit of its own. */
static void limit_memory(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur > MEMORY_MAX) {
        limit.rlim_cur = MEMORY_MAX;
        setrlimit(RLIMIT_AS, &limit);
    }
}

/* A file that lives as long as the process, across exec, and its path. */
static bool make_file(void (*write)(FILE *), char path[32], struct err *err)
{
    int fd = memfd_create("pigeon", 0);
    FILE *file = fd < 0 ? NULL : fdopen(dup(fd), "w");
    bool ok;

    if (!file)
        return err_set(err, CAUSE_OTHER, "no file in memory: %s", strerror(errno));
    write(file);
    ok = !ferror(file);
    if (fclose(file) != 0 || !ok)
        return err_set(err, CAUSE_OTHER, "the file in memory could not be written");
    snprintf(path, 32, "/dev/fd/%d", fd);
    return true;
}

bool busted_exec(int count, char *const *words, struct err *err)
{
    char script[32], archive[32];
    char *fixed[FIXED] = {INTERPRETER, script, archive};
    char **arguments;

    if (!make_file(write_script, script, err) || !make_file(write_modules, archive, err))
        return false;
    arguments = calloc((size_t)count + FIXED + 1, sizeof(*arguments));
    if (!arguments)
        return err_set(err, CAUSE_MEMORY, "out of memory");
    memcpy(arguments, fixed, sizeof(fixed));
    for (int i = 0; i < count; i++)
        arguments[FIXED + i] = words[i];
    limit_memory();
    signal(SIGPIPE, SIG_DFL); /* so that `| head` ends it */
    execvp(INTERPRETER, arguments);
    err_set(err, CAUSE_OTHER, "%s: %s; apt-get install lua5.4 lua-busted lua-cjson",
            INTERPRETER, strerror(errno));
    free(arguments);
    return false;
}
