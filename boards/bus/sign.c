/* sign.c - see sign.h. One run carries out what is wanted: the sequence step by step, then the proof. A run that fails
 * is tried again after a pause; a newer wish ends it and begins its own. */
#include "boards/bus/sign.h"

#include "boards/bus/layout.h"
#include "boards/bus/points.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_BEFORE_DONE = 3, PAUSE_FIRST_MS = 250, PAUSE_LAST_MS = 5000 };

struct sign {
    struct bus *bus;
    const struct profile *profile;
    struct points *points;
    char *name;
    sign_changed_fn changed;
    void *arg;
    uv_timer_t timer; /* pauses inside a run, and between two */
    bool freed;

    bool want_blank;
    char wanted[SIGN_TEXT_MAX];
    bool cut;
    sign_done_fn done; /* of the newest wish */
    void *done_arg;
    uint32_t failures; /* in a row, of this wish */

    bool running;
    bool silenced; /* this run's silence write is done */
    size_t step;
    size_t part; /* text point that is written or proved next */
    bool pulse_back;

    enum sign_phase phase;
    bool written, read_back_equal;
    int64_t read_back_ms;
    uint32_t times_lost;
    char problem[240];
    struct sign_status told;
};

static void run_on(struct sign *sign);
static void begin(struct sign *sign);

static bool can_read_back(const struct sign *sign)
{
    for (size_t i = 0; i < sign->profile->n_text; i++)
        if (sign->profile->points[sign->profile->text[i]].verify < 0)
            return false;
    return true;
}

/* The point that proves darkness by itself, or -1: then the text that is shown must be empty. */
static int dark_proof(const struct sign *sign)
{
    return sign->profile->points[sign->profile->silence].verify;
}

static double dark_value(const struct sign *sign)
{
    const struct point *silence = &sign->profile->points[sign->profile->silence];
    return point_proof(silence, &sign->profile->points[silence->verify], sign->profile->silence_value);
}

/* ---- status ---- */

static void fill_shown(const struct sign *sign, char ret_shown[SIGN_TEXT_MAX])
{
    const struct profile *p = sign->profile;
    size_t at = 0;
    if (sign->phase == SIGN_BLANK)
        return;
    for (size_t i = 0; i < p->n_text; i++) {
        const char *text = points_text(sign->points, p->points[p->text[i]].verify);
        int n = snprintf(ret_shown + at, SIGN_TEXT_MAX - at, "%s%s", i ? "\n" : "", text);
        at = at + (size_t)n < SIGN_TEXT_MAX ? at + (size_t)n : SIGN_TEXT_MAX - 1;
    }
    while (at > 0 && ret_shown[at - 1] == '\n')
        ret_shown[--at] = '\0';
}

void sign_status(const struct sign *sign, struct sign_status *ret_status)
{
    const struct profile *p = sign->profile;
    struct sign_status *s = ret_status;
    memset(s, 0, sizeof(*s));
    s->reachable = points_reachable(sign->points);
    s->reachable_elapsed_ms = points_reachable_since(sign->points);
    s->phase = sign->phase;
    s->want_blank = sign->want_blank;
    snprintf(s->wanted, sizeof(s->wanted), "%s", sign->wanted);
    fill_shown(sign, s->shown);
    s->can_read_back = can_read_back(sign);
    s->written = sign->written;
    s->read_back_equal = sign->read_back_equal;
    s->read_back_elapsed_ms = sign->read_back_ms;
    s->cut = sign->cut;
    s->times_lost = sign->times_lost;
    for (size_t i = 0; i < p->n_faults; i++) {
        struct reading fault = points_reading(sign->points, p->faults[i]);
        if (fault.valid && point_is_on(&p->points[p->faults[i]], fault.value))
            s->faults |= 1U << i;
    }
    s->brightness = points_reading(sign->points, p->brightness);
    points_problem(sign->points, sign->problem, s->problem, sizeof(s->problem));
}

static bool same_status(const struct sign_status *a, const struct sign_status *b)
{
    return a->reachable == b->reachable && a->phase == b->phase && a->want_blank == b->want_blank &&
           a->written == b->written && a->read_back_equal == b->read_back_equal && a->cut == b->cut &&
           a->times_lost == b->times_lost && a->faults == b->faults && a->brightness.valid == b->brightness.valid &&
           fabs(a->brightness.value - b->brightness.value) < 0.5 && strcmp(a->wanted, b->wanted) == 0 &&
           strcmp(a->shown, b->shown) == 0 && strcmp(a->problem, b->problem) == 0;
}

static void tell(struct sign *sign)
{
    if (!sign->changed || sign->freed)
        return;
    struct sign_status now;
    sign_status(sign, &now);
    if (same_status(&now, &sign->told))
        return;
    sign->told = now;
    sign->changed(sign->arg, &now);
}

/* Answer whoever wished; once. */
static void answer(struct sign *sign, int code, const char *why)
{
    sign_done_fn done = sign->done;
    if (!done)
        return;
    sign->done = NULL;
    char shown[SIGN_TEXT_MAX] = "";
    fill_shown(sign, shown);
    struct sign_result result = {.code = code,
                                 .written = sign->written,
                                 .read_back_equal = sign->read_back_equal,
                                 .cut = sign->cut,
                                 .shown = shown,
                                 .why = why,
                                 .at_elapsed_ms = clock_elapsed_ms()};
    done(sign->done_arg, &result);
}

/* ---- one run ---- */

static void on_again(uv_timer_t *timer)
{
    begin(timer->data);
}

static void fail(struct sign *sign, int code, const char *why)
{
    sign->running = false;
    sign->phase = SIGN_FAILED;
    sign->failures++;
    snprintf(sign->problem, sizeof(sign->problem), "%s", why);
    uint32_t pause = PAUSE_FIRST_MS;
    for (uint32_t i = 1; i < sign->failures && pause < PAUSE_LAST_MS; i++)
        pause *= 2;
    uv_timer_start(&sign->timer, on_again, pause < PAUSE_LAST_MS ? pause : PAUSE_LAST_MS, 0);
    char sentence[240];
    memcpy(sentence, sign->problem, sizeof(sentence));
    if (sign->failures >= TRIES_BEFORE_DONE)
        answer(sign, code, sentence);
    tell(sign);
}

static void succeed(struct sign *sign)
{
    sign->running = false;
    sign->failures = 0;
    sign->problem[0] = '\0';
    sign->phase = sign->want_blank ? SIGN_BLANK : SIGN_SHOWN;
    sign->read_back_equal = sign->want_blank ? dark_proof(sign) >= 0 || can_read_back(sign) : can_read_back(sign);
    sign->read_back_ms = sign->read_back_equal ? clock_elapsed_ms() : 0;
    answer(sign, 0, "");
    tell(sign);
}

static void on_step(void *arg, int result, const char *why)
{
    struct sign *sign = arg;
    if (result < 0)
        fail(sign, result, why);
    else
        run_on(sign);
}

static void on_pause(uv_timer_t *timer)
{
    run_on(timer->data);
}

static void write_part(struct sign *sign)
{
    char *part = sign_part(sign->profile, sign->part, sign->wanted);
    int index = sign->profile->text[sign->part++];
    points_put_text(sign->points, index, part, on_step, sign);
    free(part);
}

/* Each act ends in on_step() or on_pause(), which come back to run_on(); the step is counted up when it is the last. */
static void do_step(struct sign *sign, const struct step *step)
{
    switch (step->act) {
    case STEP_WRITE:
        sign->step++;
        points_put(sign->points, step->point, step->value, false, on_step, sign);
        return;
    case STEP_WAIT:
        sign->step++;
        points_wait(sign->points, step->point, step->value, step->ms, on_step, sign);
        return;
    case STEP_PAUSE:
        sign->step++;
        uv_timer_start(&sign->timer, on_pause, step->ms, 0);
        return;
    case STEP_PULSE:
        if (sign->pulse_back)
            sign->step++;
        points_put(sign->points, step->point, sign->pulse_back ? step->back : step->value, false, on_step, sign);
        sign->pulse_back = !sign->pulse_back;
        return;
    case STEP_TEXT:
        write_part(sign);
        if (sign->part == sign->profile->n_text) {
            sign->part = 0;
            sign->step++;
        }
        return;
    }
}

/* Between the two writes of a pulse its time must pass. */
static bool hold_pulse(struct sign *sign, const struct step *steps, size_t n)
{
    if (!sign->pulse_back || sign->step >= n || uv_is_active((uv_handle_t *)&sign->timer))
        return false;
    return steps[sign->step].act == STEP_PULSE;
}

static void on_pulse_over(uv_timer_t *timer)
{
    struct sign *sign = timer->data;
    const struct profile *p = sign->profile;
    do_step(sign, sign->want_blank ? &p->blank[sign->step] : &p->show[sign->step]);
}

/* The proof, part by part. True when there is one under way. */
static bool prove(struct sign *sign)
{
    const struct profile *p = sign->profile;
    if (sign->want_blank && dark_proof(sign) >= 0) {
        if (sign->part++ > 0)
            return false;
        points_wait(sign->points, dark_proof(sign), dark_value(sign), p->points[p->silence].within_ms, on_step, sign);
        return true;
    }
    if (!can_read_back(sign) || sign->part == p->n_text)
        return false;
    char *part = sign->want_blank ? xstrdup("") : sign_part(p, sign->part, sign->wanted);
    points_prove_text(sign->points, p->text[sign->part++], part, on_step, sign);
    free(part);
    return true;
}

static void run_on(struct sign *sign)
{
    const struct profile *p = sign->profile;
    const struct step *steps = sign->want_blank ? p->blank : p->show;
    size_t n = sign->want_blank ? p->n_blank : p->n_show;
    if (sign->want_blank && !sign->silenced) {
        sign->silenced = true;
        points_put(sign->points, p->silence, p->silence_value, true, on_step, sign);
    } else if (hold_pulse(sign, steps, n)) {
        uv_timer_start(&sign->timer, on_pulse_over, steps[sign->step].ms, 0);
    } else if (sign->step < n) {
        do_step(sign, &steps[sign->step]);
    } else {
        sign->written = true;
        if (!prove(sign))
            succeed(sign);
    }
}

static void begin(struct sign *sign)
{
    if (sign->freed)
        return;
    uv_timer_stop(&sign->timer);
    sign->running = true;
    sign->silenced = false;
    sign->pulse_back = false;
    sign->step = 0;
    sign->part = 0;
    sign->written = sign->read_back_equal = false;
    sign->phase = SIGN_WRITING;
    run_on(sign);
    tell(sign);
}

/* ---- readings ---- */

static bool is_lost(const struct sign *sign, int index)
{
    const struct profile *p = sign->profile;
    struct reading reading = points_reading(sign->points, index);
    if (!reading.valid)
        return false;
    if (sign->want_blank && dark_proof(sign) >= 0)
        return index == dark_proof(sign) && fabs(reading.value - dark_value(sign)) > 1e-6;
    for (size_t i = 0; i < p->n_text; i++) {
        if (p->points[p->text[i]].verify != index)
            continue;
        char *part = sign->want_blank ? xstrdup("") : sign_part(p, i, sign->wanted);
        bool same = profile_same_text(part, points_text(sign->points, index));
        free(part);
        return !same;
    }
    return false;
}

static void on_read(void *arg, int index)
{
    struct sign *sign = arg;
    bool stands = sign->phase == SIGN_SHOWN || sign->phase == SIGN_BLANK;
    if (!sign->running && stands && is_lost(sign, index)) {
        sign->times_lost++;
        begin(sign);
        return;
    }
    tell(sign);
}

static void on_reachable(void *arg, bool reachable)
{
    struct sign *sign = arg;
    if (!reachable && !sign->running) {
        sign->phase = SIGN_UNKNOWN;
        sign->read_back_equal = false;
        snprintf(sign->problem, sizeof(sign->problem), "%s: does not answer on %s", sign->name, bus_name(sign->bus));
    }
    if (reachable && !sign->running) {
        sign->problem[0] = '\0';
        begin(sign); /* whatever it shows after being away is not known */
    }
    tell(sign);
}

/* ---- the calls ---- */

int sign_new(struct bus *bus, const struct profile *profile, uint8_t unit, const char *name, sign_changed_fn changed,
             void *arg, struct sign **ret_sign)
{
    static const struct points_events events = {.read = on_read, .reachable = on_reachable};
    if (profile->kind != PROFILE_SIGN)
        return -EINVAL;
    struct sign *sign = xcalloc(1, sizeof(*sign));
    sign->bus = bus;
    sign->profile = profile;
    sign->name = xstrdup(name);
    sign->changed = changed;
    sign->arg = arg;
    sign->want_blank = true;
    uv_timer_init(bus_loop(bus), &sign->timer);
    sign->timer.data = sign;
    sign->points = points_new(bus, profile, unit, name, &events, sign);
    uv_timer_start(&sign->timer, on_again, 0, 0);
    *ret_sign = sign;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct sign *sign = handle->data;
    free(sign->name);
    free(sign);
}

void sign_free(struct sign *sign)
{
    if (!sign)
        return;
    sign->freed = true;
    answer(sign, -ECANCELED, "the sign is let go");
    points_free(sign->points);
    uv_close((uv_handle_t *)&sign->timer, on_closed);
}

/* Replace the wish; the one before hears of it first. */
static void wish(struct sign *sign, bool blank, const char *text, bool cut, sign_done_fn done, void *arg)
{
    answer(sign, -ECANCELED, "replaced by a newer wish");
    if (sign->freed)
        return;
    sign->want_blank = blank;
    memset(sign->wanted, 0, sizeof(sign->wanted));
    snprintf(sign->wanted, sizeof(sign->wanted), "%s", text);
    sign->cut = cut;
    sign->done = done;
    sign->done_arg = arg;
    sign->failures = 0;
    sign->times_lost = 0;
    sign->problem[0] = '\0';
    points_abandon(sign->points, true);
    begin(sign);
}

int sign_show(struct sign *sign, const char *text, sign_done_fn done, void *arg, struct complaint *why)
{
    char laid_out[SIGN_TEXT_MAX];
    bool cut = false;
    int r = sign_layout(sign->profile, text, laid_out, &cut, why);
    if (r < 0) {
        complain_prefix(why, "%s", sign->name);
        return r;
    }
    wish(sign, false, laid_out, cut, done, arg);
    return 0;
}

void sign_blank(struct sign *sign, sign_done_fn done, void *arg)
{
    wish(sign, true, "", false, done, arg);
}
