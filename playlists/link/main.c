/* main.c - loa-link: reads arguments and configuration, builds the objects in order, runs the loop, tears down. */
#include "playlists/base/bytes.h"
#include "playlists/base/log.h"
#include "playlists/base/watchdog.h"
#include "playlists/link/serve.h"
#include "playlists/link/settings.h"
#include "playlists/link/tls.h"

#include <curl/curl.h>
#include <getopt.h>
#include <mosquitto.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "loa-link: người đưa thư giữa Loa và mạng (MQTT qua TLS, tải tệp qua HTTPS)\n"
    "loa-link: the postman between Loa's agent or controller and the network (MQTT over TLS, downloads over HTTPS)\n"
    "\n"
    "  loa-link --config FILE           chạy đến khi nhận SIGTERM / run until SIGTERM\n"
    "  loa-link --config FILE --check   chỉ kiểm tra cấu hình / read the configuration and the certificates, then end\n"
    "  loa-link --help | --version\n";

struct arguments {
    const char *config;
    bool check;
};

/* 0: go on; otherwise 1 + the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *args)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            args->config = optarg;
            break;
        case 'k':
            args->check = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 1 + EXIT_SUCCESS;
        case 'v':
            puts("loa-link " LOA_VERSION);
            return 1 + EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return 1 + 2;
        }
    }
    if (optind < argc || !args->config) {
        fprintf(stderr, "loa-link: %s\n%s",
                optind < argc ? "takes options only" : "--config FILE is missing: the file with socket and broker",
                usage);
        return 1 + 2;
    }
    return 0;
}

static int give_up(const struct complaint *why)
{
    fprintf(stderr, "loa-link: %s\n", why->text);
    return EXIT_FAILURE;
}

static const char *stuck(void *arg)
{
    return serve_stuck(arg);
}

static void on_signal(uv_signal_t *signal, int number)
{
    log_info("main", "signal %d, ending", number);
    uv_stop(signal->loop);
}

/* The media server's files are loaded per download; here they are only tried, so that a mistake is told at the start.
 */
static int check_media_files(const struct settings *settings, struct complaint *why)
{
    if (!settings->media.url)
        return 0;
    struct tls *trial = NULL;
    int r = tls_new("localhost", &settings->media.tls, &trial, why);
    tls_free(trial);
    return r;
}

static int run(const struct settings *settings, struct tls *tls, struct complaint *why)
{
    uv_loop_t loop;
    uv_signal_t term, interrupt;
    struct serve *serve = NULL;
    uv_loop_init(&loop);
    uv_signal_init(&loop, &term);
    uv_signal_init(&loop, &interrupt);
    uv_signal_start(&term, on_signal, SIGTERM);
    uv_signal_start(&interrupt, on_signal, SIGINT);
    int r = serve_new(&loop, settings, tls, &serve, why);
    if (r == 0) {
        struct watchdog *watchdog = watchdog_start(&loop, stuck, serve);
        uv_run(&loop, UV_RUN_DEFAULT);
        watchdog_stopping(watchdog);
        watchdog_free(watchdog);
    }
    serve_free(serve);
    uv_close((uv_handle_t *)&term, NULL);
    uv_close((uv_handle_t *)&interrupt, NULL);
    uv_run(&loop, UV_RUN_DEFAULT); /* until every handle and job has let go */
    uv_loop_close(&loop);
    return r;
}

int main(int argc, char **argv)
{
    struct arguments args = {0};
    struct settings settings = {0};
    struct tls *tls = NULL;
    struct complaint why = {0};
    int status = read_arguments(argc, argv, &args);
    if (status)
        return status - 1;
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0)
        return EXIT_FAILURE;
    mosquitto_lib_init();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int r = settings_read(args.config, &settings, &why);
    if (r == 0) {
        log_setup("loa-link", settings.log);
        r = tls_new(settings.broker.host, &settings.broker.tls, &tls, &why);
    }
    if (r == 0)
        r = check_media_files(&settings, &why);
    if (r == 0 && !args.check)
        r = run(&settings, tls, &why);
    if (r < 0)
        status = give_up(&why);
    else if (args.check)
        printf("%s: cấu hình đúng / correct\n", args.config);
    tls_free(tls);
    settings_done(&settings);
    curl_global_cleanup();
    mosquitto_lib_cleanup();
    return status;
}
