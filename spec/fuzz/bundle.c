/* bundle.c -- a file of CAs. Every certificate that OpenSSL's own reader finds in it has
 * to be found by its subject; nothing else is promised. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "net/ca.h"

#define FOUND_MAX 8 /* certificates that are looked for */

static int file = -1;
static char path[32];

static void write_file(const uint8_t *data, size_t size)
{
    if (file < 0)
        file = memfd_create("bundle", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    promise(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size,
            "the bundle is written");
}

static void look_up(X509_STORE_CTX *chain, X509 *certificate)
{
    X509_OBJECT *object = X509_OBJECT_new();

    X509_STORE_CTX_get_by_subject(chain, X509_LU_X509, X509_get_subject_name(certificate),
                                  object);
    X509_OBJECT_free(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    X509_STORE_CTX *chain = X509_STORE_CTX_new();
    BIO *bio = BIO_new_mem_buf(size > 0 ? data : (const uint8_t *)"", (int)size);
    struct err err = {0};
    X509 *certificate;

    write_file(data, size);
    if (ca_use(context, path, &err)) {
        X509_STORE_CTX_init(chain, SSL_CTX_get_cert_store(context), NULL, NULL);
        for (int i = 0; i < FOUND_MAX; i++) {
            certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
            if (!certificate)
                break;
            look_up(chain, certificate);
            X509_free(certificate);
        }
    } else {
        promise(err.text[0], "a refusal has a reason");
    }
    ERR_clear_error();
    BIO_free(bio);
    X509_STORE_CTX_free(chain);
    SSL_CTX_free(context);
    return 0;
}
