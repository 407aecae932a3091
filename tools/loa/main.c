/* main.c - `loa`: the controller from the command line, and the keys that never leave this machine. */
#include "playlists/base/log.h"
#include "tools/loa/command.h"

#include <curl/curl.h>
#include <sodium.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct call call;
    log_setup("loa", LOG_LEVEL_WARN);
    int r = command_read(argc, argv, &call);
    if (r != EXIT_OK)
        return r < 0 ? EXIT_OK : r;
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return refuse(&call, "the cryptographic libraries cannot start");
    setvbuf(stdout, NULL, _IOLBF, 0); /* `loa follow | ...` shows each line as it comes */
    r = call.command->run(&call);
    curl_global_cleanup();
    if (fflush(stdout) != 0)
        return refuse(&call, "standard output cannot be written");
    return r;
}
