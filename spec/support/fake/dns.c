/* fake/dns.c -- one look-up at a time; the answer is there at the first gai_error(). */
#include "fake/dns.h"

#include <netdb.h>
#include <sys/socket.h>
#include <time.h>

#include "asserts.h"
#include "fake/clock.h"

struct fake_dns fake_dns;

static struct addrinfo *address_list(const struct gaicb *of)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *first = NULL;
    struct addrinfo **end = &first;

    for (int i = 0; i < 3 && fake_dns.addresses[i]; i++) {
        assert_int_equal(getaddrinfo(fake_dns.addresses[i], of->ar_service, &hints, end),
                         0);
        end = &(*end)->ai_next;
    }
    return first;
}

int getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
    (void)event;
    assert_int_equal(mode, GAI_NOWAIT);
    assert_int_equal(count, 1);
    fake_dns.count++;
    fake_dns.last = list[0];
    fake_dns.flags = list[0]->ar_request->ai_flags;
    if (fake_dns.recovers)
        fake_dns.status = 0;
    return fake_dns.refused;
}

int gai_error(struct gaicb *request)
{
    assert_ptr_equal(request, fake_dns.last);
    /* libc's thread reads the request until the look-up ends. */
    assert_int_equal(request->ar_request->ai_flags, fake_dns.flags);
    if (fake_dns.hangs)
        return EAI_INPROGRESS;
    if (fake_dns.status == 0 && !request->ar_result)
        request->ar_result = address_list(request);
    return fake_dns.status;
}

int gai_suspend(const struct gaicb *const list[], int count, const struct timespec *most)
{
    (void)list;
    assert_int_equal(count, 1);
    assert_true(fake_dns.hangs);
    fake_clock.ahead_ms += most->tv_sec * 1000 + most->tv_nsec / 1000000;
    return EAI_AGAIN;
}
