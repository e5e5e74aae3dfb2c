/* certificate.c -- a broker's certificate, as DER: verified against itself as the only
 * CA, and put into the words of every kind of refusal. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "net/tls.h"

static int file = -1;
static char path[32];

static void write_bundle(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    long len;

    if (file < 0)
        file = memfd_create("bundle", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    PEM_write_bio_X509(bio, certificate);
    len = BIO_get_mem_data(bio, &pem);
    promise(ftruncate(file, 0) == 0 && pwrite(file, pem, (size_t)len, 0) == len,
            "the bundle is written");
    BIO_free(bio);
}

static void check_words(struct tls *tls)
{
    struct err err = {0};

    tls_explain(tls, &err);
    promise(err.text[0], "a refusal has a reason");
    promise(memchr(tls->refusal.text, '\0', 512), "a refusal ends");
    for (const char *c = tls->refusal.text; *c; c++)
        promise(*c >= ' ' && *c <= '~', "a refusal is printable ASCII");
}

static void say_each(X509_STORE_CTX *chain, SSL_verify_cb on_verify, X509 *certificate,
                     struct tls *tls)
{
    static const int errors[] = {X509_V_ERR_CERT_HAS_EXPIRED,
                                 X509_V_ERR_CERT_NOT_YET_VALID,
                                 X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
                                 X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_CERT_REJECTED};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        X509_STORE_CTX_set_error(chain, errors[i]);
        X509_STORE_CTX_set_current_cert(chain, certificate);
        on_verify(0, chain);
        promise(tls->refusal.text[0], "each kind of refusal has words");
        check_words(tls);
    }
}

static void verify(SSL *ssl, X509 *certificate, struct tls *tls)
{
    X509_STORE_CTX *chain = X509_STORE_CTX_new();
    SSL_CTX *context = SSL_get_SSL_CTX(ssl);
    SSL_verify_cb on_verify = SSL_CTX_get_verify_callback(context);

    X509_STORE_CTX_init(chain, SSL_CTX_get_cert_store(context), certificate, NULL);
    X509_STORE_CTX_set_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx(), ssl);
    X509_STORE_CTX_set_default(chain, "ssl_server");
    X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(chain), SSL_get0_param(ssl));
    X509_STORE_CTX_set_verify_cb(chain, on_verify);
    if (X509_verify_cert(chain) != 1)
        check_words(tls);
    say_each(chain, on_verify, certificate, tls);
    X509_STORE_CTX_free(chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls_settings settings = {.bundle = path};
    const unsigned char *at = data;
    X509 *certificate = d2i_X509(NULL, &at, (long)size);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct tls tls;
    struct err err = {0};
    SSL *ssl;

    if (certificate) {
        write_bundle(certificate);
        if (tls_start(&tls, &settings, "broker.example.com", context, &err)) {
            ssl = SSL_new(context);
            verify(ssl, certificate, &tls);
            SSL_free(ssl);
        } else {
            promise(err.text[0], "a refusal has a reason");
        }
    }
    ERR_clear_error();
    X509_free(certificate);
    SSL_CTX_free(context);
    return 0;
}
