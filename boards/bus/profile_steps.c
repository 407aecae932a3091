/* profile_steps.c - what a profile writes in order: the one safe write, and a sign's sequences. */
#include "boards/bus/profile_read.h"

#include <math.h>
#include <string.h>

/* A point by name that can be `access`ed and is a number. Index, or negative. */
static int number_point(struct profile_reader *reader, const struct cfg_node *node, const char *name, unsigned access)
{
    const struct profile *p = reader->profile;
    int index = profile_find(p, name);
    if (index < 0)
        return cfg_complain(node, reader->why, "there is no point named '%s'", name);
    const struct point *point = &p->points[index];
    if ((point->access & access) != access)
        return cfg_complain(node, reader->why, "point '%s' cannot be %s", name,
                            access == POINT_WRITE ? "written" : "read");
    if (point->type == POINT_TEXT)
        return cfg_complain(node, reader->why, "point '%s' is text, a number is needed here", name);
    return index;
}

static int check_value(struct profile_reader *reader, const struct cfg_node *node, int index, double value)
{
    uint16_t regs[2];
    struct complaint cause = {0};
    int r = profile_encode(&reader->profile->points[index], value, regs, &cause);
    return r < 0 ? cfg_complain(node, reader->why, "%s", cause.text) : 0;
}

int profile_read_silence(struct profile_reader *reader, const struct cfg_node *root)
{
    struct profile *p = reader->profile;
    const struct cfg_node *node = NULL;
    const char *name = NULL;
    int r = cfg_group(root, "silence", true, &node, reader->why);
    r = r < 0 ? r : cfg_text(node, "point", true, PROFILE_NAME_MAX, &name, reader->why);
    r = r < 0 ? r : cfg_real(node, "value", true, -1e12, 1e12, &p->silence_value, reader->why);
    if (r < 0)
        return r;
    int index = number_point(reader, node, name, POINT_WRITE);
    if (index < 0)
        return index;
    p->silence = index;
    return check_value(reader, node, index, p->silence_value);
}

static int read_write_step(struct profile_reader *reader, const struct cfg_node *node, const char *name,
                           struct step *step)
{
    if (strcmp(name, "text") == 0) {
        *step = (struct step){.act = STEP_TEXT, .point = -1};
        return 0;
    }
    int index = number_point(reader, node, name, POINT_WRITE);
    if (index < 0)
        return index;
    *step = (struct step){.act = STEP_WRITE, .point = index, .value = reader->profile->points[index].on};
    int r = cfg_real(node, "value", false, -1e12, 1e12, &step->value, reader->why);
    return r < 0 ? r : check_value(reader, node, index, step->value);
}

static int read_pulse_step(struct profile_reader *reader, const struct cfg_node *node, const char *name,
                           struct step *step)
{
    int index = number_point(reader, node, name, POINT_WRITE);
    if (index < 0)
        return index;
    const struct point *point = &reader->profile->points[index];
    *step = (struct step){.act = STEP_PULSE, .point = index, .value = point->on, .back = point->off};
    int64_t ms = 100;
    int r = cfg_real(node, "value", false, -1e12, 1e12, &step->value, reader->why);
    r = r < 0 ? r : cfg_real(node, "back", false, -1e12, 1e12, &step->back, reader->why);
    r = r < 0 ? r : cfg_int(node, "ms", false, 0, 60000, &ms, reader->why);
    r = r < 0 ? r : check_value(reader, node, index, step->value);
    r = r < 0 ? r : check_value(reader, node, index, step->back);
    step->ms = (uint32_t)ms;
    return r;
}

static int read_wait_step(struct profile_reader *reader, const struct cfg_node *node, const char *name,
                          struct step *step)
{
    int index = number_point(reader, node, name, POINT_READ);
    if (index < 0)
        return index;
    *step = (struct step){.act = STEP_WAIT, .point = index};
    int64_t ms = 2000;
    int r = cfg_real(node, "value", true, -1e12, 1e12, &step->value, reader->why);
    r = r < 0 ? r : cfg_int(node, "within_ms", false, 50, 120000, &ms, reader->why);
    r = r < 0 ? r : check_value(reader, node, index, step->value);
    step->ms = (uint32_t)ms;
    return r;
}

static int read_step(struct profile_reader *reader, const struct cfg_node *node, struct step *step)
{
    const char *write = NULL;
    const char *wait = NULL;
    const char *pulse = NULL;
    int64_t pause = -1;
    struct complaint *why = reader->why;
    int r = cfg_text(node, "write", false, PROFILE_NAME_MAX, &write, why);
    r = r < 0 ? r : cfg_text(node, "wait", false, PROFILE_NAME_MAX, &wait, why);
    r = r < 0 ? r : cfg_text(node, "pulse", false, PROFILE_NAME_MAX, &pulse, why);
    r = r < 0 ? r : cfg_int(node, "pause_ms", false, 0, 60000, &pause, why);
    if (r < 0)
        return r;
    if ((write != NULL) + (wait != NULL) + (pulse != NULL) + (pause >= 0) != 1)
        return cfg_complain(node, why, "a step has exactly one of 'write', 'wait', 'pulse' and 'pause_ms'");
    if (write)
        return read_write_step(reader, node, write, step);
    if (wait)
        return read_wait_step(reader, node, wait, step);
    if (pulse)
        return read_pulse_step(reader, node, pulse, step);
    *step = (struct step){.act = STEP_PAUSE, .point = -1, .ms = (uint32_t)pause};
    return 0;
}

static int read_sequence(struct profile_reader *reader, const struct cfg_node *root, const char *name,
                         struct step *steps, size_t *ret_n, const struct cfg_node **ret_list)
{
    int r = cfg_list(root, name, false, PROFILE_STEPS_MAX, ret_list, reader->why);
    if (r < 0)
        return r;
    *ret_n = cfg_len(*ret_list);
    for (size_t i = 0; i < *ret_n; i++) {
        const struct cfg_node *node = cfg_at(*ret_list, i);
        if (!node)
            return cfg_complain(*ret_list, reader->why, "item %zu of '%s' must be a group { ... }", i + 1, name);
        r = read_step(reader, node, &steps[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static size_t count_text_steps(const struct step *steps, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += steps[i].act == STEP_TEXT;
    return found;
}

/* What a sign does when its file gives no sequence: clear, text, commit, as far as it has them. */
static void usual_sequence(struct profile *p)
{
    if (p->clear >= 0)
        p->show[p->n_show++] = (struct step){.act = STEP_WRITE, .point = p->clear, .value = p->points[p->clear].on};
    p->show[p->n_show++] = (struct step){.act = STEP_TEXT, .point = -1};
    if (p->commit >= 0)
        p->show[p->n_show++] = (struct step){.act = STEP_WRITE, .point = p->commit, .value = p->points[p->commit].on};
}

int profile_read_steps(struct profile_reader *reader, const struct cfg_node *root)
{
    struct profile *p = reader->profile;
    const struct cfg_node *show = NULL;
    const struct cfg_node *blank = NULL;
    int r = read_sequence(reader, root, "show", p->show, &p->n_show, &show);
    if (r == 0 && !show)
        usual_sequence(p);
    else if (r == 0 && count_text_steps(p->show, p->n_show) != 1)
        r = cfg_complain(show, reader->why, "'show' must write the text exactly once: { write = \"text\"; }");
    r = r < 0 ? r : read_sequence(reader, root, "blank", p->blank, &p->n_blank, &blank);
    if (r == 0 && count_text_steps(p->blank, p->n_blank) > 0)
        r = cfg_complain(blank, reader->why, "'blank' cannot write text");
    return r;
}
