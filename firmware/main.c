/* main.c - loa-agent: arguments and configuration, objects in order, the loop, tear-down in reverse. */
#include "firmware/agent.h"
#include "playlists/base/log.h"
#include "playlists/base/watchdog.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef LOA_VERSION
#define LOA_VERSION "0"
#endif

enum { EXIT_USE = 2, LAST_WORDS_MS = 200, POOL_THREADS_MAX = 2, KEPT_BYTES = 2 << 20 };

struct options {
    const char *config, *site;
    bool check;
};

struct program {
    uv_loop_t loop;
    uv_signal_t terminate, interrupt;
    uv_timer_t last_words;
    struct settings settings;
    struct site site;
    struct signer signer;
    struct agent *agent;
    struct watchdog *watchdog;
};

static void usage(FILE *out)
{
    fputs("loa-agent: phần mềm trên thiết bị: giữ lịch phát, phát ra loa và bảng tin.\n"
          "loa-agent: the software of a device: keeps its playlist, plays to loudspeakers and boards.\n"
          "\n"
          "  loa-agent --config FILE --site FILE [--check]\n"
          "  --config FILE  thiết bị này là ai / who this device is: id, vault, link, roots, key\n"
          "  --site FILE    hộp được đấu nối thế nào / how the box is wired: sound card, buses, amplifiers, signs\n"
          "  --check        chỉ kiểm tra hai tệp / read and check both, say what is wrong, stop\n"
          "  --version, --help\n"
          "Hai tệp được mô tả trong / both files are described in: firmware/README.md\n",
          out);
}

/* 0: go on; 1: done; EXIT_USE. */
static int read_options(int argc, char **argv, struct options *ret)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'}, {"site", required_argument, NULL, 's'},
        {"check", no_argument, NULL, 'k'},        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            ret->config = optarg;
            break;
        case 's':
            ret->site = optarg;
            break;
        case 'k':
            ret->check = true;
            break;
        case 'v':
            puts("loa-agent " LOA_VERSION);
            return 1;
        case 'h':
            usage(stdout);
            return 1;
        default:
            usage(stderr);
            return EXIT_USE;
        }
    }
    if (ret->config && ret->site && optind == argc)
        return 0;
    fputs("loa-agent: --config and --site must both be given, and nothing else\n", stderr);
    usage(stderr);
    return EXIT_USE;
}

static int read_files(struct program *program, const struct options *options, struct complaint *why)
{
    int r = settings_open(options->config, &program->settings, why);
    if (r == 0)
        r = site_open(options->site, &program->site, why);
    if (r == 0)
        r = signer_load(program->settings.key_path, &program->signer, why);
    return r;
}

static void close_all(struct program *program)
{
    uv_close((uv_handle_t *)&program->terminate, NULL);
    uv_close((uv_handle_t *)&program->interrupt, NULL);
    uv_close((uv_handle_t *)&program->last_words, NULL);
    watchdog_free(program->watchdog);
    program->watchdog = NULL;
    agent_free(program->agent);
    program->agent = NULL;
}

static void on_last_words(uv_timer_t *timer)
{
    close_all(timer->data);
}

/* The link gets a moment to take what was sent last. */
static void on_stopped(void *arg)
{
    struct program *program = arg;
    uv_timer_start(&program->last_words, on_last_words, LAST_WORDS_MS, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct program *program = handle->data;
    (void)number;
    watchdog_stopping(program->watchdog);
    if (program->agent)
        agent_stop(program->agent);
}

static const char *stuck(void *arg)
{
    const struct program *program = arg;
    return agent_stuck(program->agent);
}

static int run(struct program *program, struct complaint *why)
{
    uv_loop_init(&program->loop);
    uv_signal_init(&program->loop, &program->terminate);
    uv_signal_init(&program->loop, &program->interrupt);
    uv_timer_init(&program->loop, &program->last_words);
    program->terminate.data = program->interrupt.data = program->last_words.data = program;
    uv_signal_start(&program->terminate, on_signal, SIGTERM);
    uv_signal_start(&program->interrupt, on_signal, SIGINT);
    int r = agent_new(&program->loop, &program->settings, &program->site, &program->signer, on_stopped, program,
                      &program->agent, why);
    if (r < 0)
        close_all(program);
    else
        program->watchdog = watchdog_start(&program->loop, stuck, program);
    uv_run(&program->loop, UV_RUN_DEFAULT);
    uv_loop_close(&program->loop);
    return r;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    static struct program program;
    struct complaint why = {0};
    int r = read_options(argc, argv, &options);
    if (r != 0)
        return r == 1 ? EXIT_SUCCESS : r;
    /* One arena for all threads but one: a small box has little memory, and few threads here allocate at all. */
    mallopt(M_ARENA_MAX, 2);
    /* What one playlist needs is kept for the next: to ask the kernel each time was a tenth of the work. */
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    setenv("UV_THREADPOOL_SIZE", "2", 0);
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0)
        return EXIT_FAILURE;
    r = read_files(&program, &options, &why);
    if (r < 0 || options.check) {
        if (r < 0)
            fprintf(stderr, "loa-agent: %s\n", why.text);
        else
            puts("loa-agent: cấu hình đúng / both files are right");
        return r < 0 ? EXIT_USE : EXIT_SUCCESS;
    }
    log_setup("loa-agent", program.settings.log);
    if (program.site.sound.alsa_config)
        setenv("ALSA_CONFIG_PATH", program.site.sound.alsa_config, 1);
    r = run(&program, &why);
    if (r < 0)
        log_err("agent", "cannot start: %s", why.text);
    signer_wipe(&program.signer);
    site_done(&program.site);
    settings_done(&program.settings);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
