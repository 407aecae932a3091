/* keys.c - `loa keys`: key pairs on this machine, and the keys document handed in. */
#include "playlists/seal.h"
#include "tools/loa/answer.h"

#include <string.h>

static void print_key(const struct call *call, const char *file, const struct signer *signer)
{
    json_t *about = json_pack("{s:s,s:s,s:s}", "file", file, "kid", signer->kid, "x", signer->x);
    print_value(call, about);
    json_decref(about);
}

static int keys_new(struct call *call)
{
    struct signer signer;
    struct complaint why = {0};
    signer_generate(&signer);
    int r = EXIT_OK;
    if (signer_save(call->args[0], &signer, &why) < 0)
        r = refuse(call, "%s", why.text);
    else
        print_key(call, call->args[0], &signer);
    signer_wipe(&signer);
    return r;
}

static int keys_show(struct call *call)
{
    if (call->n_args == 0)
        return ask(call, "GET", "/api/v1/keys", NULL);
    struct signer signer;
    struct complaint why = {0};
    if (signer_load(call->args[0], &signer, &why) < 0)
        return refuse(call, "%s", why.text);
    print_key(call, call->args[0], &signer);
    signer_wipe(&signer);
    return EXIT_OK;
}

static int keys_publish(struct call *call)
{
    return ask_document(call, "/api/v1/keys", call->args[0]);
}

const struct cli_command keys_commands[] = {
    {"keys", "new", "FILE", 1, 1, "Tạo một cặp khóa Ed25519 (JWK, chỉ chủ tệp đọc được)",
     "Make an Ed25519 key pair (JWK, mode 0600); prints kid and x", NULL, keys_new},
    {"keys", "show", "[FILE]", 0, 1, "Xem khóa trong tệp, hoặc danh sách khóa đang có hiệu lực",
     "Show the public part of a key file, or the keys document in force", NULL, keys_show},
    {"keys", "publish", "FILE", 1, 1, "Nộp danh sách khóa đã ký (loa persons make)",
     "Hand in a sealed keys document (loa persons make)", NULL, keys_publish},
    {0},
};
