/* desk.c -- runs a command and prints what it says. */
#include "desk.h"

#include <stdio.h>
#include <string.h>

#include "script.h"

static const char *const commands[] = {"event"};

bool desk_has(const char *command)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(command, commands[i]) == 0)
            return true;
    return false;
}

static bool print(const struct buffer *text, FILE *stream)
{
    return fwrite(text->data, 1, text->len, stream) == text->len && fflush(stream) == 0;
}

int desk_run(int count, char *const *arguments)
{
    struct buffer text = {.max = SIZE_MAX};
    struct err err = {0};
    int status = 1;

    if (!script_tell(arguments[0], count - 1, arguments + 1, &text, &status, &err)) {
        fprintf(stderr, "pigeon %s: %s\n", arguments[0], err.text);
        status = 1;
    } else if (!print(&text, status == 0 ? stdout : stderr)) {
        fprintf(stderr, "pigeon %s: cannot write it all\n", arguments[0]);
        status = 1;
    }
    buffer_free(&text);
    return status;
}
