/* reader.c - see reader.h. */
#include "controller/reader.h"

#include "controller/mandate.h"
#include "controller/zones.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { BESIDE_NICE = 5 }; /* a third of what the loop gets; less, and a busy machine would never come to it */

struct reader {
    struct controller own;
    char *mandate_mark; /* which documents the mandate was made of; owned */
};

struct reader *reader_new(const struct controller *c)
{
    struct reader *reader = xcalloc(1, sizeof(*reader));
    reader->own.settings = c->settings;
    reader->own.scheduler = c->scheduler;
    return reader;
}

void reader_free(struct reader *reader)
{
    if (!reader)
        return;
    mandate_free(reader->own.mandate);
    zones_free(reader->own.zones);
    store_close(reader->own.store);
    signer_wipe(&reader->own.scheduler);
    free(reader->mandate_mark);
    free(reader);
}

static int open_store(struct reader *reader)
{
    if (reader->own.store)
        return 0;
    char *path = xasprintf("%s/controller.db", reader->own.settings->state);
    int r = store_open_reader(path, &reader->own.store);
    free(path);
    if (r == 0)
        reader->own.zones = zones_new(reader->own.settings->zoneinfo, reader->own.settings->calendars);
    return r;
}

/* Trust and keys are judged again when others are stored. */
static void refresh_mandate(struct reader *reader)
{
    char *mark =
        store_text(reader->own.store,
                   "SELECT group_concat(hash) FROM documents WHERE word IN ('trust', 'keys') AND device = ''", "");
    if (reader->own.mandate && mark && reader->mandate_mark && strcmp(mark, reader->mandate_mark) == 0) {
        free(mark);
        return;
    }
    free(reader->mandate_mark);
    reader->mandate_mark = mark;
    mandate_free(reader->own.mandate);
    reader->own.mandate = mandate_new(reader->own.store, reader->own.settings);
}

/* Somebody waits for each turn of the loop: where both want the same core, it goes first. On Linux a priority is that
 * of the thread; where it may not be lowered, all is done the same. */
static void give_way(void)
{
    static _Thread_local bool gives_way;
    if (!gives_way)
        (void)setpriority(PRIO_PROCESS, 0, BESIDE_NICE);
    gives_way = true;
}

int reader_begin(struct reader *reader, struct controller **ret)
{
    give_way();
    int r = open_store(reader);
    if (r == 0)
        r = store_snapshot(reader->own.store);
    if (r < 0)
        return r;
    refresh_mandate(reader);
    *ret = &reader->own;
    return 0;
}

void reader_end(struct reader *reader, bool shorten_log)
{
    (void)!store_commit(reader->own.store);
    if (shorten_log)
        store_shorten_log(reader->own.store);
}
