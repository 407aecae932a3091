/* receipts.c - see receipts.h. */
#include "firmware/receipts.h"

#include <stdio.h>
#include <string.h>

static void make_sound(const struct airing_sound *from, struct receipt_paper *ret)
{
    if (!from->asked)
        return;
    ret->sound = (struct sound_evidence){.frames_expected = from->frames_expected,
                                         .frames = from->frames,
                                         .xruns = from->xruns,
                                         .start_error_us = from->start_error_us};
    ret->evidence.sound = &ret->sound;
}

static void make_amplifier(const struct airing_horns *from, struct receipt_paper *ret)
{
    if (!from->asked)
        return;
    for (int i = 0; i < from->n_faults; i++)
        ret->faults[i] = from->faults[i];
    ret->amplifier = (struct amplifier_evidence){.commanded = from->commanded,
                                                 .power = from->power,
                                                 .seen = from->seen,
                                                 .level_mb = from->level_mb,
                                                 .temperature_c = from->temperature_c,
                                                 .faults = {.at = ret->faults, .n = (size_t)from->n_faults}};
    ret->evidence.amplifier = &ret->amplifier;
}

static void make_sign(const struct airing_panels *from, struct receipt_paper *ret)
{
    if (!from->asked)
        return;
    ret->sign = (struct sign_evidence){.written = from->written,
                                       .read_back = from->read_back,
                                       .cut = from->cut,
                                       .text = from->text[0] ? from->text : NULL};
    ret->evidence.sign = &ret->sign;
}

void receipt_make(const struct airing *airing, const struct airing_evidence *evidence, const char *detail,
                  struct receipt_paper *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->receipt = (struct receipt){.occurrence = airing->occurrence,
                                    .bulletin = airing->bulletin.hex[0] ? airing->bulletin.hex : NULL,
                                    .exempt = airing->exempt[0] ? airing->exempt : NULL,
                                    .class = airing->class,
                                    .planned_ms = airing->planned_ms,
                                    .started_ms = airing->started_ms,
                                    .ended_ms = airing->ended_ms,
                                    .reason = (int)airing->reason,
                                    .detail = detail && detail[0] ? detail : NULL,
                                    .grade = time_grade_names[airing->grade]};
    if (!evidence || airing->started_ms == 0)
        return;
    make_sound(&evidence->sound, ret);
    make_amplifier(&evidence->horns, ret);
    make_sign(&evidence->panels, ret);
    ret->receipt.evidence = &ret->evidence;
}

static void add_faults(struct airing_horns *sum, const struct airing_horns *more)
{
    for (int i = 0; i < more->n_faults; i++) {
        int k = 0;
        while (k < sum->n_faults && strcmp(sum->faults[k], more->faults[i]) != 0)
            k++;
        if (k == sum->n_faults && k < EVIDENCE_FAULTS_MAX)
            memcpy(sum->faults[sum->n_faults++], more->faults[i], EVIDENCE_FAULT_LEN);
    }
}

void evidence_add(struct airing_evidence *sum, const struct airing_evidence *more)
{
    sum->sound.asked |= more->sound.asked;
    sum->sound.frames += more->sound.frames;
    sum->sound.xruns += more->sound.xruns;
    if (sum->sound.frames_expected < more->sound.frames_expected)
        sum->sound.frames_expected = more->sound.frames_expected;
    if (sum->sound.first_elapsed_ns == 0) {
        sum->sound.first_elapsed_ns = more->sound.first_elapsed_ns;
        sum->sound.start_error_us = more->sound.start_error_us;
    }
    if (!sum->horns.asked) {
        sum->horns = more->horns;
    } else if (more->horns.asked) {
        sum->horns.commanded = sum->horns.commanded && more->horns.commanded;
        sum->horns.power = sum->horns.power && more->horns.power;
        sum->horns.seen = sum->horns.seen && more->horns.seen;
        if (more->horns.level_mb < sum->horns.level_mb)
            sum->horns.level_mb = more->horns.level_mb;
        sum->horns.temperature_c = more->horns.temperature_c;
        add_faults(&sum->horns, &more->horns);
    }
    if (!sum->panels.asked) {
        sum->panels = more->panels;
    } else if (more->panels.asked) {
        sum->panels.written = sum->panels.written && more->panels.written;
        sum->panels.read_back = sum->panels.read_back && more->panels.read_back;
        sum->panels.cut = sum->panels.cut || more->panels.cut;
        if (!sum->panels.text[0])
            memcpy(sum->panels.text, more->panels.text, sizeof(sum->panels.text));
    }
    if (!sum->problem[0])
        memcpy(sum->problem, more->problem, sizeof(sum->problem));
}
