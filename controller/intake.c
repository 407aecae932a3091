/* intake.c - see intake.h. */
#include "controller/intake.h"

#include "controller/blobs.h"
#include "controller/sound.h"
#include "playlists/base/clock.h"
#include "playlists/base/file.h"
#include "playlists/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job {
    uv_work_t work;
    struct intake *intake;
    struct job *next;
    struct request *request; /* NULL: whoever asked is gone */
    char source[440], target[440], scratch[440];
    char name[200];
    char unit[44];
    struct hash source_hash, hash;
    uint64_t source_size, size;
    struct sound_result result;
    struct problem problem;
    int outcome;
    bool hashed;
};

struct intake {
    struct controller *c;
    struct job *jobs;
    int64_t bodies; /* on their way */
    int64_t running;
    bool stopping;
};

struct intake *intake_new(struct controller *c)
{
    struct intake *intake = xcalloc(1, sizeof(*intake));
    intake->c = c;
    return intake;
}

void intake_free(struct intake *intake)
{
    free(intake);
}

static json_t *by_source(struct intake *intake, const char *hash)
{
    return store_one(intake->c->store, SQL_MEDIA "WHERE source_hash = ?", "s", hash);
}

static void on_worker(uv_work_t *work)
{
    struct job *job = work->data;
    job->outcome = -1;
    if (!job->hashed) {
        job->hashed = hash_of_file(job->source, UINT64_MAX, &job->source_hash, &job->source_size) == 0;
        if (!job->hashed)
            refuse(&job->problem, 500, "store", NULL, WORD_STORE);
        return;
    }
    if (sound_take_in(job->source, job->target, job->scratch, &job->result, &job->problem) < 0)
        return;
    if (hash_of_file(job->target, MEDIA_MAX, &job->hash, &job->size) < 0) {
        refuse(&job->problem, 422, "sound", NULL, WORD_SOUND_LARGE, MEDIA_MAX / 1024 / 1024);
        return;
    }
    job->outcome = 0;
}

static int keep(struct job *job)
{
    struct controller *c = job->intake->c;
    char blob[440], source[440];
    blob_path(c->settings, job->hash.hex, blob);
    source_path(c->settings, job->source_hash.hex, source);
    int r = file_move(job->target, blob);
    if (r >= 0)
        r = file_move(job->source, source);
    json_t *about = json_pack("{s:s, s:I, s:s, s:s, s:i, s:i}", "hash", job->source_hash.hex, "size",
                              (json_int_t)job->source_size, "name", job->name, "format", job->result.format, "channels",
                              job->result.channels, "rate_hz", job->result.rate_hz);
    if (r >= 0)
        r = store_run(c->store,
                      "INSERT INTO media (hash, size, frames, loudness_lufs, true_peak_dbtp, source_hash, source,"
                      " unit, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      "siirrsjsi", job->hash.hex, (int64_t)job->size, job->result.frames, job->result.loudness_lufs,
                      job->result.true_peak_dbtp, job->source_hash.hex, about, job->unit, clock_wall_ms());
    json_decref(about);
    return r < 0 ? refuse(&job->problem, 500, "store", NULL, WORD_STORE) : 0;
}

static void job_end(struct job *job, unsigned status, json_t *reply)
{
    struct intake *intake = job->intake;
    struct job **at = &intake->jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    intake->running--;
    if (job->request) {
        if (!reply)
            job->request->problem = job->problem;
        request_finish(job->request, status, reply);
    } else {
        json_decref(reply);
    }
    unlink(job->source);
    unlink(job->target);
    free(job);
}

static void on_done(uv_work_t *work, int status);

static int go(struct job *job)
{
    job->work.data = job;
    return uv_queue_work(job->intake->c->loop, &job->work, on_worker, on_done);
}

static void on_done(uv_work_t *work, int status)
{
    struct job *job = work->data;
    if (status < 0 || job->problem.status) {
        if (!job->problem.status)
            refuse(&job->problem, 503, "busy", NULL, WORD_BUSY);
        job_end(job, 0, NULL);
        return;
    }
    json_t *there = by_source(job->intake, job->source_hash.hex);
    if (there) {
        job_end(job, 200, there);
    } else if (job->outcome < 0) {
        /* Only hashed so far: the same recording is not there yet. */
        if (go(job) < 0)
            job_end(job, 0, NULL);
    } else {
        bool kept = keep(job) == 0;
        if (kept)
            log_info("intake", "media=%.12s %lld frames taken in from \"%s\"", job->hash.hex,
                     (long long)job->result.frames, job->name);
        job_end(job, 201, kept ? by_source(job->intake, job->source_hash.hex) : NULL);
    }
}

static void on_request_gone(void *arg)
{
    ((struct job *)arg)->request = NULL;
}

int intake_begin(struct intake *intake, struct request *r)
{
    if (intake->stopping || intake->bodies + intake->running >= intake->c->settings->uploads_max) {
        refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
        r->problem.retry_after_s = 5;
        return -1;
    }
    intake->bodies++;
    r->intake_body = true;
    return 0;
}

void intake_end(struct intake *intake, struct request *r)
{
    intake->bodies -= r->intake_body;
    r->intake_body = false;
}

int intake_start(struct intake *intake, struct request *r, const char *name)
{
    if (intake->stopping) {
        refuse(&r->problem, 503, "busy", NULL, WORD_BUSY);
        r->problem.retry_after_s = 5;
        return -1;
    }
    intake_end(intake, r);
    struct job *job = xcalloc(1, sizeof(*job));
    job->intake = intake;
    job->request = r;
    snprintf(job->source, sizeof(job->source), "%s", r->body_path);
    snprintf(job->target, sizeof(job->target), "%.420s.opus", r->body_path);
    snprintf(job->scratch, sizeof(job->scratch), "%.420s.f32", r->body_path);
    snprintf(job->name, sizeof(job->name), "%.*s", (int)sizeof(job->name) - 4, name ? name : "");
    snprintf(job->unit, sizeof(job->unit), "%s", r->token.unit);
    if (!utf8_valid(job->name, strlen(job->name)))
        job->name[0] = '\0';
    r->body_path[0] = '\0'; /* the job's now */
    job->next = intake->jobs;
    intake->jobs = job;
    intake->running++;
    if (go(job) < 0) {
        job->request = NULL;
        job_end(job, 0, NULL);
        return request_store_failed(r);
    }
    return request_suspend(r, job, on_request_gone);
}

void intake_stop(struct intake *intake)
{
    intake->stopping = true;
    for (struct job *job = intake->jobs; job; job = job->next) {
        if (!job->request)
            continue;
        refuse(&job->request->problem, 503, "busy", NULL, WORD_BUSY);
        request_finish(job->request, 503, NULL);
        job->request = NULL;
    }
}
