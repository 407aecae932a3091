/* panels.c - see panels.h. */
#include "firmware/panels.h"

#include "boards/bus/sign.h"
#include "playlists/base/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES_MAX = 16 };

/* What became of one text of the airing on each sign; the same text shown again later counts as the same page. */
struct page {
    struct hash text;
    bool written[SITE_SIGNS_MAX], equal[SITE_SIGNS_MAX], failed[SITE_SIGNS_MAX];
    bool kept; /* what was read back is in the evidence */
};

struct panels;

struct panel {
    struct panels *panels;
    size_t index;
    struct sign *sign;
    size_t page; /* that its call-back is about */
    unsigned round;
};

struct panels {
    const struct site *site;
    struct panel at[SITE_SIGNS_MAX];
    size_t n;
    struct page pages[PAGES_MAX];
    size_t n_pages;
    size_t page;    /* the one up */
    unsigned round; /* counts airings, so that a late answer is not taken for the next one's */
    bool showing, cut;
    char shown[EVIDENCE_TEXT_MAX];
    char problem[460];
};

int panels_new(const struct site *site, struct bus **buses, struct panels **ret_panels, struct complaint *why)
{
    struct panels *panels = xcalloc(1, sizeof(*panels));
    panels->site = site;
    for (size_t i = 0; i < site->n_signs; i++) {
        const struct site_sign *sign = &site->signs[i];
        struct panel *panel = &panels->at[i];
        panel->panels = panels;
        panel->index = i;
        int r = sign_new(buses[sign->bus], sign->profile, sign->unit, sign->name, NULL, NULL, &panel->sign);
        if (r < 0) {
            panels_free(panels);
            return complain(why, r, "sign %s: cannot be driven: %s", sign->name, err_name(r));
        }
        panels->n++;
    }
    *ret_panels = panels;
    return 0;
}

void panels_free(struct panels *panels)
{
    if (!panels)
        return;
    panels->round++; /* what ends now is of no interest */
    for (size_t i = 0; i < panels->n; i++)
        sign_free(panels->at[i].sign);
    free(panels);
}

void panels_mark(struct panels *panels)
{
    panels->round++;
    panels->n_pages = 0;
    panels->cut = false;
    panels->shown[0] = '\0';
    panels->problem[0] = '\0';
    memset(panels->pages, 0, sizeof(panels->pages));
}

static void keep_shown(struct panels *panels, struct page *page, const char *text)
{
    if (page->kept || !text[0])
        return;
    size_t used = strlen(panels->shown);
    size_t more = strlen(text);
    if (used + more + 2 > sizeof(panels->shown))
        return;
    snprintf(panels->shown + used, sizeof(panels->shown) - used, "%s%s", used ? "\n" : "", text);
    page->kept = true;
}

static void on_done(void *arg, const struct sign_result *result)
{
    struct panel *panel = arg;
    struct panels *panels = panel->panels;
    if (panel->round != panels->round || panel->page >= panels->n_pages || result->code == -ECANCELED)
        return;
    struct page *page = &panels->pages[panel->page];
    page->written[panel->index] |= result->written;
    page->equal[panel->index] |= result->read_back_equal;
    page->failed[panel->index] = result->code < 0;
    panels->cut |= result->cut;
    if (result->read_back_equal)
        keep_shown(panels, page, result->shown);
    if (result->code < 0)
        snprintf(panels->problem, sizeof(panels->problem), "%s: %s", panels->site->signs[panel->index].name,
                 result->why);
}

static size_t find_page(struct panels *panels, const char *text)
{
    struct hash hash = hash_of(text, strlen(text));
    size_t i = 0;
    while (i < panels->n_pages && !hash_equal(&panels->pages[i].text, &hash))
        i++;
    if (i == PAGES_MAX)
        return PAGES_MAX - 1;
    if (i == panels->n_pages)
        panels->pages[panels->n_pages++].text = hash;
    return i;
}

void panels_show(struct panels *panels, const char *text)
{
    panels->page = find_page(panels, text);
    panels->showing = true;
    for (size_t i = 0; i < panels->n; i++) {
        struct panel *panel = &panels->at[i];
        struct complaint why = {0};
        size_t page_was = panel->page;
        unsigned round_was = panel->round;
        panel->page = panels->page;
        panel->round = panels->round;
        if (sign_show(panel->sign, text, on_done, panel, &why) < 0) {
            panel->page = page_was;
            panel->round = round_was;
            panels->pages[panels->page].failed[i] = true;
            snprintf(panels->problem, sizeof(panels->problem), "%s: %s", panels->site->signs[i].name, why.text);
            sign_blank(panel->sign, NULL, NULL); /* better nothing than the page before */
        }
    }
}

void panels_blank(struct panels *panels)
{
    panels->showing = false;
    for (size_t i = 0; i < panels->n; i++)
        sign_blank(panels->at[i].sign, NULL, NULL);
}

void panels_clear(struct panels *panels)
{
    if (panels->showing)
        panels_blank(panels);
}

bool panels_settled(const struct panels *panels)
{
    for (size_t i = 0; i < panels->n; i++) {
        struct sign_status status;
        sign_status(panels->at[i].sign, &status);
        if (status.reachable && status.phase != SIGN_BLANK && status.phase != SIGN_SHOWN)
            return false;
    }
    return true;
}

bool panels_page_done(const struct panels *panels)
{
    if (!panels->showing || panels->n_pages == 0)
        return true;
    const struct page *page = &panels->pages[panels->page];
    for (size_t i = 0; i < panels->n; i++)
        if (!page->written[i] && !page->failed[i])
            return false;
    return true;
}

void panels_evidence(const struct panels *panels, struct airing_panels *ret, char *ret_problem, size_t problem_size)
{
    bool any = panels->n > 0 && panels->n_pages > 0;
    *ret = (struct airing_panels){.asked = any, .written = any, .read_back = any, .cut = panels->cut};
    for (size_t p = 0; p < panels->n_pages; p++)
        for (size_t i = 0; i < panels->n; i++) {
            ret->written = ret->written && panels->pages[p].written[i];
            ret->read_back = ret->read_back && panels->pages[p].equal[i];
        }
    snprintf(ret->text, sizeof(ret->text), "%s", panels->shown);
    snprintf(ret_problem, problem_size, "%s", panels->problem);
}

size_t panels_count(const struct panels *panels)
{
    return panels->n;
}

void panels_report(const struct panels *panels, size_t index, struct part_report *ret)
{
    struct sign_status status;
    sign_status(panels->at[index].sign, &status);
    *ret = (struct part_report){.name = panels->site->signs[index].name,
                                .reachable = status.reachable,
                                .since_elapsed_ms = status.reachable_elapsed_ms,
                                .faulty = status.phase == SIGN_FAILED || status.faults != 0,
                                .faults = status.faults | (status.phase == SIGN_FAILED ? FAULT_NOT_SHOWN : 0)};
    snprintf(ret->problem, sizeof(ret->problem), "%s", status.problem);
}
