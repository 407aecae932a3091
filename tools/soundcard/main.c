/* main.c - loa-card: a sound card without hardware. */
#include "playlists/base/bytes.h"
#include "playlists/base/file.h"
#include "playlists/base/log.h"
#include "tools/soundcard/card.h"
#include "tools/soundcard/control.h"
#include "tools/soundcard/unix_socket.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const char usage[] =
    "loa-card: card âm thanh ảo / a sound card without hardware\n"
    "\n"
    "  loa-card --socket S --recording F.wav [options]     be the card\n"
    "  loa-card --tell C WORDS                             say WORDS to the card whose --control is C\n"
    "\n"
    "  --socket S      where the ALSA plugin \"loa\" connects (Unix socket)\n"
    "  --recording F   WAV of all that is put out, from the start, in real time, valid at any moment;\n"
    "                  beside it F.json (start_unix_ms, rate, channels) and F.times (frame, unix_ns each second)\n"
    "  --rate N        8000 to 192000 Hz (48000)\n"
    "  --channels N    1 or 2 (1)\n"
    "  --format F      what players must hand over: s16, s32 or float (s16)\n"
    "  --meter M       Unix socket that tells the level every 50 ms, one JSON line each\n"
    "  --conf C        write an ALSA configuration with the card as \"loa\" and as default; use it by\n"
    "                  ALSA_CONFIG_PATH=C\n"
    "  --ppm N         run faster than the clock by N millionths, -1000 to 1000 (0)\n"
    "  --control C     Unix socket that takes WORDS, a line each, and answers a line of JSON\n"
    "  --fault WORDS   as if they had been said at the start; may be given up to 8 times\n"
    "\n"
    "WORDS, all at once or by themselves after some time (MS milliseconds):\n"
    "  vanish [MS]        it is gone: who plays loses it, who opens it hears \"no such device\"\n"
    "  busy [MS]          who opens it hears \"busy\"\n"
    "  freeze [MS]        it stands still, and its delay with it\n"
    "  underrun [N [MS]]  N times (1), MS apart (200), the stream is stopped as if it had run dry\n"
    "  ppm N              another clock error from now on\n"
    "  return             all is well again, but for the clock error\n"
    "  status             only answer\n"
    "\n"
    "Ends on SIGTERM or SIGINT, with the recording complete and its sockets removed.\n";

enum { FAULTS_AT_START_MAX = 8 };

struct options {
    struct card_config card;
    const char *socket;
    const char *conf;
    const char *control;
    const char *tell;  /* only say `words` there */
    const char *words; /* NULL: be the card */
    struct fault faults[FAULTS_AT_START_MAX];
    size_t n_faults;
};

static int read_number(const char *name, const char *text, long min, long max, long *ret, struct complaint *why)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max) {
        return complain(why, ERR_FORMAT, "%s \"%s\" is not right; a number from %ld to %ld would be", name, text, min,
                        max);
    }
    *ret = value;
    return 0;
}

static int read_format(const char *text, enum card_format *ret, struct complaint *why)
{
    static const char *const names[] = {"s16", "s32", "float"};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum card_format)i;
            return 0;
        }
    }
    return complain(why, ERR_FORMAT, "--format \"%s\" is not known; s16, s32 or float would be right", text);
}

static int read_fault(struct options *options, struct complaint *why)
{
    if (options->n_faults == FAULTS_AT_START_MAX) {
        return complain(why, ERR_FORMAT, "--fault is given too often; %d times would be right", FAULTS_AT_START_MAX);
    }
    int r = fault_parse(optarg, &options->faults[options->n_faults], why);
    options->n_faults += r == 0 ? 1 : 0;
    complain_prefix(r < 0 ? why : NULL, "--fault");
    return r;
}

static int read_option(int option, struct options *options, struct complaint *why)
{
    long number = 0;
    int r = 0;
    switch (option) {
    case 's':
        options->socket = optarg;
        return 0;
    case 'w':
        options->card.recording = optarg;
        return 0;
    case 'm':
        options->card.meter_socket = optarg;
        return 0;
    case 'o':
        options->conf = optarg;
        return 0;
    case 'C':
        options->control = optarg;
        return 0;
    case 't':
        options->tell = optarg;
        return 0;
    case 'F':
        return read_fault(options, why);
    case 'f':
        return read_format(optarg, &options->card.format, why);
    case 'r':
        r = read_number("--rate", optarg, CARD_RATE_MIN_HZ, CARD_RATE_MAX_HZ, &number, why);
        options->card.rate_hz = (uint32_t)number;
        return r;
    case 'c':
        r = read_number("--channels", optarg, 1, CARD_CHANNELS_MAX, &number, why);
        options->card.channels = (uint32_t)number;
        return r;
    case 'p':
        r = read_number("--ppm", optarg, -1000, 1000, &number, why);
        options->card.ppm = (int32_t)number;
        return r;
    default:
        return complain(why, ERR_FORMAT, "an option is not known or lacks its value; loa-card --help shows all");
    }
}

/* 1: help was asked for. */
static int read_options(int argc, char **argv, struct options *options, struct complaint *why)
{
    static const struct option known[] = {
        {"socket", required_argument, NULL, 's'},
        {"recording", required_argument, NULL, 'w'},
        {"meter", required_argument, NULL, 'm'},
        {"conf", required_argument, NULL, 'o'},
        {"format", required_argument, NULL, 'f'},
        {"rate", required_argument, NULL, 'r'},
        {"channels", required_argument, NULL, 'c'},
        {"ppm", required_argument, NULL, 'p'},
        {"control", required_argument, NULL, 'C'},
        {"tell", required_argument, NULL, 't'},
        {"fault", required_argument, NULL, 'F'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    opterr = 0;
    for (int option = getopt_long(argc, argv, "h", known, NULL); option != -1;
         option = getopt_long(argc, argv, "h", known, NULL)) {
        if (option == 'h') {
            return 1;
        }
        int r = read_option(option, options, why);
        if (r < 0) {
            return r;
        }
    }
    if (options->tell != NULL) {
        options->words = optind + 1 == argc ? argv[optind] : NULL;
        return options->words != NULL ? 0
                                      : complain(why, ERR_FORMAT, "--tell needs WORDS, as one argument: 'vanish 5000'");
    }
    if (optind != argc) {
        return complain(why, ERR_FORMAT, "\"%s\" is no option; loa-card --help shows all", argv[optind]);
    }
    if (options->socket == NULL || options->card.recording == NULL) {
        return complain(why, ERR_FORMAT, "--socket and --recording are needed; loa-card --help shows all");
    }
    return 0;
}

/* A path as a string of ALSA's configuration language, absolute, or NULL when it cannot be written there. */
static char *conf_path(const char *path)
{
    char *folder = path[0] == '/' ? xstrdup("") : getcwd(NULL, 0);
    char *whole = folder == NULL ? NULL : xasprintf("%s%s%s", folder, path[0] == '/' ? "" : "/", path);
    free(folder);
    if (whole != NULL && strpbrk(whole, "\"\\\n") != NULL) {
        free(whole);
        return NULL;
    }
    return whole;
}

static char *plugin_path(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) {
        return NULL;
    }
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    *slash = '\0';
    return xasprintf("%s/libasound_module_pcm_loa.so", self);
}

static int write_conf(const struct options *options, struct complaint *why)
{
    char *plugin = plugin_path();
    char *socket_path = conf_path(options->socket);
    if (plugin == NULL || socket_path == NULL) {
        free(plugin);
        free(socket_path);
        return complain(why, -EINVAL, "--socket \"%s\" cannot be written into an ALSA configuration", options->socket);
    }
    char *text = xasprintf("</usr/share/alsa/alsa.conf>\n"
                           "pcm_type.loa { lib \"%s\" }\n"
                           "pcm.loa { type loa socket \"%s\" }\n"
                           "pcm.!default { type plug slave.pcm \"loa\" }\n",
                           plugin, socket_path);
    int r = file_write_whole(options->conf, text, strlen(text), 0644);
    free(text);
    free(socket_path);
    free(plugin);
    return r < 0 ? complain(why, r, "cannot write %s: %s", options->conf, err_name(r)) : 0;
}

struct shell {
    int listener; /* owned, as are the others */
    int timer;
    int signals;
    struct card card;
    struct control control;
};

static int open_shell(struct shell *shell, const struct options *options, struct complaint *why)
{
    int r = control_init(&shell->control, options->control, why);
    if (r < 0) {
        return r;
    }
    sigset_t ends;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    shell->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    shell->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (shell->signals < 0 || shell->timer < 0) {
        return complain(why, -errno, "cannot make a descriptor: %s", strerror(errno));
    }
    shell->listener = unix_socket_listen(options->socket, SOCK_SEQPACKET, why);
    return shell->listener < 0 ? shell->listener : 0;
}

static void set_timer(const struct shell *shell)
{
    int64_t at = card_next_tick_ns(&shell->card);
    struct itimerspec when = {.it_value = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000}};
    (void)timerfd_settime(shell->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void serve(struct shell *shell, const struct pollfd *fds, size_t n_meter, size_t n_control)
{
    if (fds[3].revents != 0 && shell->card.stream.socket >= 0) {
        card_serve(&shell->card); /* before the next player is let in: the last one may just have ended */
    }
    if (fds[2].revents != 0) {
        int fd = accept4(shell->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            card_attach(&shell->card, fd);
        }
    }
    meter_serve(&shell->card.meter, fds + 4, n_meter);
    control_serve(&shell->control, fds + 4 + n_meter, n_control, &shell->card);
}

static void run(struct shell *shell)
{
    for (;;) {
        set_timer(shell);
        struct pollfd fds[4 + 1 + METER_CLIENTS_MAX + 1 + CONTROL_CLIENTS_MAX] = {
            {.fd = shell->signals, .events = POLLIN},
            {.fd = shell->timer, .events = POLLIN},
            {.fd = shell->listener, .events = POLLIN},
            {.fd = shell->card.stream.socket, .events = POLLIN},
        };
        size_t n_meter = meter_poll_fds(&shell->card.meter, fds + 4);
        size_t n_control = control_poll_fds(&shell->control, fds + 4 + n_meter);
        if (poll(fds, (nfds_t)(4 + n_meter + n_control), -1) < 0 && errno != EINTR) {
            log_err("card", "poll: %s; giving up", strerror(errno));
            return;
        }
        if (fds[0].revents != 0) {
            return;
        }
        if (fds[1].revents != 0) {
            card_advance(&shell->card);
        }
        serve(shell, fds, n_meter, n_control);
    }
}

static void close_shell(struct shell *shell, const struct options *options)
{
    if (shell->listener >= 0) {
        (void)close(shell->listener);
        (void)unlink(options->socket);
    }
    control_done(&shell->control);
    (void)close(shell->timer);
    (void)close(shell->signals);
}

static int tell(const struct options *options)
{
    char answer[CONTROL_ANSWER_MAX];
    struct complaint why = {.text = ""};
    int r = control_tell(options->tell, options->words, answer, &why);
    if (r < 0) {
        (void)fprintf(stderr, "loa-card: %s\n", why.text);
        return 1;
    }
    (void)puts(answer);
    return strncmp(answer, "{\"ok\"", 5) == 0 ? 0 : 2;
}

/* Hardware does not wait for a processor: where the system allows it, this does not either. */
static void run_on_time(void)
{
    struct sched_param param = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};
    if (sched_setscheduler(0, SCHED_FIFO, &param) < 0)
        log_info("card", "no real-time scheduling: a busy machine may make it run dry");
}

int main(int argc, char **argv)
{
    struct options options = {.card = {.rate_hz = 48000, .channels = 1}};
    struct complaint why = {.text = ""};
    log_setup("loa-card", LOG_LEVEL_INFO);
    int r = read_options(argc, argv, &options, &why);
    if (r > 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (r < 0) {
        (void)fprintf(stderr, "loa-card: %s\n", why.text);
        return 2;
    }
    if (options.tell != NULL) {
        return tell(&options);
    }
    static struct shell shell = {.listener = -1, .timer = -1, .signals = -1};
    r = open_shell(&shell, &options, &why);
    if (r == 0) {
        r = card_init(&shell.card, &options.card, &why);
        if (r == 0) {
            for (size_t i = 0; i < options.n_faults; i++) {
                card_obey(&shell.card, &options.faults[i]);
            }
            r = options.conf == NULL ? 0 : write_conf(&options, &why);
            if (r == 0) {
                log_info("card", "socket=%s recording=%s rate=%u channels=%u", options.socket, options.card.recording,
                         options.card.rate_hz, options.card.channels);
                run_on_time();
                run(&shell);
                log_info("card", "recording=%s ends after %.1f s, %u streams, ran dry %u times", options.card.recording,
                         (double)shell.card.head / options.card.rate_hz, shell.card.streams, shell.card.underruns);
            }
            card_done(&shell.card);
        }
    }
    close_shell(&shell, &options);
    if (r < 0) {
        (void)fprintf(stderr, "loa-card: %s\n", why.text);
        return 1;
    }
    return 0;
}
