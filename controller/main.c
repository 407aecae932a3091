/* main.c - loa-controller: reads arguments and configuration, builds the parts in order, runs the loop, tears down in
 * reverse. */
#include "controller/aside.h"
#include "controller/blobs.h"
#include "controller/clashes.h"
#include "controller/feed.h"
#include "controller/fleet.h"
#include "controller/intake.h"
#include "controller/listener.h"
#include "controller/mandate.h"
#include "controller/midnights.h"
#include "controller/publisher.h"
#include "controller/request.h"
#include "controller/throttle.h"
#include "controller/turns.h"
#include "controller/zones.h"
#include "playlists/base/clock.h"
#include "playlists/base/file.h"
#include "playlists/base/log.h"
#include "playlists/base/watchdog.h"

#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "loa-controller: máy chủ điều khiển trung tâm: API, trang điều hành, lịch phát của mọi thiết bị.\n"
    "loa-controller: the controller: the API, the console, every device's playlist.\n"
    "\n"
    "  loa-controller --config FILE           chạy đến khi nhận SIGTERM / run until SIGTERM\n"
    "  loa-controller --config FILE --check   chỉ kiểm tra cấu hình / read the configuration, then end\n"
    "  loa-controller --config FILE token add --unit AREA --role ROLE [--note TEXT]\n"
    "                                         cấp mã truy cập / make a token\n"
    "  loa-controller --help | --version\n"
    "ROLE: viewer, technician, operator, approver, admin\n";

struct arguments {
    const char *config, *unit, *role, *note;
    bool check, token;
};

struct program {
    struct controller c;
    struct settings settings;
    uv_loop_t loop;
    uv_signal_t on_term, on_int;
    struct throttle throttle;
    struct watchdog *watchdog;
    bool stopping;
};

static int say(const struct complaint *why)
{
    fprintf(stderr, "loa-controller: %s\n", why->text);
    return 1;
}

static int bad_usage(const char *what)
{
    fprintf(stderr, "loa-controller: %s\n%s", what, usage);
    return 2;
}

/* -1: go on; else the exit code. */
static int read_arguments(int argc, char **argv, struct arguments *ret)
{
    enum { CONFIG = 1, CHECK, UNIT, ROLE, NOTE, HELP, VERSION };
    static const struct option options[] = {
        {"config", required_argument, NULL, CONFIG}, {"check", no_argument, NULL, CHECK},
        {"unit", required_argument, NULL, UNIT},     {"role", required_argument, NULL, ROLE},
        {"note", required_argument, NULL, NOTE},     {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},     {0}};
    int c;
    *ret = (struct arguments){.note = ""};
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case CONFIG:
            ret->config = optarg;
            break;
        case CHECK:
            ret->check = true;
            break;
        case UNIT:
            ret->unit = optarg;
            break;
        case ROLE:
            ret->role = optarg;
            break;
        case NOTE:
            ret->note = optarg;
            break;
        case HELP:
            fputs(usage, stdout);
            return 0;
        case VERSION:
            puts("loa-controller " LOA_VERSION);
            return 0;
        default:
            return bad_usage("that option is not known, or lacks its value");
        }
    }
    if (!ret->config)
        return bad_usage("--config FILE is missing");
    if (optind == argc)
        return ret->unit || ret->role ? bad_usage("--unit and --role belong to \"token add\"") : -1;
    ret->token = argc - optind == 2 && strcmp(argv[optind], "token") == 0 && strcmp(argv[optind + 1], "add") == 0;
    return ret->token ? -1 : bad_usage("the only command is \"token add\"");
}

static int make_folders(const struct settings *s, struct complaint *why)
{
    static const char *const below[] = {"", "/blobs", "/sources", "/tmp"};
    for (size_t i = 0; i < 4; i++) {
        char *path = xasprintf("%s%s", s->state, below[i]);
        int r = file_make_dir(path, 0700);
        if (r < 0)
            complain(why, r, "state: the folder %s cannot be made: %s", path, err_name(r));
        free(path);
        if (r < 0)
            return r;
    }
    return 0;
}

static int open_store(struct program *p, struct complaint *why)
{
    int r = make_folders(&p->settings, why);
    if (r < 0)
        return r;
    char *path = xasprintf("%s/controller.db", p->settings.state);
    r = store_open(path, &p->c.store, why);
    free(path);
    return r;
}

static int add_token(struct program *p, const struct arguments *args)
{
    struct complaint why = {0};
    struct token token;
    char text[96];
    if (!args->unit || !id_valid(args->unit))
        return bad_usage("--unit must be an area id such as a000");
    if (!role_of(args->role))
        return bad_usage("--role must be viewer, technician, operator, approver or admin");
    if (strlen(args->note) > 200 || !utf8_valid(args->note, strlen(args->note)))
        return bad_usage("--note must be UTF-8 text of at most 200 bytes");
    if (open_store(p, &why) < 0)
        return say(&why);
    if (people_add(p->c.store, args->unit, role_of(args->role), args->note, clock_wall_ms(), &token, text) < 0) {
        complain(&why, ERR_STORE, "the token could not be stored in %s/controller.db", p->settings.state);
        return say(&why);
    }
    puts(text);
    sodium_memzero(text, sizeof(text));
    return 0;
}

static int check(struct program *p, struct complaint *why)
{
    struct stat st;
    int r = listener_check(&p->settings.api, "api", why);
    if (r == 0)
        r = listener_check(&p->settings.blobs, "blobs", why);
    if (r == 0 && (stat(p->settings.web, &st) < 0 || !S_ISDIR(st.st_mode)))
        r = complain(why, ERR_FORMAT, "web \"%s\" is no folder; it must hold the page (index.html)", p->settings.web);
    return r;
}

static void close_signals(struct program *p)
{
    uv_close((uv_handle_t *)&p->on_term, NULL);
    uv_close((uv_handle_t *)&p->on_int, NULL);
}

/* Streams and uploads end first, so that no connection is suspended when the ports close. */
static void stop(struct program *p)
{
    if (p->stopping)
        return;
    p->stopping = true;
    log_info("controller", "stopping");
    watchdog_stopping(p->watchdog);
    watchdog_free(p->watchdog);
    p->watchdog = NULL;
    char *path = xasprintf("%s/listening.json", p->settings.state);
    unlink(path);
    free(path);
    feed_end(p->c.feed);
    intake_stop(p->c.intake);
    clashes_stop(p->c.clashes);
    aside_stop(p->c.aside);
    listener_stop(p->c.api_port);
    listener_stop(p->c.blob_port);
    midnights_free(p->c.midnights);
    publisher_free(p->c.publisher);
    fleet_free(p->c.fleet);
    feed_free(p->c.feed);
    turns_free(p->c.turns);
    close_signals(p);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    stop(signal->data);
}

static int write_listening(struct program *p, struct complaint *why)
{
    json_t *json = json_pack("{s:i, s:{s:s, s:i}, s:{s:s, s:i}}", "pid", (int)getpid(), "api", "address",
                             p->settings.api.address, "port", listener_port(p->c.api_port), "blobs", "address",
                             p->settings.blobs.address, "port", listener_port(p->c.blob_port));
    char *text = json_dumps(json, JSON_COMPACT), *path = xasprintf("%s/listening.json", p->settings.state);
    int r = file_write_whole(path, text, strlen(text), 0644);
    if (r < 0)
        complain(why, r, "%s cannot be written: %s", path, err_name(r));
    free(path);
    free(text);
    json_decref(json);
    return r;
}

static int open_ports(struct program *p, struct complaint *why)
{
    struct listener_handler api = {.access = api_access, .completed = api_completed, .arg = &p->c};
    struct listener_handler blobs = {.access = blobs_access, .arg = &p->c};
    int r = listener_start(&p->loop, &p->settings.api, "api", &api, &p->c.api_port, why);
    if (r == 0)
        r = listener_start(&p->loop, &p->settings.blobs, "blobs", &blobs, &p->c.blob_port, why);
    return r == 0 ? write_listening(p, why) : r;
}

/* What a killed run left half taken in. */
static void clear_tmp(const struct settings *s)
{
    char *dir = xasprintf("%s/tmp", s->state);
    uv_fs_t scan;
    uv_dirent_t entry;
    if (uv_fs_scandir(NULL, &scan, dir, 0, NULL) >= 0) {
        while (uv_fs_scandir_next(&scan, &entry) == 0) {
            char *path = xasprintf("%s/%s", dir, entry.name);
            unlink(path);
            free(path);
        }
        uv_fs_req_cleanup(&scan);
    }
    free(dir);
}

static const char *stuck(void *arg)
{
    const struct program *p = arg;
    if (listener_stuck(p->c.api_port))
        return "the people's port";
    if (listener_stuck(p->c.blob_port))
        return "the devices' port";
    return store_number(p->c.store, -1, "PRAGMA user_version", "") < 0 ? "the store" : NULL;
}

static void watch_signals(struct program *p)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&p->loop, &p->on_term);
    uv_signal_init(&p->loop, &p->on_int);
    p->on_term.data = p->on_int.data = p;
    uv_signal_start(&p->on_term, on_signal, SIGTERM);
    uv_signal_start(&p->on_int, on_signal, SIGINT);
}

/* A thread for each recording that is taken in and each preview, and others beside them: drafts and calls wait for
 * neither. */
static void more_threads(const struct settings *s)
{
    char n[24];
    snprintf(n, sizeof(n), "%lld", (long long)s->uploads_max + PREVIEWS_MAX + ASIDE_THREADS + 3);
    setenv("UV_THREADPOOL_SIZE", n, 1);
}

static int run(struct program *p)
{
    struct complaint why = {0};
    struct controller *c = &p->c;
    if (open_store(p, &why) < 0)
        return say(&why);
    clear_tmp(&p->settings);
    more_threads(&p->settings);
    uv_loop_init(&p->loop);
    c->loop = &p->loop;
    c->turns = turns_new(&p->loop);
    c->throttle = &p->throttle;
    watch_signals(p);
    c->mandate = mandate_new(c->store, &p->settings);
    c->feed = feed_new(c);
    c->intake = intake_new(c);
    c->aside = aside_new(c);
    c->clashes = clashes_new(c);
    c->publisher = publisher_new(c);
    c->midnights = midnights_new(c);
    int r = fleet_new(c, &c->fleet);
    if (r < 0)
        complain(&why, r, "link %s cannot be used: %s", p->settings.link, err_name(r));
    if (r == 0)
        r = open_ports(p, &why);
    if (r == 0) {
        log_info("controller", "listening: api %s port %d, blobs port %d", p->settings.api.address,
                 listener_port(c->api_port), listener_port(c->blob_port));
        p->watchdog = watchdog_start(&p->loop, stuck, p);
    } else {
        stop(p);
    }
    uv_run(&p->loop, UV_RUN_DEFAULT);
    uv_loop_close(&p->loop);
    intake_free(c->intake);
    aside_free(c->aside);
    clashes_free(c->clashes);
    mandate_free(c->mandate);
    return r < 0 ? say(&why) : 0;
}

int main(int argc, char **argv)
{
    static struct program p;
    struct arguments args;
    struct complaint why = {0};
    int code = read_arguments(argc, argv, &args);
    if (code >= 0)
        return code;
    log_setup("loa-controller", LOG_LEVEL_INFO);
    umask(0077);
    if (sodium_init() < 0 || settings_load(args.config, &p.settings, &why) < 0)
        return say(&why);
    log_setup("loa-controller", p.settings.log);
    p.c.settings = &p.settings;
    p.c.zones = zones_new(p.settings.zoneinfo, p.settings.calendars);
    if (args.token)
        code = add_token(&p, &args);
    else if (signer_load(p.settings.scheduler_key, &p.c.scheduler, &why) < 0 || check(&p, &why) < 0)
        code = say(&why);
    else if (args.check)
        code = printf("%s: cấu hình đúng / correct\n", args.config) < 0;
    else
        code = run(&p);
    signer_wipe(&p.c.scheduler);
    store_close(p.c.store);
    zones_free(p.c.zones);
    settings_done(&p.settings);
    return code;
}
