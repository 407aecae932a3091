/* session.c - see session.h. */
#include "playlists/session.h"

#include <stdlib.h>
#include <string.h>

const char *const session_overrun_names[] = {"cut", "mid_sentence", NULL};
const char *const session_languages_names[] = {"drop", "complete", NULL};

/* One entry of the slot as the rule has it, before anything is dropped. */
struct entry {
    size_t part;
    int64_t play;
    uint32_t nth;
    int64_t length_ms;
    enum air_class class;
    bool cut, ended_early;
};

struct lay {
    const struct session_case *c;
    struct entry entries[SESSION_PIECES_MAX];
    size_t n_entries;
    size_t n_languages;
    int64_t opening_ms, closing_ms; /* below 0: there is none */
    struct session_layout *ret;
};

static int64_t length_with(const struct session_measure *measure, size_t n_languages)
{
    return measure ? measure->length_ms[n_languages - 1] : -1;
}

/* splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint64_t session_seed(const char *rule, int64_t slot_s)
{
    uint64_t seed = UINT64_C(14695981039346656037); /* FNV-1a */
    for (const unsigned char *at = (const unsigned char *)rule; *at; at++)
        seed = (seed ^ *at) * UINT64_C(1099511628211);
    seed ^= (uint64_t)slot_s;
    return next_random(&seed);
}

static bool same_content(const struct session_part *part, const char *bulletin)
{
    return part->bulletin && bulletin && strcmp(part->bulletin, bulletin) == 0;
}

static bool same_part(const struct session_part *a, const struct session_part *b)
{
    return a->bulletin ? same_content(b, a->bulletin) : !b->bulletin && strcmp(a->source, b->source) == 0;
}

/* How often the content of the part came before in its slot: what is cut counts too, so that cutting renames nothing.
 */
static uint32_t nth_of(const struct session *session, size_t part, int64_t play)
{
    uint32_t in_play = 0, before = 0;
    for (size_t i = 0; i < session->n_parts; i++) {
        bool same = same_part(&session->parts[i], &session->parts[part]);
        in_play += same;
        before += same && i < part;
    }
    return before + in_play * (uint32_t)play + same_content(&session->parts[part], session->opening);
}

static int64_t plays_of(const struct session *session)
{
    if (session->plays < 1)
        return 1;
    return session->plays > SESSION_PLAYS_MAX ? SESSION_PLAYS_MAX : session->plays;
}

static void list_entries(struct lay *lay)
{
    const struct session *session = lay->c->session;
    for (int64_t play = 0; play < plays_of(session); play++)
        for (size_t i = 0; i < session->n_parts; i++) {
            if (length_with(&lay->c->parts[i], lay->n_languages) < 0) {
                lay->ret->n_empty += play == 0;
                continue;
            }
            if (lay->n_entries >= SESSION_PIECES_MAX - 2) {
                lay->ret->n_cut++;
                continue;
            }
            const struct session_part *part = &session->parts[i];
            lay->entries[lay->n_entries++] =
                (struct entry){.part = i,
                               .play = play,
                               .nth = nth_of(session, i, play),
                               .class = part->class < 0 ? lay->c->class : (enum air_class)part->class};
        }
}

static void measure(struct lay *lay)
{
    lay->opening_ms = length_with(lay->c->opening, lay->n_languages);
    lay->closing_ms = length_with(lay->c->closing, lay->n_languages);
    for (size_t i = 0; i < lay->n_entries; i++)
        lay->entries[i].length_ms = length_with(&lay->c->parts[lay->entries[i].part], lay->n_languages);
}

static int64_t tunes_ms(const struct lay *lay)
{
    return (lay->opening_ms > 0 ? lay->opening_ms : 0) + (lay->closing_ms > 0 ? lay->closing_ms : 0);
}

/* A gap lies between two plays that are both there. */
static int64_t total_ms(const struct lay *lay)
{
    int64_t total = tunes_ms(lay), play = -1;
    for (size_t i = 0; i < lay->n_entries; i++) {
        const struct entry *entry = &lay->entries[i];
        if (entry->cut)
            continue;
        total += entry->length_ms + (play >= 0 && entry->play != play ? lay->c->session->gap_ms : 0);
        play = entry->play;
    }
    return total;
}

/* The last one of the lowest class. */
static struct entry *least(struct lay *lay)
{
    struct entry *found = NULL;
    for (size_t i = 0; i < lay->n_entries; i++) {
        struct entry *entry = &lay->entries[i];
        if (!entry->cut && !entry->ended_early && (!found || entry->class <= found->class))
            found = entry;
    }
    return found;
}

static void shorten(struct lay *lay, int64_t room_ms)
{
    for (int64_t over_ms; (over_ms = total_ms(lay) - room_ms) > 0;) {
        struct entry *entry = least(lay);
        if (!entry)
            return;
        lay->ret->n_cut++;
        if (lay->c->session->overrun == OVERRUN_MID_SENTENCE && entry->length_ms > over_ms) {
            entry->length_ms -= over_ms;
            entry->ended_early = true;
        } else {
            entry->cut = true;
        }
    }
}

static void fit(struct lay *lay)
{
    const struct session *session = lay->c->session;
    measure(lay);
    if (session->length_ms <= 0 && lay->c->room_ms <= 0)
        return;
    while (session->languages == LANGUAGES_DROP && lay->n_languages > 1 && total_ms(lay) > lay->c->room_ms) {
        lay->n_languages--;
        measure(lay);
    }
    shorten(lay, lay->c->room_ms);
}

static struct session_piece *put(struct session_layout *ret, enum piece_of of, size_t index, int64_t length_ms)
{
    struct session_piece *piece = &ret->pieces[ret->n_pieces++];
    *piece = (struct session_piece){.of = of, .index = index, .offset_ms = ret->length_ms, .length_ms = length_ms};
    ret->length_ms += length_ms;
    return piece;
}

static size_t put_parts(struct lay *lay)
{
    struct session_layout *ret = lay->ret;
    int64_t play = -1;
    size_t n = 0;
    for (size_t i = 0; i < lay->n_entries; i++) {
        const struct entry *entry = &lay->entries[i];
        if (entry->cut)
            continue;
        if (play >= 0 && entry->play != play)
            ret->length_ms += lay->c->session->gap_ms;
        play = entry->play;
        struct session_piece *piece = put(ret, PIECE_PART, entry->part, entry->length_ms);
        piece->nth = entry->nth;
        piece->class = entry->class;
        piece->ended_early = entry->ended_early;
        n++;
    }
    return n;
}

/* --- what fills the rest --- */

static bool may_fill(const struct session_filler *filler, size_t n_languages, int64_t left_ms)
{
    int64_t length_ms = length_with(&filler->measure, n_languages);
    return length_ms > 0 && length_ms <= left_ms;
}

static uint32_t least_used(const struct lay *lay, const uint32_t *used, int64_t left_ms)
{
    uint32_t lowest = UINT32_MAX;
    for (size_t i = 0; i < lay->c->n_fillers; i++)
        if (may_fill(&lay->c->fillers[i], lay->n_languages, left_ms) && used[i] < lowest)
            lowest = used[i];
    return lowest;
}

/* Those that fit and were there least often; of one topic, or of all for their number in each. */
static size_t count_topic(const struct lay *lay, const uint32_t *used, uint32_t round, int64_t left_ms, size_t topic)
{
    size_t n = 0;
    for (size_t i = 0; i < lay->c->n_fillers; i++)
        n += lay->c->fillers[i].topic == topic && used[i] == round &&
             may_fill(&lay->c->fillers[i], lay->n_languages, left_ms);
    return n;
}

static size_t draw_topic(const struct lay *lay, const uint32_t *used, uint32_t round, int64_t left_ms, uint64_t *seed)
{
    const struct session *session = lay->c->session;
    uint64_t sum = 0;
    bool has[SESSION_TOPICS_MAX] = {false};
    for (size_t i = 0; i < session->n_topics && i < SESSION_TOPICS_MAX; i++) {
        has[i] = count_topic(lay, used, round, left_ms, i) > 0;
        sum += has[i] && session->topics[i].weight > 0 ? (uint64_t)session->topics[i].weight : 0;
    }
    uint64_t drawn = sum > 0 ? next_random(seed) % sum : 0;
    for (size_t i = 0; sum > 0 && i < session->n_topics && i < SESSION_TOPICS_MAX; i++) {
        uint64_t weight = has[i] && session->topics[i].weight > 0 ? (uint64_t)session->topics[i].weight : 0;
        if (drawn < weight)
            return i;
        drawn -= weight;
    }
    return SESSION_TOPICS_MAX;
}

/* The index of the next filler; n_fillers: none fits. */
static size_t draw(const struct lay *lay, const uint32_t *used, int64_t left_ms, uint64_t *seed)
{
    size_t n = lay->c->n_fillers;
    uint32_t round = least_used(lay, used, left_ms);
    size_t topic = round == UINT32_MAX ? SESSION_TOPICS_MAX : draw_topic(lay, used, round, left_ms, seed);
    if (topic == SESSION_TOPICS_MAX)
        return n;
    size_t nth = (size_t)(next_random(seed) % count_topic(lay, used, round, left_ms, topic));
    for (size_t i = 0; i < n; i++)
        if (lay->c->fillers[i].topic == topic && used[i] == round &&
            may_fill(&lay->c->fillers[i], lay->n_languages, left_ms) && nth-- == 0)
            return i;
    return n;
}

static uint32_t nth_of_filler(const struct session *session, const char *hash, uint32_t used)
{
    uint32_t n = used;
    for (size_t i = 0; i < session->n_parts; i++)
        n += same_content(&session->parts[i], hash) ? (uint32_t)plays_of(session) : 0;
    n += session->opening && strcmp(session->opening, hash) == 0;
    n += session->closing && strcmp(session->closing, hash) == 0;
    return n;
}

static void fill(struct lay *lay)
{
    struct session_layout *ret = lay->ret;
    uint64_t seed = lay->c->seed;
    int64_t end_ms = lay->c->room_ms - (lay->closing_ms > 0 ? lay->closing_ms : 0);
    if (lay->c->session->length_ms <= 0 || lay->c->n_fillers == 0)
        return;
    uint32_t *used = xcalloc(lay->c->n_fillers, sizeof(used[0]));
    while (ret->n_pieces < SESSION_PIECES_MAX - 1) {
        size_t i = draw(lay, used, end_ms - ret->length_ms, &seed);
        if (i == lay->c->n_fillers)
            break;
        const struct session_filler *filler = &lay->c->fillers[i];
        struct session_piece *piece = put(ret, PIECE_FILLER, i, length_with(&filler->measure, lay->n_languages));
        piece->class = CLASS_FILLER;
        piece->nth = nth_of_filler(lay->c->session, filler->hash, used[i]++);
    }
    free(used);
}

static uint32_t nth_of_closing(const struct session *session)
{
    uint32_t n = session->opening && strcmp(session->opening, session->closing) == 0;
    for (size_t i = 0; i < session->n_parts; i++)
        n += same_content(&session->parts[i], session->closing) ? (uint32_t)plays_of(session) : 0;
    return n;
}

void session_lay(const struct session_case *wanted, struct session_layout *ret)
{
    struct lay lay = {.c = wanted, .n_languages = wanted->n_languages, .ret = ret};
    ret->n_pieces = ret->n_cut = ret->n_empty = 0;
    ret->length_ms = 0;
    list_entries(&lay);
    fit(&lay);
    ret->n_languages = lay.n_languages;
    if (lay.opening_ms > 0)
        put(ret, PIECE_OPENING, 0, lay.opening_ms)->class = wanted->class;
    size_t n = put_parts(&lay);
    size_t before = ret->n_pieces;
    if (n > 0 || lay.n_entries == 0)
        fill(&lay);
    if (n == 0 && ret->n_pieces == before) {
        ret->n_pieces = 0;
        ret->length_ms = 0;
        return;
    }
    if (lay.closing_ms > 0) {
        struct session_piece *closing = put(ret, PIECE_CLOSING, 0, lay.closing_ms);
        closing->class = wanted->class;
        closing->nth = nth_of_closing(wanted->session);
    }
}

int64_t session_length_ms(const struct session_case *wanted)
{
    struct session whole = *wanted->session;
    struct session_case c = *wanted;
    struct lay lay = {.c = &c, .n_languages = wanted->n_languages};
    struct session_layout none = {.n_pieces = 0};
    whole.length_ms = 0;
    c.session = &whole;
    c.room_ms = 0;
    lay.ret = &none;
    list_entries(&lay);
    fit(&lay);
    return total_ms(&lay);
}
