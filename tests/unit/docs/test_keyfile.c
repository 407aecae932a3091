/* Private keys on disk. */
#include "unit.h"

#include "playlists/base/file.h"
#include "samples.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/loa-keyfile-XXXXXX";
static char path[64];

static int make_dir(void **unused)
{
    (void)unused;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/key.jwk", dir);
    return 0;
}

static int remove_dir(void **unused)
{
    (void)unused;
    unlink(path);
    return rmdir(dir);
}

static void write_file(const char *text, mode_t mode)
{
    unlink(path);
    assert_int_equal(file_write_whole(path, text, strlen(text), mode), 0);
}

static void refuse(const char *text, int code, const char *sentence)
{
    struct signer s = {.kid = "untouched"};
    struct complaint why = {0};
    write_file(text, 0600);
    assert_int_equal(signer_load(path, &s, &why), code);
    assert_string_equal(s.kid, "untouched");
    assert_non_null(strstr(why.text, path));
    if (!strstr(why.text, sentence))
        fail_msg("\"%s\" does not say \"%s\"", why.text, sentence);
}

static void test_save_and_load(void **unused)
{
    (void)unused;
    struct signer made, loaded;
    struct complaint why = {0};
    struct stat st;
    signer_generate(&made);
    umask(0);
    assert_int_equal(signer_save(path, &made, &why), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(signer_load(path, &loaded, &why), 0);
    assert_memory_equal(&made, &loaded, sizeof(made));
    struct signer other;
    signer_generate(&other);
    assert_int_equal(signer_save(path, &other, &why), -EEXIST);
    assert_non_null(strstr(why.text, "a key is never overwritten"));
    assert_int_equal(signer_load(path, &loaded, &why), 0);
    assert_memory_equal(&made, &loaded, sizeof(made));
    assert_int_equal(signer_save("/nonexistent/key.jwk", &other, &why), -ENOENT);
    signer_wipe(&other);
    assert_int_equal(other.secret[0] | other.kid[0] | other.x[0], 0);
}

#define D   "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" /* RFC 8037 appendix A.1 */
#define X   "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define K   "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
#define OKP "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","

static void test_foreign_key(void **unused)
{
    (void)unused;
    struct signer s;
    struct complaint why = {0};
    write_file(OKP "\"d\":\"" D "\",\"x\":\"" X "\"}", 0600);
    assert_int_equal(signer_load(path, &s, &why), 0);
    assert_string_equal(s.kid, K);
    assert_string_equal(s.x, X);
    write_file(OKP "\"d\":\"" D "\",\"x\":\"" X "\",\"kid\":\"" K "\",\"use\":\"sig\"}\n", 0400);
    assert_int_equal(signer_load(path, &s, &why), 0);
}

static void test_refusals(void **unused)
{
    (void)unused;
    refuse("", ERR_FORMAT, "it must be a JWK");
    refuse("[]", ERR_FORMAT, "it must be a JWK");
    refuse("[[[[[[[[[[[[", ERR_FORMAT, "it must be a JWK");
    refuse("-----BEGIN CERTIFICATE-----", ERR_FORMAT, "it must be a JWK");
    refuse("{\"kty\":\"EC\",\"crv\":\"P-256\"}", ERR_FORMAT, "is no Ed25519 key");
    refuse("{\"kty\":\"OKP\",\"crv\":\"X25519\"}", ERR_FORMAT, "is no Ed25519 key");
    refuse(OKP "\"x\":\"" X "\"}", ERR_FORMAT, "has no private key");
    refuse(OKP "\"x\":\"" X "\",\"d\":7}", ERR_FORMAT, "has no private key");
    refuse(OKP "\"x\":\"" X "\",\"d\":\"" D "=\"}", ERR_FORMAT, "has no private key");
    refuse(OKP "\"d\":\"" D "\"}", ERR_KEY, "x is not the public key of d");
    refuse(OKP "\"d\":\"" K "\",\"x\":\"" X "\"}", ERR_KEY, "x is not the public key of d");
    refuse(OKP "\"d\":\"" D "\",\"x\":\"" X "\",\"kid\":\"" X "\"}", ERR_KEY, "kid is not the thumbprint of x");
    refuse(OKP "\"d\":\"" D "\",\"d\":\"" D "\",\"x\":\"" X "\"}", ERR_FORMAT, "it must be a JWK");
    char large[5000];
    memset(large, ' ', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    refuse(large, -EFBIG, "is larger than a key");
}

static void test_access(void **unused)
{
    (void)unused;
    struct signer s;
    struct complaint why = {0};
    static const mode_t open_modes[] = {0640, 0604, 0660, 0644, 0620, 0601};
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        write_file(OKP "\"d\":\"" D "\",\"x\":\"" X "\"}", open_modes[i]);
        assert_int_equal(signer_load(path, &s, &why), -EPERM);
        assert_non_null(strstr(why.text, "its mode must be 600"));
    }
    unlink(path);
    assert_int_equal(signer_load(path, &s, &why), -ENOENT);
    assert_non_null(strstr(why.text, "cannot be opened"));
    assert_int_equal(signer_load(dir, &s, &why), -EINVAL);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(signer_load(path, &s, &why), -EINVAL); /* and does not wait for a writer */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_foreign_key),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_access),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
