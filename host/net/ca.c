/* ca.c -- a look-up method for OpenSSL's certificate store.
 *
 * OpenSSL asks it for the certificates of one subject. Of each certificate in the bundle
 * it decodes the subject, which is cheap; what costs is the rest with its key, and that
 * is decoded of those that match: two or three of a hundred and more. */
#include "net/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"

#define BUNDLE_MAX (16 << 20)
#define BEGIN "-----BEGIN "
#define END "-----END "
#define AMAZON_LINUX "/etc/pki/tls/certs/ca-bundle.crt"
#define DEBIAN "/etc/ssl/certs/ca-certificates.crt"

/* ------------------------------------------------------------- the bundle's text */

struct span {
    const char *at;
    const char *end;
};

static size_t span_len(struct span span)
{
    return (size_t)(span.end - span.at);
}

static bool begins(struct span span, const char *text)
{
    return span_len(span) >= strlen(text) && memcmp(span.at, text, strlen(text)) == 0;
}

static const char *find(struct span span, const char *text)
{
    return memmem(span.at, span_len(span), text, strlen(text));
}

/* The base64 of the next certificate, which is cut off the front of `text` with all that
 * is before it. Other blocks, and one without an end, are passed over. */
static bool next_certificate(struct span *text, struct span *base64)
{
    static const char *const labels[] = {"CERTIFICATE-----", "TRUSTED CERTIFICATE-----",
                                         "X509 CERTIFICATE-----"};

    for (;;) {
        const char *begin = find(*text, BEGIN);

        if (!begin)
            return false;
        text->at = begin + strlen(BEGIN);
        for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
            struct span body = *text;

            if (!begins(body, labels[i]))
                continue;
            body.at += strlen(labels[i]);
            text->at = memchr(body.at, '-', span_len(body));
            if (!text->at)
                return false;
            *base64 = (struct span){body.at, text->at};
            if (begins(*text, END))
                return true;
            break;
        }
    }
}

/* ------------------------------------------------------------- a certificate */

struct der {
    const unsigned char *at;
    const unsigned char *end;
};

/* Goes into a value that contains others, or past one. */
static bool enter(struct der *der)
{
    long len;
    int tag, class;

    if (ASN1_get_object(&der->at, &len, &tag, &class, der->end - der->at) !=
        V_ASN1_CONSTRUCTED)
        return false;
    der->end = der->at + len;
    return true;
}

static bool pass(struct der *der)
{
    long len;
    int tag, class;

    if (ASN1_get_object(&der->at, &len, &tag, &class, der->end - der->at) & 0x81)
        return false; /* 0x80: an error; 1: indefinite length, which DER forbids */
    der->at += len;
    return true;
}

/* The subject of a certificate (RFC 5280, 4.1): behind version, where there is one,
 * serial number, algorithm, issuer and validity. */
static bool find_subject(struct der *der)
{
    static const unsigned char version = 0xa0;
    const unsigned char *subject;

    if (!enter(der) || !enter(der))
        return false;
    if (der->at < der->end && *der->at == version && !pass(der))
        return false;
    if (!pass(der) || !pass(der) || !pass(der) || !pass(der))
        return false;
    subject = der->at;
    if (!pass(der))
        return false;
    *der = (struct der){subject, der->at};
    return true;
}

/* ------------------------------------------------------------- the look-up */

struct candidate {
    X509_NAME *subject;
    struct der der; /* the whole certificate */
};

struct bundle {
    unsigned char *bytes; /* of all certificates */
    struct candidate *candidates;
    size_t count;
};

static void bundle_free(struct bundle *bundle)
{
    if (!bundle)
        return;
    for (size_t i = 0; i < bundle->count; i++)
        X509_NAME_free(bundle->candidates[i].subject);
    free(bundle->candidates);
    free(bundle->bytes);
    free(bundle);
}

static void add_to(X509_STORE *store, struct der der)
{
    X509 *certificate = d2i_X509_AUX(NULL, &der.at, der.end - der.at);

    if (certificate)
        X509_STORE_add_cert(store, certificate);
    X509_free(certificate); /* the store has its own reference */
}

/* OpenSSL wants all of the subject's certificates in the store, and one of them as the
 * answer; it looks at the others by itself. It also knows that names are the same which
 * differ in the case of letters, spaces or the type of their strings (RFC 5280, 7.1). */
static int look_up(X509_LOOKUP *lookup, X509_LOOKUP_TYPE type, const X509_NAME *name,
                   X509_OBJECT *answer)
{
    const struct bundle *bundle = X509_LOOKUP_get_method_data(lookup);
    X509_STORE *store = X509_LOOKUP_get_store(lookup);
    X509_OBJECT *found;

    if (type != X509_LU_X509)
        return 0;
    ERR_set_mark();
    for (size_t i = 0; i < bundle->count; i++)
        if (X509_NAME_cmp(bundle->candidates[i].subject, name) == 0)
            add_to(store, bundle->candidates[i].der);
    ERR_pop_to_mark(); /* a broken certificate is not an error of the chain */
    found = X509_OBJECT_retrieve_by_subject(X509_STORE_get0_objects(store), type, name);
    if (!found || !X509_OBJECT_set1_X509(answer, X509_OBJECT_get0_X509(found)))
        return 0;
    X509_free(X509_OBJECT_get0_X509(found)); /* the answer only borrows it */
    return 1;
}

static void forget(X509_LOOKUP *lookup)
{
    bundle_free(X509_LOOKUP_get_method_data(lookup));
}

/* One for the process, as OpenSSL's own are. */
static X509_LOOKUP_METHOD *lookup_method(void)
{
    static X509_LOOKUP_METHOD *method;

    if (!method) {
        method = X509_LOOKUP_meth_new("the CAs of a bundle");
        X509_LOOKUP_meth_set_get_by_subject(method, look_up);
        X509_LOOKUP_meth_set_free(method, forget);
    }
    return method;
}

/* ------------------------------------------------------------- reading a bundle */

/* Undoes the base64 into `room`. */
static bool decode(EVP_ENCODE_CTX *decoder, struct span base64, struct der *der,
                   unsigned char *room)
{
    int len = 0, rest = 0;

    EVP_DecodeInit(decoder);
    if (EVP_DecodeUpdate(decoder, room, &len, (const unsigned char *)base64.at,
                         (int)span_len(base64)) < 0 ||
        EVP_DecodeFinal(decoder, room + len, &rest) < 0)
        return false;
    *der = (struct der){room, room + len + rest};
    return true;
}

static X509_NAME *decode_subject(struct der der)
{
    return find_subject(&der) ? d2i_X509_NAME(NULL, &der.at, der.end - der.at) : NULL;
}

/* Fills an empty bundle. False: memory ran out. */
static bool bundle_decode(struct bundle *bundle, const char *pem, size_t len)
{
    EVP_ENCODE_CTX *decoder = EVP_ENCODE_CTX_new();
    struct span text = {pem, pem + len}, rest = text, base64;
    unsigned char *room;
    size_t count = 0;
    bool ok;

    while (next_certificate(&rest, &base64))
        count++;
    bundle->candidates = calloc(count + 1, sizeof(*bundle->candidates));
    bundle->bytes = room = malloc(len + 1);
    ok = decoder && bundle->candidates && room;
    ERR_set_mark();
    while (ok && next_certificate(&text, &base64)) {
        struct candidate *candidate = &bundle->candidates[bundle->count];

        if (!decode(decoder, base64, &candidate->der, room))
            continue;
        candidate->subject = decode_subject(candidate->der);
        if (candidate->subject) {
            room += candidate->der.end - candidate->der.at;
            bundle->count++;
        }
    }
    ERR_pop_to_mark(); /* a block that is broken is left out */
    EVP_ENCODE_CTX_free(decoder);
    return ok;
}

static struct bundle *bundle_read(const char *path, struct err *err)
{
    struct buffer text = {.max = BUNDLE_MAX};
    struct bundle *bundle = calloc(1, sizeof(*bundle));
    bool ok = buffer_read_file(&text, path, err);

    if (ok && (!bundle || !bundle_decode(bundle, text.data ? text.data : "", text.len)))
        ok = err_set(err, CAUSE_MEMORY, "out of memory");
    else if (ok && bundle->count == 0)
        ok = err_set(err, CAUSE_TLS_CA_FILE, "%s: no certificate in it (PEM)", path);
    buffer_free(&text);
    if (ok)
        return bundle;
    bundle_free(bundle);
    return NULL;
}

/* ------------------------------------------------------------- public */

/* 0 or an errno. A folder opens, but does not read. */
static int try_to_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char byte;
    int error = 0;

    if (fd < 0)
        return errno;
    if (read(fd, &byte, 1) < 0)
        error = errno;
    close(fd);
    return error;
}

const char *ca_find(const char *ca_file, const char *ssl_cert_file, struct err *err)
{
    const struct {
        const char *variable;
        const char *path;
    } named[] = {{"PIGEON_TLS_CA_FILE", ca_file}, {"SSL_CERT_FILE", ssl_cert_file}};
    static const char *const usual[] = {AMAZON_LINUX, DEBIAN};

    for (size_t i = 0; i < 2; i++)
        if (named[i].path && named[i].path[0]) {
            int error = try_to_read(named[i].path);

            if (error == 0)
                return named[i].path;
            err_set(err, CAUSE_TLS_FILE, "%s: %s: %s", named[i].variable, named[i].path,
                    strerror(error));
            return NULL;
        }
    for (size_t i = 0; i < 2; i++)
        if (try_to_read(usual[i]) == 0)
            return usual[i];
    err_set(err, CAUSE_TLS_CA_FILE,
            "no file of CAs: PIGEON_TLS_CA_FILE and SSL_CERT_FILE are not set, and "
            "neither " AMAZON_LINUX " nor " DEBIAN " can be read");
    return NULL;
}

bool ca_use(struct ssl_ctx_st *context, const char *bundle, struct err *err)
{
    X509_LOOKUP *lookup;
    struct bundle *read = bundle_read(bundle, err);

    if (!read)
        return false;
    lookup = X509_STORE_add_lookup(SSL_CTX_get_cert_store(context), lookup_method());
    if (!lookup || !X509_LOOKUP_set_method_data(lookup, read)) {
        bundle_free(read);
        return err_set(err, CAUSE_MEMORY, "out of memory");
    }
    return true;
}
