/* play_tool.c - the real player, driven by lines on stdin; what happens is told as JSON lines on stdout.
 *
 *     play ID PATH START OFFSET EXPECTED GAIN [LATEST]    START: elapsed ns, 0 at once, or +N: N ms from now;
 *                                                         LATEST: ms after START, 0 any
 *     stop | silence | drop | prepare | gain N | status | quit
 *
 * Each line is answered {"did": ..., "code": ...}. The end of stdin is quit. */
#include "firmware/player.h"
#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct tool {
    struct player *player;
    uv_poll_t input;
    char line[2048];
    size_t len;
};

/* Wall time of an elapsed moment, as both clocks stand now. */
static int64_t unix_ns_of(int64_t elapsed_ns)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return elapsed_ns == 0 ? 0 : (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec + (elapsed_ns - clock_elapsed_ns());
}

static void on_started(void *arg, uint64_t id, int64_t start_elapsed_ns)
{
    (void)arg;
    (void)printf("{\"event\": \"started\", \"id\": %" PRIu64 ", \"unix_ns\": %" PRId64 ", \"elapsed_ns\": %" PRId64
                 "}\n",
                 id, unix_ns_of(start_elapsed_ns), start_elapsed_ns);
}

static void on_finished(void *arg, const struct player_result *result)
{
    (void)arg;
    (void)printf("{\"event\": \"finished\", \"id\": %" PRIu64 ", \"end\": \"%s\", \"error\": \"%s\", \"heard\": %s, "
                 "\"told_unix_ns\": %" PRId64 ", \"start_unix_ns\": %" PRId64 ", \"end_unix_ns\": %" PRId64
                 ", \"played\": %" PRIu64 ", \"resume\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"xruns\": %" PRIu32
                 ", \"losses\": %" PRIu32 ", \"starvings\": %" PRIu32 ", \"starved\": %" PRIu64 ", \"why\": \"",
                 result->id, player_end_name(result->end), err_name(result->error), result->heard ? "true" : "false",
                 unix_ns_of(clock_elapsed_ns()), unix_ns_of(result->start_elapsed_ns),
                 unix_ns_of(result->end_elapsed_ns), result->played_frames, result->resume_frames, result->lost_frames,
                 result->xruns, result->losses, result->starvings, result->starved_frames);
    for (const char *c = result->why.text; *c != '\0'; c++) {
        (void)putchar(*c == '"' || *c == '\\' || (unsigned char)*c < 32 ? '\'' : *c);
    }
    (void)printf("\"}\n");
}

static void on_card(void *arg, bool healthy, int error)
{
    (void)arg;
    (void)printf("{\"event\": \"card\", \"healthy\": %s, \"error\": \"%s\", \"unix_ns\": %" PRId64 "}\n",
                 healthy ? "true" : "false", err_name(error), unix_ns_of(clock_elapsed_ns()));
}

static int play(struct tool *tool, const char *words)
{
    char path[PLAYER_PATH_MAX];
    char start[32];
    struct player_item item = {.path = path};
    int64_t latest_ms = 0;
    if (sscanf(words, "play %" SCNu64 " %511s %31s %" SCNu64 " %" SCNu64 " %" SCNd32 " %" SCNd64, &item.id, path, start,
               &item.offset_frames, &item.expected_frames, &item.gain_mb, &latest_ms) < 6) {
        return ERR_FORMAT;
    }
    item.start_elapsed_ns = strtoll(start, NULL, 10);
    if (start[0] == '+') {
        item.start_elapsed_ns = clock_elapsed_ns() + item.start_elapsed_ns * 1000000;
    }
    item.latest_elapsed_ns = latest_ms == 0 ? 0 : item.start_elapsed_ns + latest_ms * 1000000;
    int r = player_play(tool->player, &item);
    (void)printf("{\"event\": \"planned\", \"id\": %" PRIu64 ", \"unix_ns\": %" PRId64 "}\n", item.id,
                 unix_ns_of(item.start_elapsed_ns));
    return r;
}

static void show_status(const struct tool *tool)
{
    struct player_status status;
    player_status(tool->player, &status);
    (void)printf("{\"event\": \"status\", \"phase\": %d, \"id\": %" PRIu64 ", \"next\": %" PRIu64
                 ", \"played\": %" PRIu64
                 ", \"open\": %s, \"healthy\": %s, \"rate\": %u, \"channels\": %u, \"xruns\": %" PRIu32
                 ", \"reopened\": %" PRIu32 ", \"realtime\": %s}\n",
                 (int)status.phase, status.id, status.next_id, status.played_frames,
                 status.card_open ? "true" : "false", status.card_healthy ? "true" : "false", status.rate_hz,
                 status.channels, status.xruns, status.reopened, status.realtime ? "true" : "false");
}

static void quit(struct tool *tool)
{
    (void)uv_poll_stop(&tool->input);
    uv_close((uv_handle_t *)&tool->input, NULL);
    player_free(tool->player);
}

static void obey(struct tool *tool, const char *line)
{
    int r = 0;
    if (strncmp(line, "play ", 5) == 0) {
        r = play(tool, line);
    } else if (strncmp(line, "gain ", 5) == 0) {
        r = player_set_gain(tool->player, (int32_t)strtol(line + 5, NULL, 10));
    } else if (strcmp(line, "stop") == 0) {
        player_stop(tool->player);
    } else if (strcmp(line, "silence") == 0) {
        player_silence(tool->player);
    } else if (strcmp(line, "drop") == 0) {
        player_drop_next(tool->player);
    } else if (strcmp(line, "prepare") == 0) {
        player_prepare(tool->player);
    } else if (strcmp(line, "status") == 0) {
        show_status(tool);
    } else if (strcmp(line, "quit") == 0) {
        quit(tool);
    } else {
        r = ERR_FORMAT;
    }
    (void)printf("{\"did\": \"%.4s\", \"code\": \"%s\", \"unix_ns\": %" PRId64 "}\n", line, r == 0 ? "ok" : err_name(r),
                 unix_ns_of(clock_elapsed_ns()));
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    struct tool *tool = poll->data;
    (void)status;
    (void)events;
    ssize_t got = read(STDIN_FILENO, tool->line + tool->len, sizeof(tool->line) - 1 - tool->len);
    if (got <= 0) {
        quit(tool);
        return;
    }
    tool->len += (size_t)got;
    tool->line[tool->len] = '\0';
    for (char *end = strchr(tool->line, '\n'); end != NULL; end = strchr(tool->line, '\n')) {
        *end = '\0';
        obey(tool, tool->line);
        tool->len -= (size_t)(end + 1 - tool->line);
        memmove(tool->line, end + 1, tool->len + 1);
    }
}

int main(int argc, char **argv)
{
    static struct tool tool;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    log_setup("play_tool", LOG_LEVEL_INFO);
    struct player_config config = {.device = argc > 1 ? argv[1] : "loa",
                                   .rate_hz = argc > 2 ? (unsigned)atoi(argv[2]) : 0,
                                   .channels = argc > 3 ? (unsigned)atoi(argv[3]) : 0,
                                   .card_wait_ms = argc > 4 ? (unsigned)atoi(argv[4]) : 0};
    struct player_events events = {.started = on_started, .finished = on_finished, .card = on_card};
    uv_loop_t *loop = uv_default_loop();
    int r = player_new(loop, &config, &events, &tool, &tool.player);
    if (r < 0) {
        (void)fprintf(stderr, "play_tool: no player: %s\n", err_name(r));
        return 1;
    }
    tool.input.data = &tool;
    r = uv_poll_init(loop, &tool.input, STDIN_FILENO);
    r = r < 0 ? r : uv_poll_start(&tool.input, UV_READABLE, on_input);
    if (r < 0) {
        player_free(tool.player);
    }
    (void)uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) == 0 && r == 0 ? 0 : 1;
}
