/* member.c - see member.h. Looks into the agent (agent_parts.h) and changes nothing there. */
#include "tools/fleet-agents/member.h"

#include "firmware/agent_parts.h"
#include "playlists/base/bytes.h"
#include "playlists/base/clock.h"
#include "playlists/base/file.h"

#include <stddef.h>
#include <stdlib.h>

struct member {
    struct site site; /* a copy that shares the profiles; its address tells whose stage speaks */
    uv_loop_t *loop;
    const struct member_ground *ground;
    unsigned index;
    struct settings settings;
    char *device, *vault, *link, *spool, *key; /* owned */
    struct signer signer;
    struct agent *agent;     /* owned */
    struct postman *postman; /* owned */
    int64_t playlist_ver;
    bool ended;
    member_adopted_fn adopted;
    void *arg;
};

/* --- what it holds --- */

static void look_at_playlist(struct member *member)
{
    const struct playlist *playlist = member->agent ? courier_playlist(member->agent->courier) : NULL;
    if (!playlist || playlist->head.ver == member->playlist_ver)
        return;
    member->playlist_ver = playlist->head.ver;
    member->adopted(member->arg, member->index, playlist->head.ver, clock_wall_ms());
}

void member_decided(void *arg, const struct site *site)
{
    (void)arg;
    look_at_playlist((struct member *)(uintptr_t)site); /* the site is its first member */
}

void member_look(const struct member *member, struct member_look *ret)
{
    const struct agent *agent = member->agent;
    *ret = (struct member_look){0};
    if (!agent)
        return;
    ret->online = agent->online;
    ret->welcomed = agent->welcomed;
    ret->holds = courier_config(agent->courier) && courier_playlist(agent->courier);
}

/* --- made and ended --- */

static void on_stopped(void *arg)
{
    struct member *member = arg;
    member->ended = true;
}

static int start_agent(struct member *member, struct complaint *why)
{
    int r = agent_new(member->loop, &member->settings, &member->site, &member->signer, on_stopped, member,
                      &member->agent, why);
    if (r == 0)
        look_at_playlist(member);
    return r;
}

int member_revive(struct member *member, struct complaint *why)
{
    if (!member->ended)
        return 0;
    agent_free(member->agent);
    member->agent = NULL;
    member->ended = false;
    return start_agent(member, why);
}

static void name_things(struct member *member)
{
    const struct member_ground *ground = member->ground;
    member->device = xasprintf("%s-%05u", ground->prefix, member->index);
    member->vault = xasprintf("%s/%s", ground->vaults, member->device);
    member->spool = xasprintf("%s/%s/spool", ground->vaults, member->device);
    member->link = xasprintf("%s/%s", ground->sockets, member->device);
    member->key = xasprintf("%s/keys/%s.jwk", ground->dir, member->device);
    member->settings = (struct settings){.device = member->device,
                                         .serial = member->device,
                                         .vault_dir = member->vault,
                                         .link_path = member->link,
                                         .key_path = member->key,
                                         .spool_dir = member->spool,
                                         .roots = {ground->roots[0], ground->roots[1]}};
}

struct member *member_new(uv_loop_t *loop, const struct member_ground *ground, unsigned index,
                          member_adopted_fn adopted, void *arg)
{
    struct member *member = xcalloc(1, sizeof(*member));
    member->site = *ground->site;
    member->loop = loop;
    member->ground = ground;
    member->index = index;
    member->adopted = adopted;
    member->arg = arg;
    name_things(member);
    return member;
}

int member_start(struct member *member, struct complaint *why)
{
    const struct member_ground *ground = member->ground;
    char *cert = xasprintf("%s/certs/%s.crt", ground->dir, member->device);
    int r = signer_load(member->key, &member->signer, why);
    if (r == 0 && (r = file_make_dir(member->spool, 0700)) < 0)
        complain(why, r, "%s: cannot be made: %s", member->spool, err_name(r));
    if (r == 0)
        r = postman_new(member->loop, &ground->postman, member->device, cert, member->link, member->spool,
                        &member->postman, why);
    if (r == 0)
        r = start_agent(member, why);
    if (r < 0)
        complain_prefix(why, "%s", member->device);
    free(cert);
    return r;
}

void member_stop(struct member *member)
{
    if (!member)
        return;
    agent_free(member->agent);
    member->agent = NULL;
    postman_stop(member->postman);
}

void member_free(struct member *member)
{
    if (!member)
        return;
    postman_free(member->postman);
    signer_wipe(&member->signer);
    free(member->device);
    free(member->vault);
    free(member->link);
    free(member->spool);
    free(member->key);
    free(member);
}
