/* main.c - loa-fleet: arguments, the libraries' beginnings and ends, the crew. `tools/fleet` starts it. */
#include "playlists/base/bytes.h"
#include "playlists/base/log.h"
#include "tools/fleet-agents/crew.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <mosquitto.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Of one agent and its link: socket, both ends of its connection, MQTT and its watcher, libmosquitto's pair, libcurl's
 * pair, vault with WAL, index and folder; and one to spare. */
enum { EXIT_USE = 2, DESCRIPTORS_EACH = 14, DESCRIPTORS_REST = 200, AGENTS_MAX = 99999 };

struct options {
    struct member_ground ground;
    const char *site;
    unsigned first, n;
};

static void usage(FILE *out)
{
    fputs(
        "loa-fleet --dir D --vaults V --sockets S --site FILE --ca FILE --root X [--root X] --port N --agents N [...]\n"
        "  --dir D         D/certs/<id>.crt, D/certs/client.key (for all), D/keys/<id>.jwk; <id> is <prefix>-00000 "
        "...\n"
        "  --vaults V      folder for vaults and spools      --sockets S  folder for sockets, a short path\n"
        "  --site FILE     how every box is wired            --ca FILE    the authority of broker and media server\n"
        "  --root X        root public key, base64url        --port N     the broker's, on 127.0.0.1\n"
        "  --first I       number of the first agent (0)     --agents N   how many\n"
        "  --prefix P      of their ids (tram)               --media URL  https://.../, else nothing is fetched\n"
        "  --keepalive-s N (60)                              --spread-s N  window of a first try (45)\n"
        "  --descriptors   say how many descriptors one agent needs, and how many agents fit in this process\n"
        "  --help, --version\n"
        "Numbers of what happens go to standard output, see crew.h.\n",
        out);
}

/* As many descriptors as may be had; returns how many agents they are enough for. */
static unsigned raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < DESCRIPTORS_REST)
        return 0;
    unsigned long fits = (unsigned long)(limit.rlim_cur - DESCRIPTORS_REST) / DESCRIPTORS_EACH;
    return fits > AGENTS_MAX ? AGENTS_MAX : (unsigned)fits;
}

static bool read_number(const char *name, const char *text, long min, long max, long *ret)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || end == text || value < min || value > max) {
        fprintf(stderr, "loa-fleet: --%s is \"%s\"; right would be a whole number from %ld to %ld\n", name, text, min,
                max);
        return false;
    }
    *ret = value;
    return true;
}

static bool take_number(const char *name, const char *text, struct options *options)
{
    static const struct {
        const char *name;
        long min, max;
    } numbers[] = {{"port", 1, 65535},
                   {"first", 0, AGENTS_MAX},
                   {"agents", 1, AGENTS_MAX},
                   {"keepalive-s", 5, 65535},
                   {"spread-s", 0, 3600}};
    size_t i = 0;
    long value;
    while (strcmp(numbers[i].name, name) != 0)
        i++;
    if (!read_number(name, text, numbers[i].min, numbers[i].max, &value))
        return false;
    struct postman_ground *postman = &options->ground.postman;
    if (i == 0)
        postman->port = (int)value;
    else if (i == 1)
        options->first = (unsigned)value;
    else if (i == 2)
        options->n = (unsigned)value;
    else if (i == 3)
        postman->keepalive_s = (int)value;
    else
        postman->spread_ms = value * 1000;
    return true;
}

static bool take_text(const char *name, const char *text, struct options *options)
{
    struct member_ground *ground = &options->ground;
    const struct {
        const char *name;
        const char **place;
    } texts[] = {{"dir", &ground->dir},      {"vaults", &ground->vaults}, {"sockets", &ground->sockets},
                 {"site", &options->site},   {"ca", &ground->postman.ca}, {"media", &ground->postman.media},
                 {"prefix", &ground->prefix}};
    if (strcmp(name, "root") == 0) {
        ground->roots[ground->roots[0] != NULL] = text;
        return true;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(texts[i].name, name) == 0) {
            *texts[i].place = text;
            return true;
        }
    return take_number(name, text, options);
}

static bool complete(const struct options *options)
{
    const struct member_ground *ground = &options->ground;
    if (ground->dir && ground->vaults && ground->sockets && options->site && ground->postman.ca && ground->roots[0] &&
        ground->postman.port && options->n)
        return true;
    fputs("loa-fleet: --dir, --vaults, --sockets, --site, --ca, --root, --port and --agents must all be given\n",
          stderr);
    return false;
}

/* 0: go on; else 1 + the exit status. */
static int read_options(int argc, char **argv, struct options *ret)
{
    static const struct option all[] = {
        {"dir", 1, NULL, 0},      {"vaults", 1, NULL, 0}, {"sockets", 1, NULL, 0},   {"site", 1, NULL, 0},
        {"ca", 1, NULL, 0},       {"media", 1, NULL, 0},  {"prefix", 1, NULL, 0},    {"root", 1, NULL, 0},
        {"port", 1, NULL, 0},     {"first", 1, NULL, 0},  {"agents", 1, NULL, 0},    {"keepalive-s", 1, NULL, 0},
        {"spread-s", 1, NULL, 0}, {"help", 0, NULL, 'h'}, {"version", 0, NULL, 'v'}, {"descriptors", 0, NULL, 'd'},
        {NULL, 0, NULL, 0}};
    for (int c, i = 0; (c = getopt_long(argc, argv, "", all, &i)) != -1;) {
        if (c == 'v') {
            puts("loa-fleet " LOA_VERSION);
            return 1 + EXIT_SUCCESS;
        }
        if (c == 'h') {
            usage(stdout);
            return 1 + EXIT_SUCCESS;
        }
        if (c == 'd') {
            printf("each %d fit %u\n", DESCRIPTORS_EACH, raise_descriptors());
            return 1 + EXIT_SUCCESS;
        }
        if (c != 0 || !take_text(all[i].name, optarg, ret))
            return 1 + EXIT_USE;
    }
    return optind == argc && complete(ret) ? 0 : 1 + EXIT_USE;
}

static int run(struct options *options, struct complaint *why)
{
    struct site site = {0};
    unsigned fits = raise_descriptors();
    if (options->n > fits)
        return complain(why, ERR_LIMIT,
                        "%u agents need %u descriptors, this process may have enough for %u of them; "
                        "raise the limit (ulimit -Hn) or start more processes",
                        options->n, options->n * DESCRIPTORS_EACH, fits);
    int r = site_open(options->site, &site, why);
    if (r < 0)
        return r;
    char *key = xasprintf("%s/certs/client.key", options->ground.dir);
    options->ground.postman.key = key;
    options->ground.site = &site;
    r = crew_run(&options->ground, options->first, options->n, why);
    free(key);
    site_done(&site);
    return r;
}

int main(int argc, char **argv)
{
    struct options options = {
        .ground = {.prefix = "tram",
                   .postman = {.host = "127.0.0.1", .keepalive_s = 60, .spread_ms = 45000, .backoff_max_ms = 300000}}};
    struct complaint why = {0};
    int status = read_options(argc, argv, &options);
    if (status)
        return status - 1;
    setenv("UV_THREADPOOL_SIZE", "2", 0);
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0)
        return EXIT_FAILURE;
    mosquitto_lib_init();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    log_setup("loa-fleet", LOG_LEVEL_ERR);
    int r = run(&options, &why);
    if (r < 0)
        fprintf(stderr, "loa-fleet: %s\n", why.text);
    curl_global_cleanup();
    mosquitto_lib_cleanup();
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
