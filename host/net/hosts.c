/* hosts.c -- reads PIGEON_HOST, entry by entry. */
#include "net/hosts.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TLS_PORT 5671 /* amqps */
#define SPACE " \t\r\n"

static bool valid_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && end - text <= 5 &&
           port >= 1 && port <= 65535;
}

/* With colons in it, it has to be an IPv6 address. */
static bool valid_name(const char *name)
{
    const struct addrinfo address = {.ai_family = AF_INET6, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;

    if (strpbrk(name, SPACE "/[]"))
        return false;
    if (!strchr(name, ':'))
        return true;
    if (getaddrinfo(name, NULL, &address, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

/* "[::1]:5673" -> name and port; a bare IPv6 address has two colons or more. */
static bool split_entry(char *entry, char **name, char **port)
{
    char *colon = strrchr(entry, ':');
    char *bracket = strchr(entry, ']');

    *name = entry;
    *port = NULL;
    if (entry[0] == '[') {
        if (!bracket || (bracket[1] != '\0' && bracket[1] != ':'))
            return false;
        *name = entry + 1;
        *port = bracket[1] == ':' ? bracket + 2 : NULL;
        *bracket = '\0';
    } else if (colon && colon == strchr(entry, ':')) {
        *colon = '\0';
        *port = colon + 1;
    }
    return **name != '\0';
}

static bool add_entry(struct hosts *hosts, const char *entry, size_t len,
                      const char *default_port, const char *tls, const char *setting,
                      struct err *err)
{
    size_t position = hosts->count + 1;
    struct host *host = &hosts->list[hosts->count];
    char copy[256];
    char *name;
    char *port;

    while (len > 0 && strchr(SPACE, entry[0])) {
        entry++;
        len--;
    }
    while (len > 0 && strchr(SPACE, entry[len - 1]))
        len--;
    if (len == 0)
        return err_set(err, CAUSE_BAD_SETTING,
                       "PIGEON_HOST: entry %zu of \"%s\" is empty; name a host there, or "
                       "drop the comma",
                       position, setting);
    if (len >= sizeof(copy) || hosts->count == HOSTS_MAX)
        return err_set(err, CAUSE_BAD_SETTING, "PIGEON_HOST: entry %zu is %s", position,
                       len >= sizeof(copy) ? "longer than 255 bytes"
                                           : "one too many, 16 hosts at most");
    memcpy(copy, entry, len);
    copy[len] = '\0';
    if (!split_entry(copy, &name, &port) || !valid_name(name) ||
        (port && !valid_port(port)))
        return err_set(err, CAUSE_BAD_SETTING,
                       "PIGEON_HOST: entry %zu, \"%.*s\", is not HOST, HOST:PORT or "
                       "[ADDRESS]:PORT (a port is a number from 1 to 65535)",
                       position, (int)len, entry);
    snprintf(host->name, sizeof(host->name), "%s", name);
    snprintf(host->port, sizeof(host->port), "%s", port ? port : default_port);
    snprintf(host->label, sizeof(host->label), strchr(name, ':') ? "[%s]:%s" : "%s:%s",
             host->name, host->port);
    host->tls = tls ? strcmp(tls, "on") == 0 : strtol(host->port, NULL, 10) == TLS_PORT;
    hosts->count++;
    return true;
}

bool hosts_parse(struct hosts *hosts, const char *setting, int port, const char *tls,
                 struct err *err)
{
    char default_port[8];
    const char *comma;

    *hosts = (struct hosts){0};
    if (strchr(setting, '@')) { /* a URL, whose password must not be shown */
        return err_set(err, CAUSE_BAD_SETTING,
                       "PIGEON_HOST holds an \"@\"; put user and password into "
                       "PIGEON_USER and PIGEON_PASSWORD");
    }
    snprintf(default_port, sizeof(default_port), "%u", (unsigned)port & 0xFFFFu);
    for (const char *at = setting; at; at = comma ? comma + 1 : NULL) {
        comma = strchr(at, ',');
        if (!add_entry(hosts, at, comma ? (size_t)(comma - at) : strlen(at), default_port,
                       tls, setting, err))
            return false;
    }
    return true;
}
