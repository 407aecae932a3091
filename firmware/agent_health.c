/* agent_health.c - how the parts are: events when one fails or comes back, health on change and every ten minutes. */
#include "firmware/agent_parts.h"

#include "playlists/base/clock.h"
#include "playlists/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    HEALTH_MS = 600000,
    AWAY_MS = 3000, /* a part is unreachable when it was so for this long */
    DISK_LOW_MIB = 200,
    DISK_FULL_MIB = 50,
    VALUES_MAX = 2 * AGENT_PARTS_MAX + 4,
    NAME_SIZE = 64
};

struct health_paper {
    struct health health;
    struct health_part parts[AGENT_PARTS_MAX + 4];
    struct health_value values[VALUES_MAX];
    char names[VALUES_MAX][NAME_SIZE];
    struct part_report reports[AGENT_PARTS_MAX];
    char sound[160], disk[240], clock[40], outbox[80];
};

/* --- one part --- */

static void watch_part(struct agent *agent, struct part_told *told, bool is_sign, const struct part_report *now)
{
    bool away = !now->reachable && clock_elapsed_ms() - now->since_elapsed_ms > AWAY_MS;
    if (!now->reachable && !away)
        return;
    if (away && (!told->known || told->reachable)) {
        log_warn("bus", "%s does not answer: %s; nothing is proven of it", now->name, now->problem);
        agent_event(agent, "unreachable", now->name, "%s", now->problem);
    } else if (!away && told->known && !told->reachable) {
        log_info("bus", "%s answers again", now->name);
        agent_event(agent, "reachable", now->name, "it answers again");
    }
    if (!away && now->faulty && (!told->faulty || (now->faults & ~told->faults))) {
        log_warn("bus", "%s: %s", now->name, now->problem);
        agent_event(agent, is_sign ? "sign_fault" : "amplifier_fault", now->name, "%s", now->problem);
    }
    *told = (struct part_told){
        .known = true, .reachable = !away, .faulty = !away && now->faulty, .faults = away ? 0 : now->faults};
}

void agent_card(void *arg, bool healthy, int error)
{
    struct agent *agent = arg;
    if (!healthy && !agent->card_told_bad) {
        log_warn("sound", "card %s is not there: %s; waits for it", agent->site->sound.device, err_name(error));
        agent_event(agent, "sound_lost", "sound", "card %s: %s", agent->site->sound.device, err_name(error));
    } else if (healthy && agent->card_told_bad) {
        log_info("sound", "card %s is back", agent->site->sound.device);
        agent_event(agent, "sound_back", "sound", "card %s works again", agent->site->sound.device);
    }
    agent->card_told_bad = !healthy;
}

/* --- all of them --- */

static struct health_part *add_part(struct health_paper *paper, const char *name, const char *state, const char *detail)
{
    struct health_part *part = &paper->parts[paper->health.n_parts++];
    *part = (struct health_part){.name = name, .state = state, .detail = detail && detail[0] ? detail : NULL};
    return part;
}

static void add_value(struct health_paper *paper, const char *part, const char *what, double value, const char *unit)
{
    if (paper->health.n_values == VALUES_MAX)
        return;
    char *name = paper->names[paper->health.n_values];
    snprintf(name, NAME_SIZE, "%s%s%s", part, part[0] ? "." : "", what);
    paper->values[paper->health.n_values++] = (struct health_value){.name = name, .value = value, .unit = unit};
}

static void add_sound(const struct agent *agent, struct health_paper *paper)
{
    bool wired, healthy;
    int error;
    stage_card(agent->stage, &wired, &healthy, &error);
    if (!healthy)
        snprintf(paper->sound, sizeof(paper->sound), "card %s: %s", agent->site->sound.device, err_name(error));
    add_part(paper, "sound", !wired ? "off" : healthy ? "ok" : "fault", paper->sound);
}

static void add_outputs(const struct agent *agent, struct health_paper *paper)
{
    for (size_t i = 0; i < stage_parts(agent->stage) && i < AGENT_PARTS_MAX; i++) {
        struct part_report *report = &paper->reports[i];
        bool is_sign;
        stage_report(agent->stage, i, &is_sign, report);
        const struct part_told *told = &agent->told[i];
        bool fault = told->known && (!told->reachable || told->faulty);
        add_part(paper, report->name, fault ? "fault" : told->known ? "ok" : "warn", fault ? report->problem : "");
        if (report->has_temperature)
            add_value(paper, report->name, "temperature", report->temperature_c, "C");
        if (report->has_level)
            add_value(paper, report->name, "level", report->level_db, "dB");
    }
}

static void add_disk(const struct agent *agent, struct health_paper *paper)
{
    struct statvfs st;
    if (statvfs(vault_dir(agent->vault), &st) < 0) {
        add_part(paper, "disk", "fault", "the vault's folder cannot be asked");
        return;
    }
    double free_mib = (double)st.f_bavail * (double)st.f_frsize / 1048576.0;
    bool full = free_mib < DISK_FULL_MIB || agent->vault_bad, low = free_mib < DISK_LOW_MIB;
    if (agent->vault_bad)
        snprintf(paper->disk, sizeof(paper->disk), "the vault cannot be written: %s", vault_trouble(agent->vault));
    else if (agent->n_unfit)
        snprintf(paper->disk, sizeof(paper->disk), "%zu files have no room in the vault", agent->n_unfit);
    else if (low)
        snprintf(paper->disk, sizeof(paper->disk), "%.0f MiB are free", free_mib);
    add_part(paper, "disk", full ? "fault" : low || agent->n_unfit ? "warn" : "ok", paper->disk);
    add_value(paper, "disk", "free", free_mib, "MiB");
}

static void add_rest(const struct agent *agent, struct health_paper *paper)
{
    int64_t waiting = 0;
    for (int kind = 0; kind < OUTBOX_KINDS; kind++)
        waiting +=
            outbox_last(agent->outbox, (enum outbox_kind)kind) - outbox_stored(agent->outbox, (enum outbox_kind)kind);
    snprintf(paper->clock, sizeof(paper->clock), "%s", time_grade_names[agent->time.grade]);
    add_part(paper, "clock", agent->time.grade == GRADE_UNKNOWN ? "warn" : "ok", paper->clock);
    add_part(paper, "outbox", "ok", "");
    add_value(paper, "outbox", "waiting", (double)waiting, "");
    add_value(paper, "fetch", "wanted", (double)fetcher_wanted(agent->fetcher), "");
}

static uint64_t mark_of(const struct health_paper *paper)
{
    struct buf text = {0};
    for (size_t i = 0; i < paper->health.n_parts; i++)
        buf_putf(&text, "%s=%s;", paper->parts[i].name, paper->parts[i].state);
    uint64_t mark = arbiter_key(buf_text(&text));
    buf_done(&text);
    return mark;
}

void agent_watch_parts(struct agent *agent)
{
    struct health_paper paper;
    for (size_t i = 0; i < stage_parts(agent->stage) && i < AGENT_PARTS_MAX; i++) {
        bool is_sign;
        struct part_report report;
        stage_report(agent->stage, i, &is_sign, &report);
        watch_part(agent, &agent->told[i], is_sign, &report);
    }
    memset(&paper, 0, sizeof(paper));
    paper.health.parts = paper.parts;
    paper.health.values = paper.values;
    add_sound(agent, &paper);
    add_outputs(agent, &paper);
    add_disk(agent, &paper);
    add_rest(agent, &paper);
    uint64_t mark = mark_of(&paper);
    int64_t now_ms = clock_elapsed_ms();
    bool due = agent->health_told_ms == 0 || now_ms - agent->health_told_ms > HEALTH_MS || mark != agent->health_mark;
    if (!agent->online || !due)
        return;
    paper.health.head = letters_head(&agent->letters, agent_stamp_ms(agent));
    paper.health.device = agent->settings->device;
    paper.health.at_ms = agent_stamp_ms(agent);
    if (agent_publish(agent, "health", DOC_HEALTH, &paper.health, 0) == 0) {
        agent->health_told_ms = now_ms;
        agent->health_mark = mark;
    }
}
